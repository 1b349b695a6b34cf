package import WasmnetNet

/// The client that usage is counted for: the key of one allowance, in this process and in the cluster.
package struct ClientID: Hashable, Sendable, CustomStringConvertible {
    /// `a:203.0.113.7`, `a:2001:db8::/64` (by address) or `t:subject` (by token).
    package let text: String

    package init(text: String) {
        self.text = text
    }

    package var description: String { self.text }

    /// As written in the log, and accepted by commands and the denylist: with a name's special characters percent-encoded.
    package var commandText: String {
        guard let name = ByteText(self.text).dropping(prefix: "t:") else { return self.text }
        return "t:" + ClientName.encoded(name.text)
    }

    /// Compares the bytes, as Redis compares keys: String treats two encodings of an accented letter as equal.
    package static func == (left: ClientID, right: ClientID) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        for byte in self.text.utf8 { hasher.combine(byte) }
    }
}

extension ClientID {
    /// IPv4 by address, even if IPv4-mapped (RFC 4291, section 2.5.5.2); IPv6 by /64: what one subscriber usually has.
    package init(peer: IPAddress?) {
        guard let peer = peer?.withoutV4Mapping else {
            self.init(text: "a:local")
            return
        }
        self.init(text: peer.isIPv4 ? "a:\(peer)" : "a:\(peer.masked(to: 64))/64")
    }
}

extension ClientID {
    /// As operators write it: an address, alone or after `a:`, for IPv6 also its /64, `a:local`, or `t:NAME`; nil if no client can have
    /// that id.
    package init?(written text: String) {
        let written = ByteText(text)
        if let name = written.dropping(prefix: "t:") {
            guard ClientName.isName(name.text) else { return nil }
            self.init(text: text)
            return
        }
        if written == "a:local" {
            self.init(peer: nil)
            return
        }
        let place = written.dropping(prefix: "a:") ?? written
        let network = place.dropping(suffix: "/64")
        guard let address = IPAddress((network ?? place).text)?.withoutV4Mapping else { return nil }
        if network != nil, address.isIPv4 { return nil }
        self.init(peer: address)
    }
}
