public import WasmnetNet

/// An address and port of the node itself, and of what it counts in.
public struct ProtectedEndpoint: Sendable, Hashable {
    /// Nil, where there is no name either: every address of this machine. One of this machine's addresses stands for all of them.
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

/// What a policy has to know of the machine that it is in force on.
package struct Place: Sendable {
    /// What no client reaches, and whose ports no client binds.
    package var endpoints: [ProtectedEndpoint] = [] {
        didSet { self.byPort = Dictionary(grouping: Set(self.endpoints), by: \.port) }
    }
    /// Whether an address is one of this machine's own: asked about no other ports than the endpoints'.
    package var isLocal: @Sendable (IPAddress) -> Bool = { $0.isLoopback || $0.isUnspecified }
    /// Prefixes by which the network translates to IPv4, beside 64:ff9b::/96.
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
