import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RedisClient
import Testing
import WasmnetPolicy
import WasmnetTesting

@testable import WasmnetCluster
import WasmnetNet

/// The tests that need a redis-server, one after the other: each starts its own.
@Suite(.serialized) enum DenylistOnRedis {}

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
let listSeed: UInt64 = 0x4445_4E59_4C49_5354
let listStart = UnixTime(milliseconds: 1_790_000_000_000)

func seeded(_ part: UInt64 = 0) -> SeededRandom { SeededRandom(listSeed &+ part) }

func subject(_ text: String) throws -> DenylistSubject { try DenylistSubject(text) }

/// Addresses of one network; each number has its own.
func someEntries(_ count: Int, _ network: Int = 1) throws -> [DenylistEntry] {
    try (0..<count).map { DenylistEntry(try subject("10.\(network).\($0 / 250).\($0 % 250)")) }
}

extension RedisServer {
    /// The clients' settings in a test: deadlines that a busy machine keeps, and quick retries.
    static var options: RedisClientOptions {
        var options = RedisClientOptions(commandDeadline: .seconds(20), maxInFlight: 200_000)
        options.backoff = Backoff(base: .milliseconds(1), cap: .milliseconds(20))
        return options
    }

    static func client(_ url: RedisURL) async throws -> RedisClient {
        let client = try RedisClient(
            url, options: Self.options, group: MultiThreadedEventLoopGroup.singleton)
        try? await client.connect()
        return client
    }

    static func url(port: Int) -> RedisURL { RedisURL(topology: .single(.host("127.0.0.1", port: port))) }
}

/// The denylist part of a node: the list in force, and the feed that keeps it.
final class Node: Sendable {
    let inForce = ActiveDenylist(systemTime: listStart)
    let redis: RedisClient
    private let task: Task<Void, any Error>
    private let lists: AsyncStream<DenylistUpdate>
    private let source: AsyncStream<DenylistUpdate>.Continuation

    init(
        _ url: RedisURL, interval: Duration = .seconds(5), deadline: TimeAmount = .seconds(5),
        nodesChanged: @escaping @Sendable (NodeRegistry.Change) -> Void = { _ in }
    ) async throws {
        self.redis = try await RedisServer.client(url)
        (self.lists, self.source) = AsyncStream.makeStream()
        let source = self.source
        self.inForce.observe { source.yield($0) }
        let feed = DenylistFeed(
            redis: self.redis, options: RedisServer.options, to: self.inForce, interval: interval, deadline: deadline,
            nodesChanged: nodesChanged, group: MultiThreadedEventLoopGroup.singleton, logger: quiet)
        self.task = Task { try await feed.run() }
    }

    /// The list in force once it is the one that a test waits for.
    ///
    /// - Throws: if that takes too long.
    @discardableResult
    func list(
        within time: Duration = .seconds(30), _ fits: @escaping @Sendable (Denylist) -> Bool
    ) async throws -> Denylist {
        try await withTimeout(time) { [inForce] in
            // The observers are notified of changes only.
            while !(inForce.isLoaded && fits(inForce.list)) { try await Task.sleep(for: .milliseconds(1)) }
            return inForce.list
        }
    }

    /// Waits for how sure the node is of its list.
    func freshness(within time: Duration = .seconds(30), _ fits: @escaping @Sendable (DenylistFreshness) -> Bool)
        async throws
    {
        try await withTimeout(time) { [inForce] in
            while !fits(inForce.freshness) { try await Task.sleep(for: .milliseconds(1)) }
        }
    }

    /// The changes of the list that its observer received, from the first on.
    var updates: AsyncStream<DenylistUpdate> { self.lists }

    func stop() async {
        self.task.cancel()
        _ = await self.task.result
        self.source.finish()
        await self.redis.close()
    }
}

struct TookTooLong: Error {}

func withTimeout<Value: Sendable>(
    _ time: Duration, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: time)
            throw TookTooLong()
        }
        defer { group.cancelAll() }
        guard let value = try await group.next() else { throw TookTooLong() }
        return value
    }
}

/// Runs a test with a node and stops it in any case.
func withNode(
    port: Int, interval: Duration = .seconds(5), deadline: TimeAmount = .seconds(5),
    nodesChanged: @escaping @Sendable (NodeRegistry.Change) -> Void = { _ in }, _ body: (Node) async throws -> Void
) async throws {
    try await withNode(
        RedisServer.url(port: port), interval: interval, deadline: deadline, nodesChanged: nodesChanged, body)
}

func withNode(
    _ url: RedisURL, interval: Duration = .seconds(5), deadline: TimeAmount = .seconds(5),
    nodesChanged: @escaping @Sendable (NodeRegistry.Change) -> Void = { _ in }, _ body: (Node) async throws -> Void
) async throws {
    let node = try await Node(url, interval: interval, deadline: deadline, nodesChanged: nodesChanged)
    do {
        try await body(node)
    } catch {
        await node.stop()
        throw error
    }
    await node.stop()
}

extension RedisClient {
    /// The server's raw answer to a command of the test.
    @discardableResult
    func run(_ words: RedisArgument...) async throws -> RESPValue { try await self.send(RedisCommand(words)) }
}

extension Denylist {
    var texts: [String] { self.sorted().map(\.description) }
}
