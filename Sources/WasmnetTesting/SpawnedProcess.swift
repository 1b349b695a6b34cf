import CSpawn
import Dispatch
package import Foundation
import NIOConcurrencyHelpers

/// A program that runs as a separate process, from its start to its end.
///
/// Not Foundation's `Process`: on Linux that lists the open files before each start and copies 280 bytes of every
/// entry, even if the C library's buffer ends before, so a process with many open files crashes now and then
/// (swift-corelibs-foundation, `findMaximumOpenFromProcSelfFD`).
package final class SpawnedProcess: Sendable {
    package struct DidNotStart: Error {
        package let executable: String
        /// The value of `errno`.
        package let code: Int32
    }

    /// Its process id.
    package let id: Int32
    private let status = NIOLockedValueBox<Int32?>(nil)
    private let gone = DispatchGroup()

    /// Starts it. It inherits only the three given files; a missing one is replaced by `/dev/null`.
    ///
    /// - Parameters:
    ///   - executable: a path, or a name on the search path.
    ///   - environment: in addition to, or overriding, that of this process.
    ///   - directory: its working directory; that of this process when nil.
    package init(
        _ executable: String, _ arguments: [String] = [], environment: [String: String] = [:],
        directory: String? = nil, input: FileHandle? = nil, output: FileHandle? = nil, errors: FileHandle? = nil
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, handle) in [input, output, errors].enumerated() {
            if let handle {
                posix_spawn_file_actions_adddup2(&actions, handle.fileDescriptor, Int32(number))
            } else {
                posix_spawn_file_actions_addopen(&actions, Int32(number), "/dev/null", O_RDWR, 0)
            }
        }
        posix_spawn_file_actions_addclosefrom_np(&actions, 3)
        if let directory { posix_spawn_file_actions_addchdir_np(&actions, directory) }
        // The defaults of a new program: this process ignores SIGPIPE, for example.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let words = ([executable] + arguments).map { strdup($0) }
        let settings = variables.map { strdup("\($0)=\($1)") }
        defer { for text in words + settings { free(text) } }
        var id = pid_t()
        let code = posix_spawnp(&id, executable, &actions, &attributes, words + [nil], settings + [nil])
        guard code == 0 else { throw DidNotStart(executable: executable, code: code) }
        self.id = id
        self.gone.enter()
        Thread.detachNewThread { [id, status, gone] in
            // Wait for its end, then, while no one can signal it, for its status: its id may be reused afterwards.
            var information = siginfo_t()
            while waitid(P_PID, id_t(id), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
            status.withLockedValue { status in
                var word: Int32 = 0
                while waitpid(id, &word, 0) < 0, errno == EINTR {}
                status = word & 0x7f == 0 ? word >> 8 & 0xff : 128 + word & 0x7f
            }
            gone.leave()
        }
    }

    package var isRunning: Bool { self.status.withLockedValue { $0 == nil } }

    /// Stops, continues or ends it; no effect when it has ended.
    package func signal(_ number: Int32) {
        self.status.withLockedValue { status in
            if status == nil { kill(self.id, number) }
        }
    }

    /// Blocks until it has ended.
    ///
    /// - Returns: its exit code, or 128 plus the number of the signal that ended it.
    @discardableResult
    package func wait() -> Int32 {
        self.gone.wait()
        return self.status.withLockedValue { $0 ?? -1 }
    }

    /// Waits, without blocking, until it has ended.
    package func end() async -> Int32 {
        await withCheckedContinuation { continuation in
            self.gone.notify(queue: .global()) { continuation.resume(returning: self.wait()) }
        }
    }
}
