/// How deep TOML text nests tables and arrays: the TOML library follows dotted keys, and frees its tables, by recursion, so that enough
/// of them would overflow the stack. So this is checked before the library sees the text.
///
/// Strings and comments are recognized as in TOML. Invalid TOML is read in some way: the library reports it.
struct TOMLNesting {
    /// The most parts of one dotted key, and the most nested brackets. The deepest of a policy is 2.
    static let deepest = 16
    static let problem = "keys, tables and arrays are nested more than \(Self.deepest) deep"

    private let bytes: ArraySlice<UInt8>
    private var index: Int
    private var line = 1

    /// The line, counted from 1, where the text is nested deeper than ``deepest``; nil: nowhere.
    static func lineTooDeep(in bytes: ArraySlice<UInt8>) -> Int? {
        var nesting = TOMLNesting(bytes)
        return nesting.lineTooDeep()
    }

    private init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        self.index = bytes.startIndex
    }

    private mutating func lineTooDeep() -> Int? {
        var brackets = 0
        var dots = 0
        while self.index < self.bytes.endIndex {
            let byte = self.bytes[self.index]
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                self.skipString(byte)
                continue
            case UInt8(ascii: "#"):
                self.skipComment()
                continue
            case UInt8(ascii: "\n"):
                self.line += 1
                dots = 0
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                brackets += 1
                dots = 0
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                brackets = max(0, brackets - 1)
                dots = 0
            case UInt8(ascii: "="), UInt8(ascii: ","): dots = 0
            case UInt8(ascii: "."): dots += 1
            default: break
            }
            if brackets > Self.deepest || dots >= Self.deepest { return self.line }
            self.index += 1
        }
        return nil
    }

    private mutating func skipComment() {
        while self.index < self.bytes.endIndex, self.bytes[self.index] != UInt8(ascii: "\n") { self.index += 1 }
    }

    /// From a string's first quote to after its last, or to the end of its line if it has none.
    private mutating func skipString(_ quote: UInt8) {
        let isLong = self.quotes(quote, atMost: 3) == 3
        self.index += isLong ? 3 : 1
        while self.index < self.bytes.endIndex {
            let byte = self.bytes[self.index]
            if byte == UInt8(ascii: "\n") {
                guard isLong else { return }
                self.line += 1
            }
            if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
                // The escaped character, such as a quote; an escaped line end is checked as such.
                let next = self.index + 1
                let endsLine = next < self.bytes.endIndex && self.bytes[next] == UInt8(ascii: "\n")
                self.index += endsLine ? 1 : 2
                continue
            }
            guard byte == quote else {
                self.index += 1
                continue
            }
            guard isLong else {
                self.index += 1
                return
            }
            // Up to two quotes may precede the three that end it.
            let count = self.quotes(quote, atMost: 5)
            self.index += count
            if count >= 3 { return }
        }
    }

    private func quotes(_ quote: UInt8, atMost most: Int) -> Int {
        self.bytes[self.index...].prefix(most).prefix { $0 == quote }.count
    }
}
