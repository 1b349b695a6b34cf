/// One entry of `allow` or `deny`: what it names, and for which ports.
public struct PolicyEntry: Sendable, Hashable, CustomStringConvertible {
    package enum Subject: Sendable, Hashable {
        case everything
        case network(Prefix)
        case name(HostName)
        /// `*.name`, the name itself included.
        case below(HostName)
    }

    package let subject: Subject
    /// Nil: every port.
    package let ports: ClosedRange<UInt16>?
    /// As it was written.
    public let text: String

    /// The entry as it was written.
    public var description: String { self.text }

    /// Reads `*`, an address, a CIDR, a name or a wildcard, any of them with `:port` or `:first-last`; IPv6 with a port in brackets.
    ///
    /// - Throws: with what is wrong in words.
    public init(_ text: String) throws(DestinationError) {
        self.text = text
        let (host, ports) = try Self.split(text)
        self.ports = try ports.map { text throws(DestinationError) in try Self.ports(text) }
        self.subject = try Self.subject(host)
    }

    private static func split(_ text: String) throws(DestinationError) -> (Substring, Substring?) {
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw DestinationError("\"[\" has no \"]\"") }
            let after = text[text.index(after: end)...]
            let slash = after.firstIndex(of: "/")
            let inside = text[text.index(after: text.startIndex)..<end]
            if let slash, slash == after.startIndex {
                let rest = after[after.index(after: slash)...]
                let length = rest.prefix { $0 != ":" }
                let ports = rest.dropFirst(length.count)
                return ("\(inside)/\(length)", ports.isEmpty ? nil : ports.dropFirst())
            }
            guard after.isEmpty || after.hasPrefix(":") else { throw DestinationError("after \"]\" comes a port") }
            return (inside, after.isEmpty ? nil : after.dropFirst())
        }
        let colons = text.filter { $0 == ":" }.count
        guard colons == 1, let colon = text.firstIndex(of: ":") else { return (text[...], nil) }
        return (text[..<colon], text[text.index(after: colon)...])
    }

    private static func ports(_ text: Substring) throws(DestinationError) -> ClosedRange<UInt16> {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard (1...2).contains(ends.count), let first = UInt16(ends[0]), let last = UInt16(ends[ends.count - 1]),
            first > 0
        else { throw DestinationError("\"\(text)\" is no port or range of ports from 1 to 65535") }
        guard first <= last else { throw DestinationError("the range \(text) is empty") }
        return first...last
    }

    private static func subject(_ host: Substring) throws(DestinationError) -> Subject {
        if host == "*" { return .everything }
        if let slash = host.firstIndex(of: "/") {
            guard let address = IPAddress(host[..<slash]) else {
                throw DestinationError("\(host[..<slash]) is no address")
            }
            let most = address.isIPv4 ? 32 : 128
            guard let length = Int(host[host.index(after: slash)...]), let prefix = Prefix(address, length: length)
            else {
                throw DestinationError("the prefix length must be 0 to \(most)")
            }
            guard prefix.address == address else {
                throw DestinationError("\(host) has bits beyond its prefix; the network is \(prefix)")
            }
            return .network(prefix)
        }
        if let address = IPAddress(host), let prefix = Prefix(address, length: address.isIPv4 ? 32 : 128) {
            return .network(prefix)
        }
        if host.hasPrefix("*.") { return .below(try HostName(parsing: String(host.dropFirst(2)))) }
        guard !host.contains("*") else { throw DestinationError("a wildcard is \"*\" or begins with \"*.\"") }
        return .name(try HostName(parsing: String(host)))
    }

    /// - Parameters:
    ///   - port: nil asks about the destination as a whole.
    ///   - wholly: with no port, whether the entry must hold for every port.
    func covers(_ port: UInt16?, wholly: Bool) -> Bool {
        guard let ports = self.ports else { return true }
        guard let port else { return !wholly || ports == 1...65_535 }
        return ports.contains(port)
    }
}

/// A list of entries, ready to be asked.
struct EntryList: Sendable {
    var everything: [PolicyEntry] = []
    var networks = PrefixTable<PolicyEntry>()
    var names = SuffixTable<PolicyEntry>()
    let all: [PolicyEntry]

    init(_ entries: [PolicyEntry]) {
        self.all = entries
        for entry in entries {
            switch entry.subject {
            case .everything: self.everything.append(entry)
            case .network(let prefix): self.networks.insert(entry, for: prefix)
            case .name(let name): self.names.insert(entry, for: name)
            case .below(let name): self.names.insert(entry, below: name)
            }
        }
    }
}

extension PolicyEntry {
    /// The network that the entry names, if it names one and no port.
    package var network: Prefix? {
        if case .network(let prefix) = self.subject, self.ports == nil { return prefix }
        return nil
    }
}
