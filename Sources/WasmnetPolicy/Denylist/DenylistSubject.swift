package import WasmnetNet
import WasmnetQuota

/// The subject of a denylist entry: destinations, or a client.
package struct DenylistSubject: Hashable, Sendable, CustomStringConvertible {
    package enum Kind: Hashable, Sendable {
        /// An address, a network, a name or a wildcard, optionally with a port or range: parsed and matched like a policy entry.
        case destination(PolicyEntry)
        /// Clients by the address they connect from.
        case clientNetwork(Prefix)
        /// One client by the text of its id, such as `t:subject`.
        case client(String)
    }

    package let kind: Kind
    /// The canonical form, in printable ASCII without a space: equal subjects have equal texts.
    package let text: String

    package var description: String { self.text }

    /// The longest text, in bytes.
    package static let longestText = 1024

    /// Parses `203.0.113.7`, `10.0.0.0/8`, `[2001:db8::1]:443`, `api.example.com`, `*.example.org:8000-8999`, `client:a:203.0.113.7`,
    /// `client:a:2001:db8::/48`, `client:t:subject`.
    ///
    /// IPv4-mapped addresses are treated as IPv4. In a client's subject a `%` is written `%25`, and any byte may be
    /// written as `%` and two hexadecimal digits (RFC 3986, section 2.1); ``text`` encodes everything but printable ASCII that way.
    ///
    /// - Throws: with a description of the error.
    package init(_ text: String) throws(DenylistError) {
        guard text.utf8.count <= Self.longestText else {
            throw DenylistError("an entry is at most \(Self.longestText) bytes, this is \(text.utf8.count)")
        }
        if let client = ByteText(text).dropping(prefix: Self.clientMark) {
            guard let id = client.percentDecoded?.validText else {
                throw DenylistError(ClientName.percentRule)
            }
            try self.init(clientID: id)
            return
        }
        let entry: PolicyEntry
        do throws(DestinationError) {
            try TransportProtocol.refuse(in: ByteText(text))
            entry = try PolicyEntry(text)
        } catch {
            throw DenylistError(error.description)
        }
        guard let canonical = entry.canonical else {
            throw DenylistError("\"*\" is not an entry: to deny everything use the policy's deny")
        }
        self.init(kind: .destination(canonical), text: canonical.text)
    }

    /// One client, by the text of its id.
    ///
    /// - Parameter id: `a:` and an address or network, or `t:` and a client's name.
    /// - Throws: with a description of the error.
    package init(clientID id: String) throws(DenylistError) {
        if let address = ByteText(id).dropping(prefix: "a:"), !address.isEmpty {
            self = try Self.byAddress(address)
            return
        }
        guard let name = ByteText(id).dropping(prefix: "t:"), !name.isEmpty else { throw Self.noClient }
        guard ClientName.isName(name.text) else { throw DenylistError(ClientName.rule) }
        self.init(kind: .client(id), text: Self.text(ofClient: id))
    }

    private init(kind: Kind, text: String) {
        self.kind = kind
        self.text = text
    }

    /// The text of one client's entry, if its id is not an address.
    static func text(ofClient id: String) -> String {
        Self.clientMark.text + ByteText(id).percentEncoded { (0x21...0x7E).contains($0) }
    }

    private static let clientMark: ByteText = "client:"
    private static let noClient = DenylistError("a client is client:a:ADDRESS or client:t:SUBJECT")

    private static func byAddress(_ address: ByteText) throws(DenylistError) -> DenylistSubject {
        let text = address.text
        // Clients over a socket without addresses, see ClientID.
        if text == "local" { return DenylistSubject(kind: .client("a:local"), text: "client:a:local") }
        let entry: PolicyEntry
        do throws(DestinationError) {
            try TransportProtocol.refuse(in: address)
            entry = try PolicyEntry(text)
        } catch {
            throw DenylistError("client:a: \(error.description)")
        }
        guard case .network(let written) = entry.subject, entry.ports == nil else {
            throw DenylistError("client:a: \"\(text)\" is neither an address nor a network")
        }
        let prefix = written.withoutV4Mapping
        guard prefix.address.isIPv4 || prefix.length <= 64 else {
            let whole = prefix.address.masked(to: 64)
            throw DenylistError("IPv6 clients are told apart by their /64: write client:a:\(whole)/64")
        }
        return DenylistSubject(kind: .clientNetwork(prefix), text: "client:a:\(prefix.shortText)")
    }
}

/// Why a text is not a valid denylist entry.
package struct DenylistError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

extension PolicyEntry {
    /// The same in its canonical form; nil for an entry that names every host.
    fileprivate var canonical: PolicyEntry? {
        let ports = self.ports == 1...65_535 ? nil : self.ports
        let tail = ports.map { $0.count == 1 ? ":\($0.lowerBound)" : ":\($0.lowerBound)-\($0.upperBound)" } ?? ""
        switch self.subject {
        case .everything: return nil
        case .network(let written):
            let prefix = written.withoutV4Mapping
            let isBare = prefix.address.isIPv4 || ports == nil
            let rest = prefix.isSingle ? "" : "/\(prefix.length)"
            let host = isBare ? prefix.shortText : "[\(prefix.address)]\(rest)"
            return PolicyEntry(subject: .network(prefix), ports: ports, text: host + tail)
        case .name(let name):
            // Otherwise it would read as the prefix of clients.
            let dot = name.text == "client" && ports != nil ? "." : ""
            return PolicyEntry(subject: self.subject, ports: ports, text: name.text + dot + tail)
        case .below(let name): return PolicyEntry(subject: self.subject, ports: ports, text: "*.\(name.text)\(tail)")
        }
    }
}

extension Prefix {
    /// Without its length if it covers a single address.
    var shortText: String { self.isSingle ? self.address.description : self.description }
}
