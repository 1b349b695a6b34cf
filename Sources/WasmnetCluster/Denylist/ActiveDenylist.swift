package import NIOCore
package import WasmnetNet
package import WasmnetPolicy

/// The denylist in force on a node, and how current it is. One writer installs it; any thread may read it, at the cost of a brief
/// lock and a lookup.
package final class ActiveDenylist: Sendable {
    private struct State {
        var list = Denylist.empty
        var freshness = DenylistFreshness.starting
        /// When the list was last confirmed to match the store, in monotonic nanoseconds.
        var confirmed: Int64?
        var clock: DenylistClock
        var observers: [@Sendable (DenylistUpdate) -> Void] = []
        var whenLoaded: [@Sendable () -> Void] = []
        var mends: [DenylistMend: Int] = [:]
    }

    private let state: Guarded<State>

    /// - Parameter systemTime: the system's clock, used until the store's is known.
    package init(systemTime: UnixTime) {
        self.state = Guarded(State(clock: DenylistClock(system: systemTime)))
    }

    /// The list, and the time that expiries are compared with: what a policy decides by.
    package var view: DenylistView { self.state.withLock { DenylistView($0.list, at: $0.clock.now) } }
    package var list: Denylist { self.state.withLock { $0.list } }
    package var freshness: DenylistFreshness { self.state.withLock { $0.freshness } }
    /// Whether any list, even an empty one, was read: before that a node cannot know whom to deny.
    package var isLoaded: Bool { self.state.withLock { $0.confirmed != nil } }
    /// Calls back once a list, even an empty one, was read: at once, or on no event loop.
    package func whenLoaded(_ callback: @escaping @Sendable () -> Void) {
        let isLoaded = self.state.withLock { state in
            if state.confirmed == nil { state.whenLoaded.append(callback) }
            return state.confirmed != nil
        }
        if isLoaded { callback() }
    }
    /// The store's time.
    package var now: UnixTime { self.state.withLock { $0.clock.now } }

    /// Time since the list was last confirmed to match the store; nil before the first read.
    package var age: TimeAmount? {
        let confirmed = self.state.withLock { $0.confirmed }
        return confirmed.map { .nanoseconds(max(0, MachineClock.uptimeNanoseconds() - $0)) }
    }

    /// How often this node restored what Redis lost of the list.
    package func count(of mend: DenylistMend) -> Int { self.state.withLock { $0.mends[mend, default: 0] } }

    /// Registers a function called after each change of the list, one change at a time and in order, on no event loop.
    package func observe(_ observer: @escaping @Sendable (DenylistUpdate) -> Void) {
        self.state.withLock { $0.observers.append(observer) }
    }

    // MARK: For the writer. One caller at a time.

    /// - Parameters:
    ///   - fresh: entries added since the last list; nil: possibly all.
    ///   - confirmed: when it was confirmed to match the store, in monotonic nanoseconds.
    func install(_ list: Denylist, fresh: [DenylistEntry]?, confirmed: Int64) {
        let (observers, now, isNew, waiting) = self.state.withLock { state in
            let isNew = state.list.generation != list.generation || state.list.version != list.version || fresh == nil
            state.list = list
            state.confirmed = confirmed
            state.freshness = .current
            let waiting = state.whenLoaded
            state.whenLoaded = []
            return (state.observers, state.clock.now, isNew, waiting)
        }
        for callback in waiting { callback() }
        guard isNew, !observers.isEmpty else { return }
        let update = DenylistUpdate(list: list, fresh: fresh.map { Denylist($0) } ?? list, time: now)
        for observer in observers { observer(update) }
    }

    /// - Returns: whether it changed.
    func report(_ freshness: DenylistFreshness) -> Bool {
        self.state.withLock { state in
            defer { state.freshness = freshness }
            return state.freshness != freshness
        }
    }

    func count(_ mend: DenylistMend) { self.state.withLock { $0.mends[mend, default: 0] += 1 } }

    func set(_ clock: DenylistClock) { self.state.withLock { $0.clock = clock } }
}

/// A change of the list in force.
package struct DenylistUpdate: Sendable {
    package let list: Denylist
    /// Entries that may deny something not denied before: live sockets and sessions need checking against these only.
    package let fresh: Denylist
    /// The store's time at the change.
    package let time: UnixTime
}

/// How current a node's list is.
package enum DenylistFreshness: Sendable, Equatable {
    /// Nothing has been read yet.
    case starting
    case current
    /// The store does not answer, and why; the last list stays in force.
    case unreachable(String)
    /// The store lost the list and has not regained it, or a new one is not complete; the last list stays in force.
    case missing
}

/// The store's time by this machine's monotonic clock, in nanoseconds: the system clock may be wrong or changed.
struct DenylistClock: Sendable {
    /// The store's time when the monotonic clock was 0, in microseconds.
    private let origin: Int64

    init(system: UnixTime, at monotonic: Int64 = MachineClock.uptimeNanoseconds()) {
        self.origin = system.milliseconds &* 1000 &- monotonic / 1000
    }

    /// - Parameters:
    ///   - time: the store's answer, in microseconds since the Unix epoch.
    ///   - sent: when it was asked. The answer is assumed to be from half-way between then and now.
    init(time: Int64, sent: Int64, heard: Int64 = MachineClock.uptimeNanoseconds()) {
        self.origin = time &- sent / 1000 &- (heard &- sent) / 2000
    }

    var now: UnixTime { self.time(at: MachineClock.uptimeNanoseconds()) }

    func time(at monotonic: Int64) -> UnixTime {
        UnixTime(milliseconds: (self.origin &+ monotonic / 1000) / 1000)
    }
}
