/// Follows a stream of RESP2 replies by their lengths only, and detects violations of the format or a limit.
///
/// It keeps a few words of state and copies nothing, whatever the replies contain. Format: the Redis serialization
/// protocol specification, version 2. Stricter than hiredis in three points that no Redis server
/// relies on: the CRLF after a bulk string is checked, a simple string contains neither CR nor LF, numbers are canonical.
struct RESPScanner {
    /// The result of one scan of some bytes.
    struct Finding: Equatable {
        /// The offset after the last reply that ended in these bytes; 0 if none did.
        var completed = 0
        /// The first violation. The bytes up to ``completed`` are valid nevertheless.
        var violation: RESPViolation?
    }

    private enum State {
        case type
        case text(length: Int)
        case number(Kind, DecimalReader)
        case lineFeed(Line)
        case bulk(remaining: Int)
        case bulkCR
        case bulkLF
    }

    private enum Kind {
        case integer, bulk, array
    }

    private enum Line {
        case text
        case number(Kind, Int64)
    }

    private let limits: RESPLimits
    private var state = State.type
    /// Remaining elements of each open array, the outermost first.
    private var open: [Int] = []
    private var elementsLeft: Int
    private var bytesLeft: Int

    init(limits: RESPLimits) {
        self.limits = limits
        elementsLeft = limits.elements
        bytesLeft = limits.replyLength
        open.reserveCapacity(limits.depth)
    }

    /// Follows the next bytes of the stream. After a violation the scanner must not be used again.
    mutating func scan(_ bytes: UnsafeRawBufferPointer) -> Finding {
        var finding = Finding()
        var offset = 0
        do throws(RESPViolation) {
            while offset < bytes.count {
                let step = try self.step(bytes, at: offset)
                offset += step.consumed
                // A reply that ends within its last byte's step has stayed within the limit before it.
                guard step.consumed <= bytesLeft else { throw .replyTooLong }
                bytesLeft -= step.consumed
                guard step.endsReply else { continue }
                finding.completed = offset
                elementsLeft = limits.elements
                bytesLeft = limits.replyLength
            }
        } catch {
            finding.violation = error
        }
        return finding
    }

    private mutating func step(
        _ bytes: UnsafeRawBufferPointer, at offset: Int
    ) throws(RESPViolation) -> (consumed: Int, endsReply: Bool) {
        let byte = bytes[offset]
        switch state {
        case .type:
            state = try Self.opening(byte)
        case .text(let length):
            guard byte != .lineFeed else { throw .badLineEnding }
            guard byte != .carriageReturn else {
                state = .lineFeed(.text)
                break
            }
            guard length < limits.lineLength else { throw .lineTooLong }
            state = .text(length: length + 1)
        case .number(let kind, var reader):
            if byte == .carriageReturn {
                state = .lineFeed(.number(kind, try reader.finish()))
            } else {
                try reader.take(byte)
                state = .number(kind, reader)
            }
        case .lineFeed(let line):
            guard byte == .lineFeed else { throw .badLineEnding }
            return (1, try end(line))
        case .bulk(let remaining):
            let taken = min(remaining, bytes.count - offset)
            state = taken == remaining ? .bulkCR : .bulk(remaining: remaining - taken)
            return (taken, false)
        case .bulkCR:
            guard byte == .carriageReturn else { throw .badLineEnding }
            state = .bulkLF
        case .bulkLF:
            guard byte == .lineFeed else { throw .badLineEnding }
            return (1, endElement())
        }
        return (1, false)
    }

    private static func opening(_ byte: UInt8) throws(RESPViolation) -> State {
        switch byte {
        case UInt8(ascii: "+"), UInt8(ascii: "-"): .text(length: 0)
        case UInt8(ascii: ":"): .number(.integer, DecimalReader())
        case UInt8(ascii: "$"): .number(.bulk, DecimalReader())
        case UInt8(ascii: "*"): .number(.array, DecimalReader())
        default: throw .unknownType(byte)
        }
    }

    /// Acts on a complete line; true when it ends a reply.
    private mutating func end(_ line: Line) throws(RESPViolation) -> Bool {
        guard case .number(let kind, let value) = line, kind != .integer else { return endElement() }
        guard value >= -1 else { throw .badLength }
        let length = Int(clamping: value)
        switch kind {
        case .integer:
            return endElement()
        case .bulk:
            guard length >= 0 else { return endElement() }
            guard length <= limits.bulkLength else { throw .bulkTooLong(length) }
            state = length == 0 ? .bulkCR : .bulk(remaining: length)
            return false
        case .array:
            guard open.count < limits.depth else { throw .tooDeep }
            guard length > 0 else { return endElement() }
            guard length <= elementsLeft else { throw .tooManyElements(length) }
            elementsLeft -= length
            open.append(length)
            state = .type
            return false
        }
    }

    /// Counts an element down in the arrays around it; true when it was the last of a reply.
    private mutating func endElement() -> Bool {
        state = .type
        while let remaining = open.popLast() {
            guard remaining == 1 else {
                open.append(remaining - 1)
                return false
            }
        }
        return true
    }
}

/// Reads a signed decimal number digit by digit: `0`, or an optional `-` and digits that do not start with `0`.
private struct DecimalReader {
    private var negative = false
    private var digits = 0
    private var value: Int64 = 0

    mutating func take(_ byte: UInt8) throws(RESPViolation) {
        if byte == UInt8(ascii: "-"), digits == 0, !negative {
            negative = true
            return
        }
        guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { throw .badNumber }
        guard digits == 0 || value != 0 else { throw .badNumber }
        let digit = Int64(byte - UInt8(ascii: "0"))
        guard !negative || digits > 0 || digit > 0 else { throw .badNumber }
        let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) =
            negative ? tenfold.subtractingReportingOverflow(digit) : tenfold.addingReportingOverflow(digit)
        guard !overflow, !carry else { throw .badNumber }
        value = sum
        digits += 1
    }

    func finish() throws(RESPViolation) -> Int64 {
        guard digits > 0 else { throw .badNumber }
        return value
    }
}

extension UInt8 {
    fileprivate static let carriageReturn = UInt8(ascii: "\r")
    fileprivate static let lineFeed = UInt8(ascii: "\n")
}
