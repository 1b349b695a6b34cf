import CLinux
import Glibc

/// An object with a file descriptor, notified when it can be read or written.
protocol ReactorHandler: AnyObject {
    func ready(readable: Bool, writable: Bool)
}

/// An epoll loop on one thread: the whole load generator, clients and targets alike, runs on it.
final class Reactor {
    private struct Slot {
        var handler: (any ReactorHandler)?
        var generation: UInt32 = 0
        var interest: UInt32 = 0
    }

    private let epoll: Int32
    private var slots: [Slot] = []
    private var events = [epoll_event](repeating: epoll_event(), count: 512)

    /// Called on each turn; while it is set, a turn waits at most a millisecond.
    var onTurn: (() -> Void)?

    init() {
        self.epoll = epoll_create1(0)
    }

    deinit { Glibc.close(self.epoll) }

    func add(_ descriptor: Int32, reading: Bool, writing: Bool, _ handler: any ReactorHandler) {
        while self.slots.count <= Int(descriptor) { self.slots.append(Slot()) }
        self.slots[Int(descriptor)].handler = handler
        self.slots[Int(descriptor)].generation &+= 1
        self.control(EPOLL_CTL_ADD, descriptor, reading, writing)
    }

    func change(_ descriptor: Int32, reading: Bool, writing: Bool) {
        let interest = Self.mask(reading, writing)
        guard self.slots[Int(descriptor)].interest != interest else { return }
        self.control(EPOLL_CTL_MOD, descriptor, reading, writing)
    }

    /// Forgets and closes it; pending notifications are dropped.
    func remove(_ descriptor: Int32) {
        self.slots[Int(descriptor)].handler = nil
        self.slots[Int(descriptor)].interest = 0
        Glibc.close(descriptor)
    }

    /// Turns until `isDone`, or until this many seconds have passed.
    /// - Returns: Whether it is done.
    @discardableResult
    func run(seconds: Double, until isDone: () -> Bool = { false }) -> Bool {
        let end = Clock.now + UInt64(seconds * 1e9)
        while !isDone() {
            let now = Clock.now
            guard now < end else { return false }
            let wait = self.onTurn == nil ? min(100, Int32((end - now) / 1_000_000) + 1) : 1
            self.turn(waiting: wait)
        }
        return true
    }

    private func turn(waiting milliseconds: Int32) {
        let count = epoll_wait(self.epoll, &self.events, Int32(self.events.count), milliseconds)
        for index in 0..<max(0, Int(count)) {
            let event = self.events[index]
            let descriptor = Int(event.data.u64 & 0xFFFF_FFFF)
            let slot = self.slots[descriptor]
            guard UInt64(slot.generation) == event.data.u64 >> 32, let handler = slot.handler else { continue }
            let broken = event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
            handler.ready(
                readable: event.events & EPOLLIN.rawValue != 0 || (broken && slot.interest & EPOLLIN.rawValue != 0),
                writable: event.events & EPOLLOUT.rawValue != 0 || broken)
        }
        self.onTurn?()
    }

    private func control(_ operation: Int32, _ descriptor: Int32, _ reading: Bool, _ writing: Bool) {
        let interest = Self.mask(reading, writing)
        self.slots[Int(descriptor)].interest = interest
        var event = epoll_event()
        event.events = interest
        event.data.u64 = UInt64(self.slots[Int(descriptor)].generation) << 32 | UInt64(descriptor)
        epoll_ctl(self.epoll, operation, descriptor, &event)
    }

    private static func mask(_ reading: Bool, _ writing: Bool) -> UInt32 {
        (reading ? EPOLLIN.rawValue : 0) | (writing ? EPOLLOUT.rawValue : 0)
    }
}

/// The monotonic clock, in nanoseconds.
enum Clock {
    static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
