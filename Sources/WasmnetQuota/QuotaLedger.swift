/// Keeps the allowances of all clients: in this process (``InProcessLedger``) or shared by the cluster.
package protocol QuotaLedger: Sendable {
    /// The one allowance of this client in this process: created on first use, dropped some time after its last use.
    ///
    /// While the allowance, or a slot of it, is in use, every call returns the same one. The `limits` may differ from last
    /// time (a reloaded policy, another tier): the newest apply, including to what is open already.
    func allowance(for client: ClientID, limits: ClientLimits) -> any ClientAllowance

    var counts: QuotaCounts { get }
}

/// What one client may still use: shared by all its sessions, on any event loop. Every member may be called from
/// any thread.
package protocol ClientAllowance: AnyObject, Sendable {
    var client: ClientID { get }
    /// The limits on this node only.
    var onNode: NodeLimits { get }

    /// Reserves what is about to begin.
    ///
    /// Answers at once if it can (then `later` is never called); otherwise returns nil and calls `later` exactly once, on any
    /// thread. ``Reservation/resolve`` succeeds with nil, every other with a slot. The in-process engine always answers at once.
    func reserve(
        _ what: Reservation, now: QuotaInstant, later: @escaping @Sendable (Result<QuotaSlot?, QuotaRefusal>) -> Void
    ) -> Result<QuotaSlot?, QuotaRefusal>?

    /// Takes what is about to pass, in either direction. The day's bytes end at the last one of them; bandwidth is
    /// charged at once, into debt if need be. A number below 1 is ignored.
    ///
    /// - Returns: how many bytes may pass. The rest must not, or must wait: ``dayBytesExhausted(now:)`` and ``pause(now:)`` tell which.
    func draw(bytes: Int, now: QuotaInstant) -> Int

    /// Bytes that passed whatever is left of the day: charged at once, into debt if need be. A number below 1 is ignored.
    func charge(bytes: Int, now: QuotaInstant)

    /// The cost of messages beyond their payload: counts toward bandwidth only, not the day's bytes. A number below 1 is ignored.
    func charge(overhead bytes: Int, now: QuotaInstant)

    /// The most bytes that one read should bring, so that the uncharged bytes stay few compared with the burst; `Int.max`
    /// without a limit. One atomic load.
    var readQuantum: Int { get }

    /// Nil: go on reading. Otherwise: do not read until then. Without a limit, and while tokens are left, one atomic load.
    func pause(now: QuotaInstant) -> QuotaInstant?

    /// Nil while bytes of today are left: one atomic load.
    func dayBytesExhausted(now: QuotaInstant) -> QuotaRefusal?

    /// Puts other limits in force, including for what is open already. Lowered maxima end nothing: they refuse until enough is closed.
    func apply(limits: ClientLimits)

    func usage(now: QuotaInstant) -> QuotaUsage
}
