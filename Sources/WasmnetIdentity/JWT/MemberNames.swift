import Foundation
import WasmnetNet

/// The names at a JSON object's outermost level, to detect duplicates: RFC 7515, section 4, and RFC 7519, section 4,
/// require unique names, and readers that disagree on which of two counts disagree on what the token says.
enum MemberNames {
    /// Whether they are unique after decoding: `"sub"` and `"\u0073ub"` are one name (RFC 8259, section 8.3). The text's grammar is left to
    /// the decoder.
    static func areUnique(_ json: [UInt8]) -> Bool {
        var names: Set<ByteText> = []
        var depth = 0
        var position = 0
        var last: ArraySlice<UInt8>?
        while position < json.count {
            switch json[position] {
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: ":") where depth == 1:
                guard let name = last.flatMap(self.unescaped), names.insert(name).inserted else { return false }
            case UInt8(ascii: "\""):
                let start = position + 1
                position = start
                while position < json.count, json[position] != UInt8(ascii: "\"") {
                    position += json[position] == UInt8(ascii: "\\") ? 2 : 1
                }
                guard position < json.count else { return false }
                last = json[start..<position]
            default: break
            }
            position += 1
        }
        return true
    }

    /// The decoded content of a string between its quotes; nil if it is invalid.
    private static func unescaped(_ string: ArraySlice<UInt8>) -> ByteText? {
        guard string.contains(UInt8(ascii: "\\")) else { return ByteText(string) }
        let quote = [UInt8(ascii: "\"")]
        return (try? JSONDecoder().decode(String.self, from: Data(quote + string + quote))).map { ByteText($0) }
    }
}
