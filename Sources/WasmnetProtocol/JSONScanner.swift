/// Reads JSON (RFC 8259) in one pass over bytes without copying them.
///
/// The caller walks the outermost object or array member by member; anything nested in it is checked and skipped
/// without recursion, down to ``WireLimits/nesting`` levels. No input makes it trap or read outside the text.
struct JSONScanner {
    let text: UnsafeRawBufferPointer
    private(set) var position: Int
    /// Whether the object or array being walked had a member before.
    private var hasMembers = false

    init(_ text: UnsafeRawBufferPointer) {
        self.init(text, from: 0)
    }

    /// Starts at a value that an earlier scan of the same text found.
    init(_ text: UnsafeRawBufferPointer, from position: Int) {
        self.text = text
        self.position = position
    }

    // MARK: Walking

    mutating func openObject() throws(JSONFault) {
        try open(UInt8(ascii: "{"), "expected an object")
    }

    mutating func openArray() throws(JSONFault) {
        try open(UInt8(ascii: "["), "expected an array")
    }

    private mutating func open(_ bracket: UInt8, _ problem: StaticString) throws(JSONFault) {
        skipSpace()
        guard current == bracket else { throw fault(problem) }
        position += 1
        hasMembers = false
    }

    /// The next key of the walked object, with its colon read; nil after its last member.
    mutating func nextKey() throws(JSONFault) -> JSONText? {
        guard try nextMember(end: UInt8(ascii: "}")) else { return nil }
        return try key()
    }

    /// Whether another element of the walked array follows.
    mutating func nextElement() throws(JSONFault) -> Bool {
        try nextMember(end: UInt8(ascii: "]"))
    }

    private mutating func nextMember(end: UInt8) throws(JSONFault) -> Bool {
        skipSpace()
        if current == end {
            position += 1
            return false
        }
        if hasMembers {
            guard current == UInt8(ascii: ",") else { throw fault("expected a comma or the end") }
            position += 1
            skipSpace()
        }
        hasMembers = true
        return true
    }

    /// Only whitespace may follow the walked value.
    mutating func finish() throws(JSONFault) {
        skipSpace()
        guard position == text.count else { throw fault("text after the end") }
    }

    /// The complete value at this position.
    mutating func value() throws(JSONFault) -> JSONValue {
        skipSpace()
        switch current {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
        case UInt8(ascii: "{"): return .object(try container())
        case UInt8(ascii: "["): return .array(try container())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: throw fault("expected a value")
        }
    }

    // MARK: Parts

    /// The present byte; 0, which no grammar rule accepts, at the end.
    private var current: UInt8 { position < text.count ? text[position] : 0 }

    private func fault(_ problem: StaticString) -> JSONFault {
        JSONFault(offset: position, problem: position < text.count ? problem : "unexpected end")
    }

    private mutating func skipSpace() {
        while position < text.count {
            switch text[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    private mutating func key() throws(JSONFault) -> JSONText {
        guard current == UInt8(ascii: "\"") else { throw fault("expected a key") }
        let key = try string()
        skipSpace()
        guard current == UInt8(ascii: ":") else { throw fault("expected a colon") }
        position += 1
        return key
    }

    private mutating func literal(_ word: StaticString, _ value: JSONValue) throws(JSONFault) -> JSONValue {
        let letters = UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        for letter in letters {
            guard current == letter else { throw fault("expected a value") }
            position += 1
        }
        return value
    }

    private mutating func number() throws(JSONFault) -> JSONNumber {
        let start = position
        if current == UInt8(ascii: "-") { position += 1 }
        if current == UInt8(ascii: "0") { position += 1 } else { try digits() }
        if current == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if current | 0x20 == UInt8(ascii: "e") {
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        return JSONNumber(start: start, end: position)
    }

    private mutating func digits() throws(JSONFault) {
        let start = position
        while current >= UInt8(ascii: "0"), current <= UInt8(ascii: "9") { position += 1 }
        guard position > start else { throw fault("expected a digit") }
    }

    private mutating func string() throws(JSONFault) -> JSONText {
        position += 1
        var string = JSONText(start: position, end: position, hasEscapes: false)
        var isASCII = true
        while true {
            position = text.endOfPlainText(from: position, isASCII: &isASCII)
            switch current {
            case UInt8(ascii: "\""):
                string.end = position
                guard isASCII || text.isUTF8(from: string.start, to: string.end) else {
                    throw JSONFault(offset: string.start, problem: "string is not UTF-8")
                }
                position += 1
                return string
            case UInt8(ascii: "\\"):
                string.hasEscapes = true
                position += 1
                guard let escape = JSONEscape(text, at: position) else { throw fault("bad escape") }
                position += escape.length
            default:
                throw fault("control character in a string")
            }
        }
    }

    // MARK: Skipping

    private enum Expectation {
        case firstKey, key, firstElement, value, separator
    }

    /// Checks and skips an object or array.
    private mutating func container() throws(JSONFault) -> Range<Int> {
        let start = position
        var open = JSONNesting()
        try enter(&open)
        var expectation = open.isObject ? Expectation.firstKey : .firstElement
        while !open.isEmpty {
            skipSpace()
            let end = open.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")
            switch expectation {
            case .firstKey where current == end, .firstElement where current == end, .separator where current == end:
                position += 1
                open.pop()
                expectation = .separator
            case .separator:
                guard current == UInt8(ascii: ",") else { throw fault("expected a comma or the end") }
                position += 1
                expectation = open.isObject ? .key : .value
            case .firstKey, .key:
                _ = try key()
                expectation = .value
            case .firstElement, .value:
                if current == UInt8(ascii: "{") || current == UInt8(ascii: "[") {
                    try enter(&open)
                    expectation = open.isObject ? .firstKey : .firstElement
                } else {
                    _ = try value()
                    expectation = .separator
                }
            }
        }
        return start..<position
    }

    private mutating func enter(_ open: inout JSONNesting) throws(JSONFault) {
        guard open.push(isObject: current == UInt8(ascii: "{")) else { throw fault("nested too deeply") }
        position += 1
    }
}

/// The open brackets below the outermost object: one bit a level, set for an object.
private struct JSONNesting {
    private var kinds: UInt64 = 0
    private var depth = 0

    var isEmpty: Bool { depth == 0 }
    var isObject: Bool { kinds & 1 == 1 }

    /// Returns false if there would be one level too many.
    mutating func push(isObject: Bool) -> Bool {
        // The outermost object is a level too.
        guard depth + 1 < WireLimits.nesting else { return false }
        kinds = kinds << 1 | (isObject ? 1 : 0)
        depth += 1
        return true
    }

    mutating func pop() {
        kinds >>= 1
        depth -= 1
    }
}
