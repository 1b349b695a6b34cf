import NIOCore
import RedisClient

/// A simple RESP2 parser: whole input, recursion, no state. The parser under test is compared with it.
struct PlainRESP {
    struct Outcome: Equatable {
        var replies: [RESPValue] = []
        var isBroken = false
    }

    private enum Stop: Error {
        case incomplete, broken
    }

    private let bytes: [UInt8]
    private let limits: RESPLimits
    private var position = 0
    private var elementsLeft = 0
    private var replyStart = 0

    /// All replies of `bytes` up to the first that is incomplete or broken.
    static func parse(_ bytes: [UInt8], limits: RESPLimits) -> Outcome {
        var parser = PlainRESP(bytes: bytes, limits: limits)
        var outcome = Outcome()
        do throws(Stop) {
            while parser.position < bytes.count {
                parser.elementsLeft = limits.elements
                parser.replyStart = parser.position
                outcome.replies.append(try parser.value(depth: 0))
            }
        } catch {
            outcome.isBroken = error == .broken
        }
        return outcome
    }

    private init(bytes: [UInt8], limits: RESPLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    private mutating func next() throws(Stop) -> UInt8 {
        guard position < bytes.count else { throw .incomplete }
        guard position - replyStart < limits.replyLength else { throw .broken }
        defer { position += 1 }
        return bytes[position]
    }

    private mutating func text() throws(Stop) -> String {
        var line: [UInt8] = []
        while true {
            let byte = try next()
            if byte == 10 { throw .broken }
            if byte == 13 { break }
            line.append(byte)
            if line.count > limits.lineLength { throw .broken }
        }
        guard try next() == 10 else { throw .broken }
        return String(decoding: line, as: UTF8.self)
    }

    private mutating func number() throws(Stop) -> Int64 {
        var line: [UInt8] = []
        while true {
            let byte = try next()
            if byte == 13 { break }
            line.append(byte)
            // A prefix that no further digit can fix is already invalid.
            let prefix = String(decoding: line, as: UTF8.self)
            guard prefix == "-" || Int64(prefix).map({ String($0) == prefix }) == true else { throw .broken }
        }
        guard let value = Int64(String(decoding: line, as: UTF8.self)) else { throw .broken }
        guard try next() == 10 else { throw .broken }
        return value
    }

    private mutating func value(depth: Int) throws(Stop) -> RESPValue {
        switch try next() {
        case UInt8(ascii: "+"): return .simpleString(try text())
        case UInt8(ascii: "-"): return .error(RedisServerError(line: try text()))
        case UInt8(ascii: ":"): return .integer(try number())
        case UInt8(ascii: "$"):
            let length = try number()
            if length == -1 { return .null }
            guard length >= 0, length <= limits.bulkLength else { throw .broken }
            var content: [UInt8] = []
            for _ in 0..<length { content.append(try next()) }
            guard try next() == 13 else { throw .broken }
            guard try next() == 10 else { throw .broken }
            return .bulkString(ByteBuffer(bytes: content))
        case UInt8(ascii: "*"):
            let length = try number()
            guard length >= -1, depth < limits.depth else { throw .broken }
            if length == -1 { return .null }
            guard length <= elementsLeft else { throw .broken }
            elementsLeft -= Int(length)
            var elements: [RESPValue] = []
            for _ in 0..<length { elements.append(try value(depth: depth + 1)) }
            return .array(elements)
        default: throw .broken
        }
    }
}
