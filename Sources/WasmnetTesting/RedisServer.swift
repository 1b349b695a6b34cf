import Foundation
import NIOCore
import NIOPosix

/// A test's own redis-server (or sentinel), on 127.0.0.1.
package final class RedisServer: Sendable {
    package let port: Int
    package let directory: String
    private let process: ChildProcess
    private let readyLine: String

    private init(port: Int, directory: String, arguments: [String], readyLine: String) {
        self.port = port
        self.directory = directory
        self.readyLine = readyLine
        self.process = ChildProcess("redis-server", arguments)
    }

    /// Starts a server and returns once it says it is ready.
    ///
    /// - Parameters:
    ///   - configuration: lines of a configuration file; `PORT` and `DIR` stand for the port and the directory.
    ///   - port: nil for a free one.
    package static func start(
        _ configuration: String = "port PORT", sentinel: Bool = false, port: Int? = nil
    ) async throws -> RedisServer {
        let port = if let port { port } else { try await self.freePort() }
        let directory = NSTemporaryDirectory() + "redis-test-\(port)-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let lines = """
            \(configuration)
            bind 127.0.0.1
            dir DIR
            save ""
            logfile ""
            daemonize no

            """
            .replacingOccurrences(of: "PORT", with: String(port))
            .replacingOccurrences(of: "DIR", with: directory)
        let path = directory + "/server.conf"
        try lines.write(toFile: path, atomically: true, encoding: .utf8)
        let server = RedisServer(
            port: port, directory: directory, arguments: [path] + (sentinel ? ["--sentinel"] : []),
            readyLine: sentinel ? "Sentinel ID is" : "eady to accept connections")
        do {
            try await server.launch()
        } catch {
            await server.stop()
            throw error
        }
        return server
    }

    /// What it has printed since it was launched.
    package var output: OutputLog { self.process.output }

    /// Starts it again on its port after ``kill()``.
    package func launch() async throws { try await self.process.launch(until: self.readyLine) }

    /// SIGKILL; returns once it is gone.
    package func kill() async { await self.process.kill() }

    /// It answers nothing until ``resume()``; its connections stay.
    package func pause() { self.process.signal(SIGSTOP) }

    package func resume() { self.process.signal(SIGCONT) }

    package func stop() async {
        await self.kill()
        try? FileManager.default.removeItem(atPath: self.directory)
    }

    /// A port without a listener.
    package static func freePort() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        guard let port = channel.localAddress?.port else { throw ChannelError.eof }
        try await channel.close()
        return port
    }
}

/// Runs a test against its own server and stops that whatever happens.
@discardableResult
package func withServer<Result>(
    _ configuration: String = "port PORT", _ body: (RedisServer) async throws -> Result
) async throws -> Result {
    let server = try await RedisServer.start(configuration)
    do {
        let result = try await body(server)
        await server.stop()
        return result
    } catch {
        await server.stop()
        throw error
    }
}
