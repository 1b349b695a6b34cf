import WasmnetText

/// Whose use is counted: the key of one allowance, in this process and in the cluster.
package struct ClientID: Hashable, Sendable, CustomStringConvertible {
    /// `a:203.0.113.7`, `a:2001:db8::/64` (by address) or `t:subject` (by token).
    package let text: String

    package init(text: String) {
        self.text = text
    }

    package var description: String { self.text }

    /// As the log writes it, and commands and the denylist take it: a name's other characters percent-encoded.
    package var commandText: String {
        guard let name = ByteText(self.text).dropping(prefix: "t:") else { return self.text }
        return "t:" + ClientName.encoded(name.text)
    }

    /// By the bytes, as Redis compares keys: to String two ways to write an accent are equal.
    package static func == (left: ClientID, right: ClientID) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        for byte in self.text.utf8 { hasher.combine(byte) }
    }
}
