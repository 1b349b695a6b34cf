package import NIOCore

/// The type in the first byte of a frame (RFC 6455, section 5.2).
enum FrameKind: UInt8 {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    var isControl: Bool { self.rawValue >= 0x8 }
}

/// A WebSocket frame's header as received.
struct FrameHeader: Equatable {
    var kind: FrameKind
    var isFinal: Bool
    /// Payload bytes.
    var length: Int
    /// The masking key in memory order.
    var mask: UInt32
    /// Bytes the header itself takes.
    var headerLength: Int

    var totalLength: Int { self.headerLength + self.length }
}

/// Why a peer's bytes are not valid WebSocket frames by RFC 6455.
struct FrameError: Error, Equatable {
    var closeCode: CloseCode
    var message: String
}

/// WebSocket close codes in use here (RFC 6455, section 7.4.1).
package enum CloseCode: UInt16, Sendable {
    case normal = 1000
    case goingAway = 1001
    case protocolError = 1002
    /// Text that is not UTF-8 (RFC 6455, section 8.1).
    case notText = 1007
    case notAdmitted = 1008
    case tooLarge = 1009
    case tryLater = 1013

    /// The payload of a close frame with this code (RFC 6455, section 5.5.1). A control frame has at most 125 bytes (section 5.5), so a
    /// reason is cut to 123, between characters.
    package func payload(_ reason: String) -> ByteBuffer {
        let bytes = reason.utf8
        var end = bytes.index(bytes.startIndex, offsetBy: 123, limitedBy: bytes.endIndex) ?? bytes.endIndex
        while end.samePosition(in: reason) == nil { end = bytes.index(before: end) }
        var payload = ByteBuffer(integer: self.rawValue)
        payload.writeSubstring(reason[..<end])
        return payload
    }
}

/// Reads frame headers; a value without state.
struct FrameParser {
    /// Cap on one frame's payload, in bytes.
    let maxLength: Int

    enum Result: Equatable {
        /// This many bytes, counted from the frame's first, are needed to continue.
        case incomplete(needed: Int)
        case header(FrameHeader)
        case error(FrameError)
    }

    func parse(_ buffer: ByteBuffer) -> Result {
        buffer.withUnsafeReadableBytes { bytes in
            guard bytes.count >= 2 else { return .incomplete(needed: 2) }
            let first = bytes[0]
            let second = bytes[1]
            guard first & 0x70 == 0 else { return Self.broken("reserved bits are set, but no extension was agreed") }
            guard let kind = FrameKind(rawValue: first & 0x0F) else { return Self.broken("unknown opcode") }
            guard second & 0x80 != 0 else { return Self.broken("a client's frame must be masked") }
            let isFinal = first & 0x80 != 0
            let short = Int(second & 0x7F)
            if kind.isControl, !isFinal || short > 125 {
                return Self.broken("a control frame is one frame of at most 125 bytes")
            }
            let lengthBytes = short == 126 ? 2 : short == 127 ? 8 : 0
            let headerLength = 2 + lengthBytes + 4
            guard bytes.count >= headerLength else { return .incomplete(needed: headerLength) }
            var length = UInt64(short)
            if lengthBytes > 0 {
                length = 0
                for index in 0..<lengthBytes { length = length << 8 | UInt64(bytes[2 + index]) }
                guard length > (lengthBytes == 2 ? 125 : 65_535) else {
                    return Self.broken("a length is written in the fewest bytes")
                }
            }
            guard length <= UInt64(self.maxLength) else {
                return .error(FrameError(closeCode: .tooLarge, message: "a message is at most \(self.maxLength) bytes"))
            }
            let mask = bytes.loadUnaligned(fromByteOffset: headerLength - 4, as: UInt32.self)
            return .header(
                FrameHeader(
                    kind: kind, isFinal: isFinal, length: Int(length), mask: mask, headerLength: headerLength))
        }
    }

    private static func broken(_ message: String) -> Result {
        .error(FrameError(closeCode: .protocolError, message: message))
    }
}

/// Removes the mask from a payload (RFC 6455, section 5.3), eight bytes and more at a time.
///
/// `bytes` is modified in place: the caller must be its only reader.
@inline(__always)
func unmask(_ bytes: UnsafeMutableRawBufferPointer, with mask: UInt32) {
    guard mask != 0, let base = bytes.baseAddress else { return }
    let wide = UInt64(mask) << 32 | UInt64(mask)
    // One word a step and nothing else in the loop: the compiler vectorizes this, but not SIMD4's operators.
    let words = bytes.count / 8
    for index in 0..<words {
        let offset = index &* 8
        base.storeBytes(
            of: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ wide, toByteOffset: offset,
            as: UInt64.self)
    }
    var offset = words &* 8
    withUnsafeBytes(of: mask) { key in
        while offset < bytes.count {
            bytes[offset] ^= key[offset & 3]
            offset &+= 1
        }
    }
}

extension ByteBuffer {
    /// Appends the header of one unfragmented, unmasked frame.
    mutating func writeFrameHeader(_ kind: FrameKind, length: Int) {
        let first = 0x80 | kind.rawValue
        if length < 126 {
            self.writeMultipleIntegers(first, UInt8(length))
        } else if length <= 65_535 {
            self.writeMultipleIntegers(first, UInt8(126), UInt16(length))
        } else {
            self.writeMultipleIntegers(first, UInt8(127), UInt64(length))
        }
    }

    /// How many bytes ``writeFrameHeader(_:length:)`` writes.
    static func frameHeaderLength(payload length: Int) -> Int {
        length < 126 ? 2 : length <= 65_535 ? 4 : 10
    }
}
