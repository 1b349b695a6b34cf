import Foundation

/// The node to measure, and its configuration.
struct NodeSetup {
    var executable: String
    /// A file; nil: no policy.
    var policy: String?
    /// The port of a Redis that holds the limits; nil: the node itself.
    var redis: UInt16?
    var threads = 1

    fileprivate var flags: [String] {
        (self.policy.map { ["--policy", $0] } ?? ["--no-policy"])
            + (self.redis.map { ["--redis", "redis://127.0.0.1:\($0)"] } ?? [])
    }
}

/// A proxy under test, as a separate process on 127.0.0.1.
final class Proxy {
    let port: UInt16
    /// Of a node.
    let adminPort: UInt16?
    private let process: Process
    private let directory: URL?

    var cpuSeconds: Double { ProcessMeter.cpuSeconds(of: self.process.processIdentifier) }
    var residentBytes: Int { ProcessMeter.residentBytes(of: self.process.processIdentifier) }

    private init(process: Process, port: UInt16, adminPort: UInt16? = nil, directory: URL? = nil) {
        self.process = process
        self.port = port
        self.adminPort = adminPort
        self.directory = directory
    }

    func stop() {
        self.process.terminate()
        self.process.waitUntilExit()
        if let directory { try? FileManager.default.removeItem(at: directory) }
    }

    /// A node without a log line for each socket: HAProxy has none here.
    static func node(_ setup: NodeSetup) throws -> Proxy {
        let (port, adminPort) = (try Sockets.freePort(), try Sockets.freePort())
        let process = try self.start(
            setup.executable,
            [
                "serve", "--port", "\(port)", "--threads", "\(setup.threads)", "--drain-timeout", "0", "--log-level",
                "error", "--admin-port", "\(adminPort)",
            ] + setup.flags)
        return try Proxy(process: process, port: port, adminPort: adminPort).whenListening()
    }

    /// A redis-server that stores nothing on disk.
    static func redis() throws -> Proxy {
        let port = try Sockets.freePort()
        let directory = try self.temporaryDirectory()
        let process = try self.start(
            self.installed("redis-server"),
            ["--port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", directory.path])
        return try Proxy(process: process, port: port, directory: directory).whenListening()
    }

    /// HAProxy in TCP mode, one thread, as Debian ships it.
    static func haproxy(target: UInt16) throws -> Proxy {
        let port = try Sockets.freePort()
        let directory = try self.temporaryDirectory()
        let configuration = """
            global
              nbthread 1
              maxconn 9000
            defaults
              mode tcp
              timeout connect 5s
              timeout client 1h
              timeout server 1h
            listen bench
              bind 127.0.0.1:\(port) backlog 4096
              server target 127.0.0.1:\(target)

            """
        let file = directory.appendingPathComponent("haproxy.cfg")
        try configuration.write(to: file, atomically: true, encoding: .utf8)
        let process = try self.start(self.installed("haproxy"), ["-db", "-f", file.path])
        return try Proxy(process: process, port: port, directory: directory).whenListening()
    }

    /// websockify: one WebSocket carries one connection, and a process is forked for each.
    static func websockify(target: UInt16) throws -> Proxy {
        let port = try Sockets.freePort()
        let process = try self.start(self.installed("websockify"), ["127.0.0.1:\(port)", "127.0.0.1:\(target)"])
        return try Proxy(process: process, port: port).whenListening()
    }

    static func temporaryDirectory() throws -> URL {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
            "wasmnet-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        return directory
    }

    private static func start(_ executable: String, _ arguments: [String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        // Settings for a user's own node do not apply to these.
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("WASMNET_") }
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// Where Debian installs a program.
    private static func installed(_ name: String) throws -> String {
        let folders = ["/usr/sbin", "/usr/bin"]
        guard let folder = folders.first(where: { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") })
        else {
            throw BenchError("\(name) is not installed; `make bench` installs it")
        }
        return "\(folder)/\(name)"
    }

    private func whenListening() throws -> Proxy {
        let end = Clock.now + 10_000_000_000
        while Clock.now < end, self.process.isRunning {
            if Sockets.answers(port: self.port) { return self }
            usleep(10_000)
        }
        self.stop()
        throw BenchError("\(self.process.executableURL?.lastPathComponent ?? "a proxy") does not listen")
    }
}
