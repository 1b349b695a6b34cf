/// The target of a request in absolute form, which names its host (RFC 9112, section 3.2.2).
package struct AbsoluteTarget {
    /// Its host and port as sent; they take precedence over the `Host` field.
    package let authority: String
    private let rest: String

    /// Nil for a target in any other form.
    package init?(_ target: String) {
        let bytes = Array(target.utf8)
        for scheme in ["http://", "https://", "ws://", "wss://"] where bytes.count >= scheme.utf8.count {
            let begins = zip(bytes, scheme.utf8).allSatisfy { byte, wanted in
                (0x41...0x5A).contains(byte) ? byte | 0x20 == wanted : byte == wanted
            }
            guard begins else { continue }
            let rest = bytes.dropFirst(scheme.utf8.count)
            let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
            self.authority = String(decoding: rest[..<end], as: UTF8.self)
            self.rest = String(decoding: rest[end...], as: UTF8.self)
            return
        }
        return nil
    }

    /// The same target as path and query (section 3.2.1).
    package var originForm: String {
        self.rest.utf8.first == UInt8(ascii: "/") ? self.rest : "/" + self.rest
    }
}
