import Foundation

/// The two sides of a comparison under one policy: a node that keeps limits itself, and one that shares them in a Redis.
final class Sides {
    let alone: Field
    let shared: Field
    let redis: RedisProbe

    private init(_ policy: BenchPolicy, executable: String, directory: URL) throws {
        let file = directory.appendingPathComponent("policy.toml")
        try policy.text.write(to: file, atomically: true, encoding: .utf8)
        self.redis = try RedisProbe()
        self.alone = try Field(NodeSetup(executable: executable, policy: file.path))
        self.shared = try Field(NodeSetup(executable: executable, policy: file.path, redis: self.redis.port))
        self.shared.countCalls = { [redis] in try redis.calls() }
    }

    /// Both sides while `body` runs; the nodes start when they are first used.
    static func with<Result>(_ policy: BenchPolicy, executable: String, _ body: (Sides) throws -> Result) throws
        -> Result
    {
        let directory = try Proxy.temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let sides = try Sides(policy, executable: executable, directory: directory)
        defer {
            sides.alone.stop()
            sides.shared.stop()
            sides.redis.stop()
        }
        return try body(sides)
    }
}
