/// External text, as bytes.
///
/// Swift's Character is a grapheme cluster: CR LF is one, and a combining mark merges with a preceding comma. Swift's String compares by
/// canonical equivalence. So text from a file, a header, a variable or the wire is split and compared here, by bytes.
package struct ByteText: Hashable, Sendable {
    package let bytes: ArraySlice<UInt8>

    package init(_ bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes)[...]
    }

    package init(_ text: some StringProtocol) {
        self.bytes = Array(text.utf8)[...]
    }

    private init(slice: ArraySlice<UInt8>) {
        self.bytes = slice
    }

    package var isEmpty: Bool { self.bytes.isEmpty }
    package var count: Int { self.bytes.count }

    /// Nil if it is not UTF-8.
    package var validText: String? { String(validating: self.bytes, as: UTF8.self) }

    /// Invalid UTF-8 is replaced by U+FFFD; the same as ``validText`` for a part of a Swift String.
    package var text: String { String(decoding: self.bytes, as: UTF8.self) }

    package func has(_ character: Unicode.Scalar) -> Bool { self.bytes.contains(Self.byte(character)) }

    // MARK: Splitting

    /// The parts between separators, including empty ones: always at least one.
    ///
    /// - Parameters:
    ///   - separator: an ASCII character.
    ///   - most: the most parts; the last one contains the rest.
    package func split(at separator: Unicode.Scalar, atMost most: Int = .max) -> [ByteText] {
        self.bytes.split(
            separator: Self.byte(separator), maxSplits: max(most, 1) - 1, omittingEmptySubsequences: false
        ).map(ByteText.init(slice:))
    }

    /// A list as in headers and variables (RFC 9110, section 5.6.1): trimmed elements, without empty ones.
    package func list(at separator: Unicode.Scalar = ",") -> [ByteText] {
        self.split(at: separator).map(\.trimmed).filter { !$0.isEmpty }
    }

    /// The parts between spaces and tabs.
    package var words: [ByteText] {
        self.bytes.split(whereSeparator: Self.isBlank).map(ByteText.init(slice:))
    }

    /// The first of ``words`` and everything after it; nil if there is none.
    package var firstWord: (word: ByteText, rest: ByteText)? {
        let start = self.bytes.drop(while: Self.isBlank)
        let word = start.prefix { !Self.isBlank($0) }
        return word.isEmpty ? nil : (ByteText(slice: word), ByteText(slice: start.dropFirst(word.count)))
    }

    /// The lines, each without its LF or CRLF. The text after the last line ending is a line too, an empty one in most files.
    package var lines: [ByteText] {
        self.split(at: "\n").map { $0.dropping(suffix: "\r") ?? $0 }
    }

    /// The text before and after the first separator; nil if there is none.
    package func cut(at separator: Unicode.Scalar) -> (before: ByteText, after: ByteText)? {
        self.bytes.firstIndex(of: Self.byte(separator)).map(self.cut)
    }

    /// The text before and after the last separator; nil if there is none.
    package func cutLast(at separator: Unicode.Scalar) -> (before: ByteText, after: ByteText)? {
        self.bytes.lastIndex(of: Self.byte(separator)).map(self.cut)
    }

    private func cut(at index: Int) -> (before: ByteText, after: ByteText) {
        (ByteText(slice: self.bytes[..<index]), ByteText(slice: self.bytes[(index + 1)...]))
    }

    /// The text before the separator; all of it if there is none.
    package func before(_ separator: Unicode.Scalar) -> ByteText { self.cut(at: separator)?.before ?? self }

    /// Without spaces and tabs at both ends.
    package var trimmed: ByteText {
        var rest = self.bytes.drop(while: Self.isBlank)
        while let last = rest.last, Self.isBlank(last) { rest.removeLast() }
        return ByteText(slice: rest)
    }

    package func without(_ character: Unicode.Scalar) -> ByteText {
        let byte = Self.byte(character)
        return ByteText(self.bytes.filter { $0 != byte })
    }

    /// The text without this prefix; nil if it does not begin with it.
    package func dropping(prefix: ByteText) -> ByteText? {
        self.bytes.starts(with: prefix.bytes) ? ByteText(slice: self.bytes.dropFirst(prefix.count)) : nil
    }

    /// The text without this suffix; nil if it does not end with it.
    package func dropping(suffix: ByteText) -> ByteText? {
        self.bytes.suffix(suffix.count).elementsEqual(suffix.bytes)
            ? ByteText(slice: self.bytes.dropLast(suffix.count)) : nil
    }

    package func starts(with prefix: ByteText) -> Bool { self.dropping(prefix: prefix) != nil }
    package func ends(with suffix: ByteText) -> Bool { self.dropping(suffix: suffix) != nil }

    package func holds(_ part: ByteText) -> Bool {
        self.bytes.indices.contains { self.bytes[$0...].starts(with: part.bytes) }
    }

    // MARK: Values

    /// A to Z in lower case, everything else unchanged.
    package var lowercased: ByteText {
        ByteText(self.bytes.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 })
    }

    /// Compares A to Z and a to z as equal.
    package func isEqual(ignoringCase other: ByteText) -> Bool {
        self.count == other.count && self.lowercased == other.lowercased
    }

    /// A number of decimal digits only: no sign, no space; nil if it does not fit.
    package func decimal<Number: FixedWidthInteger>(as type: Number.Type = Number.self) -> Number? {
        guard !self.isEmpty, self.bytes.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Number(self.text)
    }

    // MARK: Parts

    private static func byte(_ scalar: Unicode.Scalar) -> UInt8 { UInt8(truncatingIfNeeded: scalar.value) }
    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}

extension ByteText: ExpressibleByStringLiteral {
    package init(stringLiteral value: String) {
        self.init(value)
    }
}
