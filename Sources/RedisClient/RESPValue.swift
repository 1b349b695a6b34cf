package import NIOCore
import WasmnetNet

/// One reply of a Redis server in RESP2.
///
/// A null bulk string and a null array are both ``null``: no user of RESP2 needs the difference.
package enum RESPValue: Sendable, Equatable {
    /// A short text such as `OK`, without the line ending.
    case simpleString(String)
    /// An error answered by the server; nested inside an array it fails nothing by itself.
    case error(RedisServerError)
    /// A signed 64-bit number.
    case integer(Int64)
    /// Bytes of any value.
    case bulkString(ByteBuffer)
    /// No value.
    case null
    /// Any number of replies, of any kind.
    case array([RESPValue])
}

/// The text of an error reply, split at its first space.
package struct RedisServerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The whole line, e.g. `MOVED 3999 127.0.0.1:6381`.
    package let line: String

    package init(line: String) {
        self.line = line
    }

    /// The first word, e.g. `MOVED`, `NOSCRIPT` or `ERR`.
    package var code: Substring {
        Substring(line.utf8.prefix { $0 != UInt8(ascii: " ") })
    }

    /// The words after the first, separated by spaces.
    package var arguments: [Substring] {
        ByteText(self.line).split(at: " ").filter { !$0.isEmpty }.dropFirst().map { Substring($0.text) }
    }

    /// For logs and terminals: escaped, so that a server's text cannot end its line.
    package var description: String { line.shown() }
}

extension RESPValue {
    /// The number of an integer, or of a string that contains only one in decimal.
    package var int64: Int64? {
        switch self {
        case .integer(let value): value
        case .simpleString, .bulkString: string.flatMap { Int64($0) }
        case .error, .null, .array: nil
        }
    }

    /// ``int64`` if it fits the machine's word.
    package var int: Int? {
        int64.flatMap { Int(exactly: $0) }
    }

    /// The text of a string reply; invalid UTF-8 is replaced by U+FFFD.
    package var string: String? {
        switch self {
        case .simpleString(let text): text
        case .bulkString(let bytes): String(buffer: bytes)
        case .error, .integer, .null, .array: nil
        }
    }

    /// The bytes of a string reply.
    package var bytes: ByteBuffer? {
        switch self {
        case .simpleString(let text): ByteBuffer(string: text)
        case .bulkString(let bytes): bytes
        case .error, .integer, .null, .array: nil
        }
    }

    /// The elements of an array.
    package var array: [RESPValue]? {
        if case .array(let elements) = self { return elements }
        return nil
    }

    /// The error, if the reply is one.
    package var serverError: RedisServerError? {
        if case .error(let error) = self { return error }
        return nil
    }
}

extension RESPValue: CustomStringConvertible {
    /// For a log: kinds and sizes, the text of errors and simple strings, never the bytes of a value.
    package var description: String {
        switch self {
        case .simpleString(let text): text
        case .error(let error): "(error) \(error)"
        case .integer(let value): "(integer) \(value)"
        case .bulkString(let bytes): "(\(bytes.readableBytes) bytes)"
        case .null: "(nil)"
        case .array(let elements): "(\(elements.count) elements)"
        }
    }
}
