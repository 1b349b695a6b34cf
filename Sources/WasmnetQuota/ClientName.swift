package import WasmnetNet

/// The rule for client names: the same in tokens, commands, the API, the denylist and quotas.
package enum ClientName {
    /// In bytes of UTF-8.
    package static let lengths = 1...256
    /// For error messages.
    package static let rule = "a client's name is 1 to 256 bytes of UTF-8 without control characters"

    /// For error messages about a name on a command line or in the denylist.
    package static let percentRule =
        "in a client's name % comes before two hexadecimal digits (%25 is % itself), and all of it is UTF-8"

    package static func isName(_ text: some StringProtocol) -> Bool {
        self.lengths.contains(text.utf8.count) && !ByteText(text).hasControls
    }

    /// As written in the token file: characters that would end a word or a line there, or are invisible, are percent-encoded (RFC 3986,
    /// section 2.1).
    package static func encoded(_ name: String) -> String {
        name.unicodeScalars.map { scalar in
            let isPlain =
                !"#%\"'".unicodeScalars.contains(scalar) && !scalar.properties.isWhitespace
                && scalar.properties.generalCategory != .format
            let text = String(Character(scalar))
            return isPlain ? text : ByteText(text).percentEncoded { _ in false }
        }.joined()
    }

    /// The name for a word of the token file; nil for an invalid name, and for an unencoded quote or `%`.
    package static func decoded(_ word: ByteText) -> String? {
        guard !word.has("\""), !word.has("'"), let name = word.percentDecoded?.validText, self.isName(name)
        else { return nil }
        return name
    }
}
