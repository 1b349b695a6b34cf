import Foundation
import Glibc
import NIOCore
import NIOPosix

/// A program for a test: `openssl`, `redis-server`, `curl`. It is ended by its own process id, whatever the test's result.
///
/// Foundation's `Process` is not used: its children can inherit the pipes of others that start at the same time, and then no end of
/// output is seen.
final class PeerProcess: Sendable {
    let id: pid_t
    private let output: PeerOutput
    private let input: Int32

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private init(id: pid_t, output: PeerOutput, input: Int32) {
        self.id = id
        self.output = output
        self.input = input
    }

    /// Whether a program is in one of the directories of `PATH`.
    static func isInstalled(_ program: String) -> Bool {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return path.split(separator: ":").contains { access("\($0)/\(program)", X_OK) == 0 }
    }

    /// Runs `body` beside the program, and ends the program afterwards.
    static func with<T>(
        _ program: String, _ arguments: [String], in directory: String? = nil,
        _ body: (PeerProcess) async throws -> T
    ) async throws -> T {
        let peer = try await Self.start(program, arguments, in: directory)
        do {
            let result = try await body(peer)
            await peer.end()
            return result
        } catch {
            await peer.end()
            throw error
        }
    }

    /// Runs the program to its end and returns its output; fails if it exits with another status than 0.
    @discardableResult
    static func run(_ program: String, _ arguments: [String], in directory: String? = nil) async throws -> String {
        try await Self.with(program, arguments, in: directory) { peer in
            peer.closeInput()
            let text = try await peer.wholeOutput()
            let status = await peer.exitStatus()
            guard status == 0 else { throw Failure(description: "\(program) exited with \(status): \(text)") }
            return text
        }
    }

    private static func start(
        _ program: String, _ arguments: [String], in directory: String?
    ) async throws -> PeerProcess {
        let toPeer = try Self.pair()
        defer { Glibc.close(toPeer.theirs) }
        let fromPeer: (ours: Int32, theirs: Int32)
        do {
            fromPeer = try Self.pair()
        } catch {
            Glibc.close(toPeer.ours)
            throw error
        }
        let id = Self.spawn(program, arguments, directory, input: toPeer.theirs, output: fromPeer.theirs)
        Glibc.close(fromPeer.theirs)
        guard let id else {
            Glibc.close(toPeer.ours)
            Glibc.close(fromPeer.ours)
            throw Failure(description: "\(program) cannot be started")
        }
        do {
            let output = try await PeerOutput.reading(fromPeer.ours)
            return PeerProcess(id: id, output: output, input: toPeer.ours)
        } catch {
            kill(id, SIGKILL)
            waitpid(id, nil, 0)
            Glibc.close(toPeer.ours)
            throw error
        }
    }

    /// A stream that no child inherits by accident.
    private static func pair() throws -> (ours: Int32, theirs: Int32) {
        var ends: [Int32] = [-1, -1]
        let type = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw Failure(description: "no socket pair") }
        return (ends[0], ends[1])
    }

    private static func spawn(
        _ program: String, _ arguments: [String], _ directory: String?, input: Int32, output: Int32
    ) -> pid_t? {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        for entry in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? [] {
            if let descriptor = Int32(entry), descriptor > 2 {
                posix_spawn_file_actions_addclose(&actions, descriptor)
            }
        }
        // A program's defaults, regardless of how this process was started.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        // `env` becomes the program, under the same id.
        let command = (directory.map { ["env", "-C", $0] } ?? []) + [program] + arguments
        let words = command.map { strdup($0) } + [nil]
        let variables = ProcessInfo.processInfo.environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in words + variables { free(text) } }
        var id: pid_t = 0
        return posix_spawnp(&id, command[0], &actions, &attributes, words, variables) == 0 ? id : nil
    }

    // MARK: Input and output

    /// Waits until a text is in the program's output, including standard error; fails at the end of output or after `timeout`.
    @discardableResult
    func output(until text: String, timeout: TimeAmount = .seconds(20)) async throws -> String {
        try await self.output.text(timeout: timeout) { $0.contains(text) }
    }

    /// Everything the program wrote, once it has closed its output.
    func wholeOutput(timeout: TimeAmount = .seconds(20)) async throws -> String {
        try await self.output.text(timeout: timeout, until: nil)
    }

    /// Writes a few bytes to the program's standard input; more than a pipe holds would block.
    func write(_ text: String) throws {
        let count = text.utf8.count
        guard Glibc.write(self.input, text, count) == count else { throw Failure(description: "a short write") }
    }

    /// Ends the program's standard input, once.
    func closeInput() { self.output.once("input") { _ = Glibc.close(self.input) } }

    /// Waits for the end of a program that has closed its output: 128 and the signal's number if a signal ended it.
    func exitStatus() async -> Int32 {
        let id = self.id
        let status = try? await NIOThreadPool.singleton.runIfActive { () -> Int32 in
            var info = siginfo_t()
            // The zombie is kept, so that the id stays this program's until the test is over.
            guard waitid(P_PID, id_t(id), &info, WEXITED | WNOWAIT) == 0 else { return -1 }
            return info.si_code == CLD_EXITED ? info._sifields._sigchld.si_status : 128
        }
        return status ?? -1
    }

    private func end() async {
        kill(self.id, SIGKILL)
        self.closeInput()
        let id = self.id
        _ = try? await NIOThreadPool.singleton.runIfActive { waitpid(id, nil, 0) }
        await self.output.close()
    }
}
