import Dispatch
import NIOCore
import NIOPosix
import RedisClient

/// A redis-server of the benchmark's own, and a connection to it.
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

    func stop() {
        let closed = DispatchSemaphore(value: 0)
        Task { [client] in
            await client.close()
            closed.signal()
        }
        closed.wait()
        try? self.group.syncShutdownGracefully()
        self.server.stop()
    }

    /// Scripts that it was asked to run, by digest or source. What a script calls itself counts under other names.
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

    /// The sum of what is read off the lines of a section.
    private func info(_ section: String, _ read: (Substring) -> Int?) throws -> Int {
        let text = try self.client.submit(["INFO", .string(section)]).wait().string ?? ""
        return text.split(whereSeparator: \.isNewline).compactMap(read).reduce(0, +)
    }
}
