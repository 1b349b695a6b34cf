package import WasmnetNet

/// One entry of `allow` or `deny`: its subject, its ports, and its transport.
public struct PolicyEntry: Sendable, Hashable, CustomStringConvertible {
    package enum Subject: Sendable, Hashable {
        case everything
        case network(Prefix)
        case name(HostName)
        /// `*.name`, the name itself included.
        case below(HostName)
    }

    /// Nil: both.
    package let transport: TransportProtocol?
    package let subject: Subject
    /// Nil: every port.
    package let ports: ClosedRange<UInt16>?
    /// As written.
    public let text: String

    /// The entry as written.
    public var description: String { self.text }

    /// Parses `*`, an address, a CIDR, a name or a wildcard, any of them with `:port` or `:first-last`; IPv6 with a port in brackets. Any
    /// of them may be prefixed with `tcp/` or `udp/`: then it applies to that transport only.
    ///
    /// - Throws: with a description of the error.
    public init(_ text: String) throws(DestinationError) {
        self.text = text
        let (transport, rest) = try TransportProtocol.split(ByteText(text))
        self.transport = transport
        let (host, ports) = try Self.split(rest)
        self.ports = try ports.map { text throws(DestinationError) in try Self.ports(text) }
        self.subject = try Self.subject(host)
    }

    /// The host, with its prefix length, and the ports.
    private static func split(_ text: ByteText) throws(DestinationError) -> (ByteText, ByteText?) {
        if let bracket = text.dropping(prefix: "[") {
            guard let (inside, after) = bracket.cut(at: "]") else { throw DestinationError("\"[\" has no \"]\"") }
            if let rest = after.dropping(prefix: "/") {
                return (ByteText("\(inside.text)/\(rest.before(":").text)"), rest.cut(at: ":")?.after)
            }
            let ports = after.dropping(prefix: ":")
            guard after.isEmpty || ports != nil else { throw DestinationError("only a port may follow \"]\"") }
            return (inside, ports)
        }
        guard let (host, ports) = text.cut(at: ":"), !ports.has(":") else { return (text, nil) }
        return (host, ports)
    }

    private static func ports(_ text: ByteText) throws(DestinationError) -> ClosedRange<UInt16> {
        let ends = text.split(at: "-")
        guard (1...2).contains(ends.count), let first = ends[0].decimal(as: UInt16.self),
            let last = ends[ends.count - 1].decimal(as: UInt16.self), first > 0
        else { throw DestinationError("\"\(text.text)\" is not a port or a range of ports from 1 to 65535") }
        guard first <= last else { throw DestinationError("the range \(text.text) is empty") }
        return first...last
    }

    private static func subject(_ host: ByteText) throws(DestinationError) -> Subject {
        if host == "*" { return .everything }
        if let (base, digits) = host.cut(at: "/") {
            guard let address = IPAddress(base.text) else { throw DestinationError("\(base.text) is not an address") }
            let most = address.isIPv4 ? 32 : 128
            guard let length = digits.decimal(as: Int.self), let prefix = Prefix(address, length: length) else {
                throw DestinationError("the prefix length must be 0 to \(most)")
            }
            guard prefix.address == address else {
                throw DestinationError("\(host.text) has bits beyond its prefix; the network is \(prefix)")
            }
            return .network(prefix.withoutV4Mapping)
        }
        if let address = IPAddress(host.text)?.withoutV4Mapping,
            let prefix = Prefix(address, length: address.isIPv4 ? 32 : 128)
        {
            return .network(prefix)
        }
        if let name = host.dropping(prefix: "*.") { return .below(try HostName(parsing: name.text)) }
        guard !host.has("*") else { throw DestinationError("a wildcard is \"*\" or begins with \"*.\"") }
        return .name(try HostName(parsing: host.text))
    }

    /// - Parameters:
    ///   - port: nil asks about the destination as a whole.
    ///   - wholly: without a port, whether the entry must cover every port.
    func covers(_ port: UInt16?, wholly: Bool) -> Bool {
        guard let ports = self.ports else { return true }
        guard let port else { return !wholly || ports == 1...65_535 }
        return ports.contains(port)
    }
}

/// A list of entries, indexed for lookups.
final class EntryList: Sendable {
    let everything: [PolicyEntry]
    let networks: PrefixTable<PolicyEntry>
    let names: SuffixTable<PolicyEntry>
    let networkEntries: [PolicyEntry]

    init(_ entries: [PolicyEntry]) {
        var (everything, networkEntries): ([PolicyEntry], [PolicyEntry]) = ([], [])
        var networks = PrefixTable<PolicyEntry>()
        var names = SuffixTable<PolicyEntry>()
        for entry in entries {
            switch entry.subject {
            case .everything: everything.append(entry)
            case .network(let prefix):
                networks.insert(entry, for: prefix)
                networkEntries.append(entry)
            case .name(let name): names.insert(entry, for: name)
            case .below(let name): names.insert(entry, below: name)
            }
        }
        self.everything = everything
        self.networks = networks
        self.names = names
        self.networkEntries = networkEntries
    }
}

/// One list for each transport: split in advance, so that no decision has to.
struct EntryLists: Sendable {
    private let tcp: EntryList
    private let udp: EntryList

    init(_ entries: [PolicyEntry]) {
        self.tcp = EntryList(entries.filter { $0.transport != .udp })
        let isSame = entries.allSatisfy { $0.transport == nil }
        self.udp = isSame ? self.tcp : EntryList(entries.filter { $0.transport != .tcp })
    }

    subscript(transport: TransportProtocol) -> EntryList {
        switch transport {
        case .tcp: self.tcp
        case .udp: self.udp
        }
    }
}

extension PolicyEntry {
    /// The network that the entry names, if it names one without a port or a transport.
    package var network: Prefix? {
        if case .network(let prefix) = self.subject, self.ports == nil, self.transport == nil { return prefix }
        return nil
    }

    var isSingleAddress: Bool { if case .network(let prefix) = self.subject { prefix.isSingle } else { false } }
}
