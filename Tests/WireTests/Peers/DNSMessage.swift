import NIOCore

/// The part of DNS (RFC 1035, section 4) for one question and its answer.
enum DNSMessage {
    static let addressType: UInt16 = 1
    private static let internetClass: UInt16 = 1

    /// A question for the address of a name.
    static func query(id: UInt16, name: String) -> ByteBuffer {
        var message = ByteBuffer()
        // Recursion desired; one question, no records.
        message.writeMultipleIntegers(id, UInt16(0x0100), UInt16(1), UInt16(0), UInt16(0), UInt16(0))
        for label in name.split(separator: ".") {
            message.writeInteger(UInt8(label.utf8.count))
            message.writeString(String(label))
        }
        message.writeMultipleIntegers(UInt8(0), Self.addressType, Self.internetClass)
        return message
    }

    /// The answer to a question, with one address record valid for a minute.
    static func answer(to query: ByteBuffer, address: [UInt8]) -> ByteBuffer? {
        guard let (id, question) = Self.question(of: query) else { return nil }
        var message = ByteBuffer()
        // An answer, recursion desired and available; one question, one record.
        message.writeMultipleIntegers(id, UInt16(0x8180), UInt16(1), UInt16(1), UInt16(0), UInt16(0))
        message.writeImmutableBuffer(question)
        // The name is the question's, at offset 12 (section 4.1.4).
        message.writeMultipleIntegers(
            UInt16(0xC00C), Self.addressType, Self.internetClass, UInt32(60), UInt16(address.count))
        message.writeBytes(address)
        return message
    }

    /// The address in an answer to the question; nil if there is none.
    static func address(in answer: ByteBuffer, to query: ByteBuffer) -> [UInt8]? {
        var answer = answer
        guard let (id, question) = Self.question(of: query), answer.readInteger(as: UInt16.self) == id,
            answer.readInteger(as: UInt16.self) == 0x8180, answer.readInteger(as: UInt64.self) == 0x0001_0001_0000_0000,
            answer.readSlice(length: question.readableBytes) == question,
            answer.readBytes(length: 10)?.prefix(2) == [0xC0, 0x0C], let length = answer.readInteger(as: UInt16.self)
        else { return nil }
        return answer.readBytes(length: Int(length))
    }

    private static func question(of query: ByteBuffer) -> (id: UInt16, question: ByteBuffer)? {
        var query = query
        guard let id = query.readInteger(as: UInt16.self), query.readSlice(length: 10) != nil else { return nil }
        return (id, query)
    }
}
