package import NIOCore

/// One word of a command: arbitrary bytes.
package enum RedisArgument: Sendable, Equatable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByStringInterpolation
{
    case string(String)
    case bytes(ByteBuffer)
    case integer(Int64)

    package init(stringLiteral value: String) {
        self = .string(value)
    }

    package init(integerLiteral value: Int64) {
        self = .integer(value)
    }

    package init(_ value: Int) {
        self = .integer(Int64(value))
    }

    package init(_ value: String) {
        self = .string(value)
    }
}

/// A command and its routing.
///
/// ```swift
/// let command: RedisCommand = ["SET", "greeting", "hello", "PX", 1500]
/// ```
///
/// Its description does not show its words, which may be secrets.
package struct RedisCommand: Sendable, Equatable, ExpressibleByArrayLiteral {
    /// The node of a Redis Cluster that a command goes to. Ignored for a single server.
    package enum Route: Sendable, Equatable {
        /// The node that holds this key.
        case key(RedisArgument)
        /// The key is the word after the command's name; a command of one word goes to any node.
        case firstArgument
        /// Any node.
        case any
    }

    package var arguments: [RedisArgument]
    package var route: Route

    package init(_ arguments: [RedisArgument], route: Route = .firstArgument) {
        self.arguments = arguments
        self.route = route
    }

    package init(arrayLiteral elements: RedisArgument...) {
        self.init(elements)
    }
}

extension RedisCommand: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The command's name and the number of its words.
    package var description: String {
        guard case .string(let name)? = arguments.first else { return "command" }
        return "\(name) (\(arguments.count) words)"
    }

    package var debugDescription: String { description }

    package var customMirror: Mirror { Mirror(self, children: EmptyCollection()) }
}
