package import NIOCore

/// Writes commands as arrays of bulk strings, the only binary-safe form for a Redis server.
package enum RESPEncoder {
    package static func encode(_ command: RedisCommand, into buffer: inout ByteBuffer) {
        writeHeader("*", command.arguments.count, into: &buffer)
        for argument in command.arguments {
            switch argument {
            case .string(let text):
                writeHeader("$", text.utf8.count, into: &buffer)
                buffer.writeString(text)
            case .bytes(let bytes):
                writeHeader("$", bytes.readableBytes, into: &buffer)
                buffer.writeImmutableBuffer(bytes)
            case .integer(let value):
                let text = String(value)
                writeHeader("$", text.utf8.count, into: &buffer)
                buffer.writeString(text)
            }
            buffer.writeStaticString("\r\n")
        }
    }

    private static func writeHeader(_ type: StaticString, _ length: Int, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(type)
        buffer.writeString(String(length))
        buffer.writeStaticString("\r\n")
    }
}
