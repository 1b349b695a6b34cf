import Dispatch
import Glibc
import NIOCore
import NIOPosix
import RedisClient
import Synchronization
import WasmnetCluster
import WasmnetQuota

/// The benchmark's own redis-server, and a connection to it.
final class RedisProbe {
    private let server: Proxy
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let client: RedisClient

    var port: UInt16 { self.server.port }
    var cpuSeconds: Double { self.server.cpuSeconds }

    init() throws {
        self.server = try .redis()
        var options = RedisClientOptions(clientName: "wasmnet-bench")
        options.commandDeadline = .seconds(10)
        self.client = try RedisClient(
            RedisURL("redis://127.0.0.1:\(self.server.port)"), options: options, group: self.group)
    }

    /// Microseconds since the Unix epoch, as the server on this machine has it.
    static var time: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    /// The data of an empty server begins, and there is no other node: growth is no longer held back.
    func begin() throws {
        let ledger = RedisLedger(
            redis: self.client, settings: ClusterSettings { QuotaInstant(microseconds: Self.time) })
        let failure = Mutex<(any Error)?>(nil)
        Self.wait {
            do { try await ledger.learnGenerations(isAlone: true) } catch { failure.withLock { $0 = error } }
        }
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    private static func wait(_ body: @escaping @Sendable () async -> Void) {
        let done = DispatchSemaphore(value: 0)
        Task {
            await body()
            done.signal()
        }
        done.wait()
    }

    func stop() {
        Self.wait { [client] in await client.close() }
        try? self.group.syncShutdownGracefully()
        self.server.stop()
    }

    /// Scripts that it was asked to run, by digest or source. A script's own calls count under other names.
    func calls() throws -> Int {
        try self.info("commandstats") { line in
            guard line.hasPrefix("cmdstat_eval:calls=") || line.hasPrefix("cmdstat_evalsha:calls=") else { return nil }
            return Int(line.split(separator: "=")[1].prefix { $0 != "," })
        }
    }

    /// Bytes that it holds for data and everything else, as it counts them.
    func usedMemory() throws -> Int {
        try self.info("memory") { $0.hasPrefix("used_memory:") ? Int($0.dropFirst(12)) : nil }
    }

    /// The sum of a value over the lines of a section.
    private func info(_ section: String, _ read: (Substring) -> Int?) throws -> Int {
        let text = try self.client.submit(["INFO", .string(section)]).wait().string ?? ""
        return text.split(whereSeparator: \.isNewline).compactMap(read).reduce(0, +)
    }
}
