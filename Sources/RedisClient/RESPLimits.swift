/// Limits of a reply; a connection that exceeds them is closed.
///
/// They are checked before hiredis sees a byte: it reserves an array's pointers as soon as it has read the length,
/// so the thirteen bytes `*2147483647\r\n` alone would cost it 16 GiB.
package struct RESPLimits: Sendable, Equatable {
    /// The longest bulk string, in bytes. Default 16 MiB.
    package var bulkLength: Int
    /// The most elements one reply may declare, including those of nested arrays. Default 262,144.
    package var elements: Int
    /// The most nested arrays, including the outermost. Default 7, which is also the maximum: hiredis 0.14
    /// reads no deeper.
    package var depth: Int
    /// The longest line of a simple string or an error, in bytes without its ending. Default 64 KiB.
    package var lineLength: Int
    /// The most bytes of one whole reply. Default 64 MiB.
    package var replyLength: Int

    package init(
        bulkLength: Int = 16 << 20,
        elements: Int = 262_144,
        depth: Int = 7,
        lineLength: Int = 64 << 10,
        replyLength: Int = 64 << 20
    ) {
        self.bulkLength = max(0, bulkLength)
        self.elements = max(0, elements)
        self.depth = min(max(0, depth), 7)
        self.lineLength = max(0, lineLength)
        self.replyLength = max(0, replyLength)
    }
}

/// How bytes violate RESP2 or a limit.
package enum RESPViolation: Error, Sendable, Equatable, CustomStringConvertible {
    /// A reply that does not start with any of `+ - : $ *`.
    case unknownType(UInt8)
    /// A length or an integer that is not a canonical decimal number of 64 bits.
    case badNumber
    /// A length below -1.
    case badLength
    /// A misplaced CR or LF, or a missing line ending.
    case badLineEnding
    case bulkTooLong(Int)
    case tooManyElements(Int)
    case tooDeep
    case lineTooLong
    case replyTooLong
    /// An error message of hiredis's own reader.
    case reader(String)

    package var description: String {
        switch self {
        case .unknownType(let byte): "a reply starts with byte \(byte), which is not a RESP2 type"
        case .badNumber: "a number of a reply is malformed"
        case .badLength: "a length of a reply is negative"
        case .badLineEnding: "a line ending of a reply is misplaced"
        case .bulkTooLong(let length): "a bulk string of \(length) bytes is above the limit"
        case .tooManyElements(let count): "a reply with an array of \(count) more elements is above the limit"
        case .tooDeep: "a reply's arrays are nested too deep"
        case .lineTooLong: "a line of a reply is above the limit"
        case .replyTooLong: "a reply is above the limit of its total length"
        case .reader(let words): "hiredis: \(words)"
        }
    }
}
