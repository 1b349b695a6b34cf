/// Where and why a text is not JSON.
struct JSONFault: Error {
    /// In bytes from the start of the text.
    var offset: Int
    var problem: StaticString

    var message: String { "bad JSON at byte \(offset): \(problem)" }
}

/// One value as found by the scanner: checked, but neither copied nor converted. Positions count from the start of the
/// text.
enum JSONValue {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(JSONText)
    /// An array or object, from its first bracket to after its last.
    case array(Range<Int>)
    case object(Range<Int>)
}

/// A string's bytes between its quotation marks: valid UTF-8 with complete escapes and paired surrogates.
struct JSONText {
    var start: Int
    var end: Int
    var hasEscapes: Bool
}

/// A number's bytes, by the grammar of RFC 8259.
struct JSONNumber {
    var start: Int
    var end: Int
}

extension JSONNumber {
    /// The number's value if that is exactly a non-negative integer below 2^64, however it is written: `12`,
    /// `12.0`, `1.2e1` and `120E-1` are all 12, and `-0` is 0.
    ///
    /// Decimal arithmetic throughout: no digit is lost by converting to a Double.
    func unsignedInteger(in text: UnsafeRawBufferPointer) -> UInt64? {
        var significand: UInt64 = 0
        // Zeros that count only once another digit follows: they are part of the exponent until then.
        var zeros = 0
        var fraction = 0
        var isFraction = false
        var position = start
        let isNegative = text[start] == UInt8(ascii: "-")
        if isNegative { position += 1 }
        scan: while position < end {
            let byte = text[position]
            switch byte {
            case UInt8(ascii: "."):
                isFraction = true
            case UInt8(ascii: "0"):
                if isFraction { fraction += 1 }
                zeros += significand == 0 ? 0 : 1
            case UInt8(ascii: "1")...UInt8(ascii: "9"):
                if isFraction { fraction += 1 }
                guard let scaled = Self.scale(significand, byPowerOfTen: zeros + 1) else { return nil }
                let (sum, overflow) = scaled.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
                guard !overflow else { return nil }
                significand = sum
                zeros = 0
            default:
                break scan
            }
            position += 1
        }
        guard significand != 0 else { return 0 }
        guard !isNegative else { return nil }
        return Self.scale(significand, byPowerOfTen: exponent(in: text, at: position) + zeros - fraction)
    }

    /// The written exponent, 0 if there is none; clamped to 2^40, far more than any text has digits.
    private func exponent(in text: UnsafeRawBufferPointer, at start: Int) -> Int {
        var value = 0
        var isNegative = false
        for position in start..<end {
            switch text[position] {
            case UInt8(ascii: "-"): isNegative = true
            case let digit where digit >= UInt8(ascii: "0") && digit <= UInt8(ascii: "9"):
                if value < 1 << 36 { value = value * 10 + Int(digit - UInt8(ascii: "0")) }
            default: break
            }
        }
        return isNegative ? -value : value
    }

    private static func scale(_ value: UInt64, byPowerOfTen power: Int) -> UInt64? {
        guard value != 0 else { return 0 }
        guard power >= 0, power < 20 else { return nil }
        var value = value
        for _ in 0..<power {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            guard !overflow else { return nil }
            value = product
        }
        return value
    }
}
