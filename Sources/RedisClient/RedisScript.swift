import Crypto
import WasmnetNet

/// A Lua script. Each server receives its source once and then its digest.
package struct RedisScript: Sendable, Hashable {
    package let source: String
    /// The SHA-1 of the source as 40 lowercase hexadecimal digits.
    package let digest: String

    package init(_ source: String) {
        self.source = source
        digest = Insecure.SHA1.hash(data: Array(source.utf8)).hexadecimal
    }

    /// `EVALSHA`, for servers that know the script.
    func byDigest(keys: [RedisArgument], arguments: [RedisArgument]) -> RedisCommand {
        command("EVALSHA", digest, keys, arguments)
    }

    /// `EVAL`, which also loads the script into the server.
    func bySource(keys: [RedisArgument], arguments: [RedisArgument]) -> RedisCommand {
        command("EVAL", source, keys, arguments)
    }

    private func command(
        _ name: RedisArgument, _ script: String, _ keys: [RedisArgument], _ arguments: [RedisArgument]
    ) -> RedisCommand {
        RedisCommand(
            [name, .string(script), RedisArgument(keys.count)] + keys + arguments,
            route: keys.first.map { .key($0) } ?? .any)
    }
}
