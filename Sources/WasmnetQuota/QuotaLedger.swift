/// How much each client may still use: in this process, or in the whole cluster.
package protocol QuotaLedger: Sendable {
    /// The one allowance of a client in this process. `limits` may differ from last time (a reload, a tier): the newest win.
    func allowance(for client: ClientID, limits: QuotaLimits) -> any ClientAllowance
}

/// What one client may still use. Safe from every thread.
package protocol ClientAllowance: AnyObject, Sendable {
    var client: ClientID { get }

    /// Asks for something.
    ///
    /// - Returns: the answer, when it is known at once, and then `later` is never called; else nil, and `later` is called exactly once,
    ///   on any thread. A slot is nil where nothing is held (`resolve`).
    func reserve(
        _ what: Reservation, now: QuotaInstant,
        later: @escaping @Sendable (Result<QuotaSlot?, QuotaRefusal>) -> Void
    ) -> Result<QuotaSlot?, QuotaRefusal>?

    /// Bytes passed, either way. Charged at once, into debt if need be.
    func charge(bytes: Int, now: QuotaInstant)

    /// Nil: go on reading. Else the moment at which the client may be read again.
    func pause(now: QuotaInstant) -> QuotaInstant?

    /// The refusal, once the day's bytes are spent.
    func dayBytesExhausted(now: QuotaInstant) -> QuotaRefusal?

    /// Whether bytes a second are limited at all.
    var isBandwidthLimited: Bool { get }

    func apply(limits: QuotaLimits)

    func usage(now: QuotaInstant) -> QuotaUsage
}
