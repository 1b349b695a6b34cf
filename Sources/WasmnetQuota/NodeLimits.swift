import Synchronization

/// A client's limits on one node, in this process only: shared by all its sessions here. Every member may be called from
/// any thread.
package final class NodeLimits: Sendable {
    /// Of messages without effect: counted afterwards, and above the rate the client's messages are not read for a while.
    package let refusals = NodeRate()
    /// Of opened sessions: taken before.
    package let sessions = NodeRate()
    /// Of messages that wait for lookups.
    package let waitingMessages = ByteRoom()
    /// Of incomplete messages.
    package let unfinishedMessages = ByteRoom()

    package init() {}

    package func apply(_ limits: ClientLimits) {
        self.refusals.apply(GCRA.Pace(perSecond: limits.refusalsPerSecond, burst: limits.refusalBurst))
        self.sessions.apply(GCRA.Pace(perSecond: limits.sessionsPerSecond, burst: limits.sessionBurst))
    }

    /// Whether their state equals that of fresh ones.
    package func areAtRest(now: QuotaInstant) -> Bool {
        self.refusals.isAtRest(now: now) && self.sessions.isAtRest(now: now)
    }
}

/// Memory shared by several users, up to a limit.
package final class ByteRoom: Sendable {
    private let filled = Atomic<Int>(0)

    init() {}

    /// Takes this many bytes, until ``release(_:)``. False if there would be more than `most` in total: then none are taken.
    package func take(_ bytes: Int, most: Int) -> Bool {
        let sum = self.filled.wrappingAdd(bytes, ordering: .relaxed).newValue
        if sum > most { self.release(bytes) }
        return sum <= most
    }

    package func release(_ bytes: Int) {
        self.filled.wrappingSubtract(bytes, ordering: .relaxed)
    }
}

/// How often a client may do one thing on this node: the theoretical arrival time of ``GCRA``, without a lock.
///
/// **Bound**: burst + rate * t in any span of t; if counted afterwards, one more for each thread that counts at the same time.
package final class NodeRate: Sendable {
    /// Microseconds between two; 0: unlimited.
    private let interval = Atomic<Int64>(0)
    /// Microseconds: how far ahead of now the arrival time may be.
    private let window = Atomic<Int64>(0)
    /// Microseconds since the Unix epoch.
    private let arrival = Atomic<Int64>(0)

    /// The most remembered beyond the burst, in microseconds: a clock that was set back blocks no client for long.
    private static let maxDebt: Int64 = 1_000_000

    package init() {}

    /// Nil: unlimited.
    package func apply(_ pace: GCRA.Pace?) {
        self.interval.store(pace?.interval ?? 0, ordering: .relaxed)
        self.window.store(pace?.window ?? 0, ordering: .relaxed)
    }

    /// Takes one, if the rate allows it.
    ///
    /// - Returns: nil: it does, and it is counted. Otherwise not before then.
    package func take(now: QuotaInstant) -> QuotaInstant? {
        let interval = self.interval.load(ordering: .relaxed)
        guard interval > 0 else { return nil }
        let window = self.window.load(ordering: .relaxed)
        var arrival = self.arrival.load(ordering: .relaxed)
        while true {
            let next = max(min(arrival, now.microseconds + window), now.microseconds) + interval
            guard next - now.microseconds <= window else { return QuotaInstant(microseconds: next - window) }
            let (exchanged, found) = self.arrival.weakCompareExchange(
                expected: arrival, desired: next, ordering: .relaxed)
            if exchanged { return nil }
            arrival = found
        }
    }

    /// Counts one that happened.
    package func count(now: QuotaInstant) {
        let interval = self.interval.load(ordering: .relaxed)
        guard interval > 0 else { return }
        let most = now.microseconds + self.window.load(ordering: .relaxed) + max(interval, Self.maxDebt)
        var arrival = self.arrival.load(ordering: .relaxed)
        while true {
            let next = min(max(arrival, now.microseconds) + interval, most)
            let (exchanged, found) = self.arrival.weakCompareExchange(
                expected: arrival, desired: next, ordering: .relaxed)
            if exchanged { return }
            arrival = found
        }
    }

    /// Nil: no more were counted than the rate allows. Otherwise when that is so again.
    package func pause(now: QuotaInstant) -> QuotaInstant? {
        let window = self.window.load(ordering: .relaxed)
        guard window > 0 else { return nil }
        let arrival = min(
            self.arrival.load(ordering: .relaxed),
            now.microseconds + window + max(self.interval.load(ordering: .relaxed), Self.maxDebt))
        return arrival - now.microseconds > window ? QuotaInstant(microseconds: arrival - window) : nil
    }

    /// Whether its state equals that of a fresh one.
    package func isAtRest(now: QuotaInstant) -> Bool {
        self.interval.load(ordering: .relaxed) == 0 || self.arrival.load(ordering: .relaxed) <= now.microseconds
    }
}
