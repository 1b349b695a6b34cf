import WasmnetNet
import CLinux
import Glibc
import NIOCore

/// Notifies event loops when descriptors that are not NIO's have something to read, or an error. One thread serves the process.
final class ReadinessWatch: Sendable {
    private static let only = Guarded<ReadinessWatch?>(nil)

    /// The process's instance, created on first use.
    static func shared() throws -> ReadinessWatch {
        try self.only.withLock { only in
            if let only { return only }
            let made = try ReadinessWatch()
            only = made
            return made
        }
    }

    private struct Entry: Sendable {
        var loop: any EventLoop
        var ready: @Sendable () -> Void
    }

    private let poller: CInt
    private let entries = Guarded<(last: UInt64, live: [UInt64: Entry])>((0, [:]))

    private init() throws {
        self.poller = epoll_create1(CInt(EPOLL_CLOEXEC))
        guard self.poller >= 0 else { throw IOError(errnoCode: errno, reason: "epoll_create1") }
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { watch in
                if let watch { Unmanaged<ReadinessWatch>.fromOpaque(watch).takeRetainedValue().run() }
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        guard code == 0 else {
            Glibc.close(self.poller)
            throw IOError(errnoCode: code, reason: "pthread_create")
        }
    }

    /// Calls `ready` on the loop once after each ``arm(_:_:)``. Returns the token that the other methods take.
    func add(_ descriptor: CInt, on loop: any EventLoop, ready: @escaping @Sendable () -> Void) throws -> UInt64 {
        // A descriptor's number is soon reused; the token is not.
        let token = self.entries.withLock { entries in
            entries.last += 1
            entries.live[entries.last] = Entry(loop: loop, ready: ready)
            return entries.last
        }
        var event = epoll_event(events: EPOLLONESHOT.rawValue, data: epoll_data_t(u64: token))
        guard epoll_ctl(self.poller, EPOLL_CTL_ADD, descriptor, &event) == 0 else {
            let code = errno
            _ = self.entries.withLock { $0.live.removeValue(forKey: token) }
            throw IOError(errnoCode: code, reason: "epoll_ctl")
        }
        return token
    }

    func arm(_ descriptor: CInt, _ token: UInt64) {
        var event = epoll_event(events: EPOLLIN.rawValue | EPOLLONESHOT.rawValue, data: epoll_data_t(u64: token))
        _ = epoll_ctl(self.poller, EPOLL_CTL_MOD, descriptor, &event)
    }

    /// Must be called before the descriptor is closed.
    func remove(_ descriptor: CInt, _ token: UInt64) {
        var event = epoll_event()
        _ = epoll_ctl(self.poller, EPOLL_CTL_DEL, descriptor, &event)
        _ = self.entries.withLock { $0.live.removeValue(forKey: token) }
    }

    private func run() {
        let most = 64
        var events = [epoll_event](repeating: epoll_event(), count: most)
        while true {
            let count = epoll_wait(self.poller, &events, CInt(most), -1)
            guard count > 0 else { continue }
            for event in events.prefix(Int(count)) {
                let entry = self.entries.withLock { [token = event.data.u64] in $0.live[token] }
                guard let entry else { continue }
                entry.loop.execute(entry.ready)
            }
        }
    }
}
