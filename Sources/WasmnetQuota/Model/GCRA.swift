/// The generic cell rate algorithm, virtual scheduling form (ITU-T I.371 annex A; ATM Forum TM 4.1, section 4.4.3): one number per
/// client, the theoretical arrival time (TAT) of the next request at exactly the allowed pace.
///
/// A request at `now` is admitted if `max(TAT, now) + interval <= now + burst * interval`; that sum is then the new TAT.
/// **Bound**: at most `burst + t / interval` admitted in any span of t, whatever the arrivals. Callers' readings of the clock may
/// arrive out of order; t is then between the latest readings seen, so in real time add how late a reading may be. A refusal writes
/// nothing, with one exception: a TAT that no request can have left (more than
/// the burst and the clock's tolerance ahead: the clock was set back, the burst was lowered) is reduced to the burst.
package struct GCRA: Sendable, Hashable {
    /// Microseconds since the Unix epoch, in `0...2^53`; 0: no request yet.
    package private(set) var theoreticalArrival: Int64

    package init(theoreticalArrival: Int64 = 0) {
        self.theoreticalArrival = min(max(theoreticalArrival, 0), 1 << 53)
    }

    package enum Answer: Sendable, Hashable {
        /// Passes if `arrival` is written.
        case admit(arrival: Int64)
        /// Does not pass before `retryAfter`. `arrival` is the TAT to keep: the old one, or the reduced one.
        case refuse(retryAfter: QuotaDuration, arrival: Int64)
    }

    /// The answer without writing it, so that several limits can be checked before any is written.
    package func answer(at now: QuotaInstant, pace: Pace) -> Answer {
        let now = now.microseconds
        var arrival = self.theoreticalArrival
        if arrival - now > pace.window + QuotaDuration.clockTolerance.microseconds { arrival = now + pace.window }
        let next = max(arrival, now) + pace.interval
        let early = next - now - pace.window
        return early > 0
            ? .refuse(retryAfter: QuotaDuration(microseconds: early), arrival: arrival) : .admit(arrival: next)
    }

    /// Writes an answer.
    package mutating func accept(_ answer: Answer) {
        switch answer {
        case .admit(let arrival), .refuse(_, let arrival): self.theoreticalArrival = arrival
        }
    }

    /// Checks and writes. Nil: admitted; otherwise the wait after which the same request passes.
    package mutating func request(at now: QuotaInstant, pace: Pace) -> QuotaDuration? {
        let answer = self.answer(at: now, pace: pace)
        self.accept(answer)
        return if case .refuse(let retryAfter, _) = answer { retryAfter } else { nil }
    }

    /// How many requests would pass right now.
    package func available(at now: QuotaInstant, pace: Pace) -> Int {
        let ahead = max(self.theoreticalArrival - now.microseconds, 0)
        return Int(clamping: max(pace.window - ahead, 0) / pace.interval)
    }

    /// Whether its state equals that of a fresh limiter.
    package func isAtRest(at now: QuotaInstant) -> Bool { self.theoreticalArrival <= now.microseconds }
}

extension GCRA {
    /// A rate and its burst in whole microseconds, so that both engines compute alike.
    package struct Pace: Sendable, Hashable {
        /// Microseconds between two requests, in `1...86_400_000_000`; rounded up, so never faster than the rate.
        package let interval: Int64
        /// Requests at once after a rest, at least 1.
        package let burst: Int64
        /// `burst * interval`, microseconds; at most 10^15 (31 years), which is why a burst is cut down for a very slow rate.
        package var window: Int64 { self.burst * self.interval }

        /// The rate for display: with at most four decimals, if that is the same pace.
        package var perSecond: Double {
            let exact = 1_000_000 / Double(self.interval)
            let short = (exact * 10_000).rounded() / 10_000
            return Pace(perSecond: short, burst: 1)?.interval == self.interval ? short : exact
        }

        /// Nil: unlimited (a rate of 0 or less, infinity, NaN). A burst below 1 means its default, twice the rate.
        package init?(perSecond rate: Double, burst: Int) {
            guard rate > 0, rate.isFinite else { return nil }
            self.interval = Int64(min(max((1_000_000 / rate).rounded(.up), 1), 86_400_000_000))
            let wanted = burst > 0 ? Int64(burst) : Int64(min((rate * 2).rounded(.up), 1e15))
            self.burst = min(max(wanted, 1), 1_000_000_000_000_000 / self.interval)
        }

        /// Nil if one of them is out of its range.
        package init?(interval: Int64, burst: Int64) {
            guard (1...86_400_000_000).contains(interval), burst >= 1, burst <= 1_000_000_000_000_000 / interval else {
                return nil
            }
            self.interval = interval
            self.burst = burst
        }
    }
}
