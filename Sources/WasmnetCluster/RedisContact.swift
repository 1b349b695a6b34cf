package import WasmnetQuota

/// Since when this node and one Redis have been in unbroken contact, and the time there. A value without clock, lock or I/O.
///
/// A node that was out of contact for a while, or for which Redis' clock has moved, must not take away what others could not renew
/// meanwhile: scripts count another node's lease for one time to live after the caller's contact began, whatever time it is.
package struct RedisContact: Sendable {
    /// A silence this long breaks the contact, if a query was sent.
    package static let longestSilence = QuotaDuration.milliseconds(2500)
    /// It also breaks when nothing was received for this long, with or without a query: heartbeats and checks of the data are more
    /// frequent. A node that slept while Redis was down sent no query in vain.
    static let longestPause = QuotaDuration.seconds(7)
    /// Redis' clock may drift this far from this node's during a contact: less than the half second by which a node stops relying on
    /// its leases before Redis does.
    static let maxDrift: Int64 = 400_000
    /// An answer that took longer says little about Redis' time; the contact begins anew with one that took less than half as long.
    private static let wide: Int64 = 100_000
    /// How long the quickest answer determines the time.
    private static let memory = QuotaDuration.seconds(10)

    /// How far Redis' time is ahead of this node's, in microseconds: between both.
    private struct Offset: Sendable, Hashable {
        var low: Int64
        var high: Int64
        var width: Int64 { self.high - self.low }
    }

    /// In microseconds of Redis' time.
    private var start: Int64 = 0
    private var heardAt = QuotaInstant.epoch
    private var first: Offset?
    private var quickest: (offset: Offset, at: QuotaInstant)?

    package init() {}

    /// An answer arrived that carries Redis' time when the script ran.
    ///
    /// - Parameter silence: how long nothing was answered before it.
    package mutating func answered(time: Int64, sentAt: QuotaInstant, now: QuotaInstant, silence: QuotaDuration) {
        let isBroken = self.isBroken(now: now, silence: silence)
        self.heardAt = now
        let offset = Offset(low: time - now.microseconds, high: time - sentAt.microseconds)
        if let first = self.first, !isBroken,
            offset.low <= first.high + Self.maxDrift, offset.high >= first.low - Self.maxDrift,
            first.width <= Self.wide || offset.width * 2 > first.width
        {
            if let quickest = self.quickest, now - quickest.at < Self.memory, quickest.offset.width < offset.width {
                return
            }
            self.quickest = (offset, now)
        } else {
            self.start = time
            self.first = offset
            self.quickest = (offset, now)
        }
    }

    /// The start of the contact, in microseconds of Redis' time; 0: there is none.
    ///
    /// - Parameter silence: how long nothing was answered, up to now.
    package func since(now: QuotaInstant, silence: QuotaDuration) -> Int64 {
        self.isBroken(now: now, silence: silence) ? 0 : self.start
    }

    private func isBroken(now: QuotaInstant, silence: QuotaDuration) -> Bool {
        silence >= Self.longestSilence || now - self.heardAt >= Self.longestPause
    }

    /// Redis' time, in microseconds; 0: not known.
    package func time(now: QuotaInstant) -> Int64 {
        guard let offset = self.quickest?.offset else { return 0 }
        return now.microseconds + offset.low + offset.width / 2
    }
}
