import NIOCore

/// The common form of every binary message, `[1 byte type][8 bytes socket id, big-endian][payload]`, and a reader
/// for its payload. Each read that fails throws with the socket id.
struct BinaryMessage {
    static let headerLength = 9

    let type: UInt8
    let id: SocketID
    /// The unread rest: a slice of the message, not a copy.
    private(set) var payload: ByteBuffer

    init(_ message: ByteBuffer) throws(MalformedMessage) {
        let start = message.readerIndex
        let length = message.readableBytes - Self.headerLength
        guard let type = message.getInteger(at: start, as: UInt8.self),
            let id = message.getInteger(at: start + 1, as: UInt64.self),
            let payload = message.getSlice(at: start + Self.headerLength, length: length)
        else { throw MalformedMessage("message shorter than its 9 bytes of type and id") }
        self.type = type
        self.id = id
        self.payload = payload
    }

    func fail(_ problem: String) -> MalformedMessage { MalformedMessage(id: id, problem) }

    mutating func integer<T: FixedWidthInteger>(_ field: StaticString, as type: T.Type = T.self)
        throws(MalformedMessage)
        -> T
    {
        guard let value = payload.readInteger(as: type) else { throw fail("message too short for \(field)") }
        return value
    }

    /// The rest as text.
    mutating func text(_ field: StaticString) throws(MalformedMessage) -> String {
        try text(field, length: payload.readableBytes)
    }

    mutating func text(_ field: StaticString, length: Int) throws(MalformedMessage) -> String {
        guard let bytes = payload.readSlice(length: length) else { throw fail("message too short for \(field)") }
        let text = bytes.withUnsafeReadableBytes { String(validating: $0, as: UTF8.self) }
        guard let text else { throw fail("\(field) is not UTF-8") }
        return text
    }

    /// A host or name of a request, limited to ``WireLimits/address``.
    mutating func address(_ field: StaticString, length: Int? = nil) throws(MalformedMessage) -> String {
        let length = length ?? payload.readableBytes
        guard length <= WireLimits.address else {
            throw fail("\(field) is longer than \(WireLimits.address) bytes")
        }
        return try text(field, length: length)
    }

    /// Fails if anything is left.
    func end(_ name: StaticString) throws(MalformedMessage) {
        guard payload.readableBytes == 0 else {
            throw fail("\(name) has \(payload.readableBytes) bytes too many")
        }
    }
}

extension ByteBuffer {
    mutating func writeHeader(request type: RequestType, _ id: SocketID) {
        writeMultipleIntegers(type.rawValue, id)
    }

    mutating func writeHeader(event type: EventType, _ id: SocketID) {
        writeMultipleIntegers(type.rawValue, id)
    }

    /// The bytes of `payload`, whose reader index stays.
    mutating func writePayload(_ payload: ByteBuffer) {
        writeImmutableBuffer(payload)
    }
}

/// Two hexadecimal digits, as in the tables of types.
func hexByte(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16)
    return digits.utf8.count == 1 ? "0x0\(digits)" : "0x\(digits)"
}
