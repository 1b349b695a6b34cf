import Foundation

/// A node on its own processor whose memory is watched, and whose log is read and counted.
final class WatchedNode {
    let port: UInt16
    private let process = Process()
    private let log: ChildOutput

    /// - Parameters:
    ///   - processor: The number of the processor that it runs on.
    ///   - policy: A file.
    init(executable: String, processor: Int, policy: String, on reactor: Reactor) throws {
        self.port = try Sockets.freePort()
        let pipe = Pipe()
        self.process.executableURL = URL(fileURLWithPath: "/usr/bin/taskset")
        self.process.arguments = [
            "--cpu-list", "\(processor)", executable, "serve", "--port", "\(self.port)", "--threads", "1",
            "--drain-timeout", "0", "--admin-port", "\(try Sockets.freePort())", "--policy", policy,
        ]
        self.process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("WASMNET_") }
        self.process.standardOutput = pipe
        self.process.standardError = pipe
        self.log = ChildOutput(pipe, on: reactor)
        try self.process.run()
        try? pipe.fileHandleForWriting.close()
        let deadline = Clock.now + 10_000_000_000
        while Clock.now < deadline, self.isRunning {
            if Sockets.answers(port: self.port) { return }
            reactor.run(seconds: 0.02)
        }
        self.stop()
        throw BenchError("the node does not listen:\n\(self.logTail)")
    }

    var isRunning: Bool { self.process.isRunning }
    var cpuSeconds: Double { ProcessMeter.cpuSeconds(of: self.process.processIdentifier) }
    var logLines: Int { self.log.lines }
    /// Those that the access log has for sockets that were open.
    var socketLines: Int { self.log.socketLines }
    var logTail: String { self.log.tail }

    /// Resident memory in bytes (`VmRSS` of proc(5)).
    var resident: Int { self.memory("VmRSS:") }
    /// The most it was since ``resetPeak()`` (`VmHWM`).
    var peak: Int { self.memory("VmHWM:") }

    func resetPeak() {
        try? Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/\(self.process.processIdentifier)/clear_refs"))
    }

    func stop() {
        if self.isRunning { self.process.terminate() }
        let deadline = Clock.now + 5_000_000_000
        while self.isRunning, Clock.now < deadline { usleep(10_000) }
        if self.isRunning { kill(self.process.processIdentifier, SIGKILL) }
        self.process.waitUntilExit()
        self.log.stop()
    }

    private func memory(_ name: String) -> Int {
        let file = FileManager.default.contents(atPath: "/proc/\(self.process.processIdentifier)/status") ?? Data()
        let line = String(decoding: file, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix(name) }
        return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) << 10
    }
}

/// A child process's output, read as it arrives so that it never waits.
final class ChildOutput: ReactorHandler {
    private static let tailSize = 2048
    private static let socketLine = [UInt8](" socket ended ".utf8)

    private let descriptor: Int32
    private let reactor: Reactor
    private var part = [UInt8](repeating: 0, count: 64 << 10)
    private var last: [UInt8] = []
    private var isOpen = true
    private(set) var lines = 0
    private(set) var socketLines = 0

    /// The end of the output, at most 2 KiB.
    var tail: String { String(decoding: self.last, as: UTF8.self) }

    init(_ pipe: Pipe, on reactor: Reactor) {
        self.reactor = reactor
        self.descriptor = dup(pipe.fileHandleForReading.fileDescriptor)
        _ = fcntl(self.descriptor, F_SETFL, O_NONBLOCK)
        // The buffer while nothing is read, between two runs: F_SETPIPE_SZ, which the Glibc module lacks.
        _ = fcntl(self.descriptor, 1031, 1 << 20)
        reactor.add(self.descriptor, reading: true, writing: false, self)
    }

    func ready(readable: Bool, writable: Bool) {
        let count = read(self.descriptor, &self.part, self.part.count)
        if count > 0 {
            self.count(count)
            self.last = (self.last + self.part[..<count].suffix(Self.tailSize)).suffix(Self.tailSize)
        } else if count == 0 {
            self.stop()
        }
    }

    /// A line that is split by the end of a read does not count as a socket's; those are few.
    private func count(_ count: Int) {
        self.part.withUnsafeBytes { bytes in
            var start = 0
            while start < count, let base = bytes.baseAddress,
                let end = memchr(base + start, Int32(UInt8(ascii: "\n")), count - start)
            {
                let line = bytes[start..<UnsafeRawPointer(end) - base]
                self.lines += 1
                // The time and the level are before it.
                if line.dropFirst(29).starts(with: Self.socketLine) { self.socketLines += 1 }
                start += line.count + 1
            }
        }
    }

    func stop() {
        guard self.isOpen else { return }
        self.isOpen = false
        self.reactor.remove(self.descriptor)
    }
}
