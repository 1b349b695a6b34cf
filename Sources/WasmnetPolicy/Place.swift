public import WasmnetNet

/// An address and port of the node itself, or of the Redis it counts in.
public struct ProtectedEndpoint: Sendable, Hashable {
    /// Nil, without a name: every address of this machine. One of this machine's addresses represents all of them.
    public var address: IPAddress?
    /// A name under which the node knows it, for which the port is denied whatever its addresses.
    package var name: HostName?
    /// The TCP and UDP port.
    public var port: UInt16

    /// An endpoint of the node itself.
    public init(address: IPAddress?, port: UInt16) {
        self.address = address?.withoutV4Mapping
        self.port = port
    }

    package init(name: HostName, port: UInt16) {
        self.name = name
        self.port = port
    }
}

/// What a policy must know of the machine that it is in force on.
package struct Place: Sendable {
    /// Endpoints that no client may reach, and whose ports no client may bind.
    package var endpoints: [ProtectedEndpoint] = [] {
        didSet { self.byPort = Dictionary(grouping: Set(self.endpoints), by: \.port) }
    }
    /// Whether an address is one of this machine's own: called only for the endpoints' ports.
    package var isLocal: @Sendable (IPAddress) -> Bool = { $0.isLoopback || $0.isUnspecified }
    /// Prefixes by which the network translates to IPv4, in addition to 64:ff9b::/96.
    package var translators: [NAT64Prefix] = []
    private var byPort: [UInt16: [ProtectedEndpoint]] = [:]

    package init() {}

    func isOwnPort(_ port: UInt16) -> Bool { self.byPort[port] != nil }

    func isProtected(_ name: HostName, _ port: UInt16) -> Bool {
        self.byPort[port]?.contains { $0.name == name } == true
    }

    func isProtected(_ reading: AddressReading, _ port: UInt16) -> Bool {
        guard let own = self.byPort[port] else { return false }
        return reading.all.contains { form in
            if own.contains(where: { $0.address == form }) { return true }
            return self.isLocal(form) && own.contains { self.isHere($0) }
        }
    }

    private func isHere(_ endpoint: ProtectedEndpoint) -> Bool {
        endpoint.address.map(self.isLocal) ?? (endpoint.name == nil)
    }
}
