package import NIOCore
package import WasmnetNet
package import WasmnetPolicy

/// The denylist that a node holds destinations and clients against, and how sure it is of it. Whoever keeps the list puts it here;
/// whoever decides asks here, from any thread: an answer costs one lock for a moment and a lookup.
package final class ActiveDenylist: Sendable {
    private struct State {
        var list = Denylist.empty
        var freshness = DenylistFreshness.starting
        /// When the list was last known to be the store's, in monotonic nanoseconds.
        var confirmed: Int64?
        var clock: DenylistClock
        var observers: [@Sendable (DenylistUpdate) -> Void] = []
        var whenLoaded: [@Sendable () -> Void] = []
        var mends: [DenylistMend: Int] = [:]
    }

    private let state: Guarded<State>

    /// - Parameter systemTime: the system's clock, which holds until the store's is known.
    package init(systemTime: UnixTime) {
        self.state = Guarded(State(clock: DenylistClock(system: systemTime)))
    }

    /// The list, and the time that its entries' expiry is held against: what a policy decides under.
    package var view: DenylistView { self.state.withLock { DenylistView($0.list, at: $0.clock.now) } }
    package var list: Denylist { self.state.withLock { $0.list } }
    package var freshness: DenylistFreshness { self.state.withLock { $0.freshness } }
    /// Whether a list, be it empty, was ever read: before that a node does not know whom to deny.
    package var isLoaded: Bool { self.state.withLock { $0.confirmed != nil } }
    /// Calls back once a list, be it empty, was read: at once, or on no event loop.
    package func whenLoaded(_ callback: @escaping @Sendable () -> Void) {
        let isLoaded = self.state.withLock { state in
            if state.confirmed == nil { state.whenLoaded.append(callback) }
            return state.confirmed != nil
        }
        if isLoaded { callback() }
    }
    /// The store's time.
    package var now: UnixTime { self.state.withLock { $0.clock.now } }

    /// How long ago the list was last known to be the store's; nil before it was ever read.
    package var age: TimeAmount? {
        let confirmed = self.state.withLock { $0.confirmed }
        return confirmed.map { .nanoseconds(max(0, MachineClock.uptimeNanoseconds() - $0)) }
    }

    /// How often this node has mended what Redis lost of the list.
    package func count(of mend: DenylistMend) -> Int { self.state.withLock { $0.mends[mend, default: 0] } }

    /// Has a function called after each change of the list, one change at a time and in order, on no event loop.
    package func observe(_ observer: @escaping @Sendable (DenylistUpdate) -> Void) {
        self.state.withLock { $0.observers.append(observer) }
    }

    // MARK: For whoever keeps the list. One caller at a time.

    /// - Parameters:
    ///   - fresh: what was put in since the last list; nil: anything.
    ///   - confirmed: when it was known to be the store's, in monotonic nanoseconds.
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

    /// - Returns: whether that is news.
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
    /// What may deny something that was not denied before: live sockets and sessions are to be held against these entries only.
    package let fresh: Denylist
    /// The store's time at the change.
    package let time: UnixTime
}

/// How sure a node is of its list.
package enum DenylistFreshness: Sendable, Equatable {
    /// Nothing was read yet.
    case starting
    case current
    /// The store does not answer, in words; the last list holds.
    case unreachable(String)
    /// The store has lost the list and does not have it back yet, or a new one is not complete; the last list holds.
    case missing
}

/// The store's time by this machine's monotonic clock, in nanoseconds: the system's may be wrong and may be set.
struct DenylistClock: Sendable {
    /// The store's time where the monotonic clock is 0, in microseconds.
    private let origin: Int64

    init(system: UnixTime, at monotonic: Int64 = MachineClock.uptimeNanoseconds()) {
        self.origin = system.milliseconds &* 1000 &- monotonic / 1000
    }

    /// - Parameters:
    ///   - time: what the store told, in microseconds since the Unix epoch.
    ///   - sent: when it was asked. It is taken to have looked half-way between then and now.
    init(time: Int64, sent: Int64, heard: Int64 = MachineClock.uptimeNanoseconds()) {
        self.origin = time &- sent / 1000 &- (heard &- sent) / 2000
    }

    var now: UnixTime { self.time(at: MachineClock.uptimeNanoseconds()) }

    func time(at monotonic: Int64) -> UnixTime {
        UnixTime(milliseconds: (self.origin &+ monotonic / 1000) / 1000)
    }
}
