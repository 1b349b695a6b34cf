/// Keeps the allowances of all clients: in this process (``InProcessLedger``) or shared by the cluster.
package protocol QuotaLedger: Sendable {
    /// The one allowance of this client in this process: made on first use, dropped some time after its last use.
    ///
    /// While anyone holds the allowance, or a slot of it, every call answers the same one. The `limits` may differ from last
    /// time (a reloaded policy, another tier): the newest win, for what is open already as well.
    func allowance(for client: ClientID, limits: ClientLimits) -> any ClientAllowance

    var counts: QuotaCounts { get }
}

/// What one client may still use: shared by all its sessions, whichever event loop they are on. Every member may be called from
/// any thread.
package protocol ClientAllowance: AnyObject, Sendable {
    var client: ClientID { get }
    /// What is limited on this node alone.
    var onNode: NodeLimits { get }

    /// Reserves what is about to begin, before it begins.
    ///
    /// Answers at once when it can (then `later` is never called); else returns nil and calls `later` exactly once, on any
    /// thread. ``Reservation/resolve`` succeeds with nil, every other with a slot. The in-process engine always answers at once.
    func reserve(
        _ what: Reservation, now: QuotaInstant, later: @escaping @Sendable (Result<QuotaSlot?, QuotaRefusal>) -> Void
    ) -> Result<QuotaSlot?, QuotaRefusal>?

    /// Takes what is about to pass, in either direction, before it does. The day's bytes end at the last one of them; bandwidth is
    /// charged at once, into debt if need be. A number below 1 is ignored.
    ///
    /// - Returns: how many bytes may pass. The rest must not, or must wait: ``dayBytesExhausted(now:)`` and ``pause(now:)`` tell which.
    func draw(bytes: Int, now: QuotaInstant) -> Int

    /// Bytes that passed whatever is left of the day: charged at once, into debt if need be. A number below 1 is ignored.
    func charge(bytes: Int, now: QuotaInstant)

    /// What messages cost beyond the bytes that they carry: of bandwidth alone, not of the day's bytes. A number below 1 is ignored.
    func charge(overhead bytes: Int, now: QuotaInstant)

    /// The most bytes that one read should bring, so that what passes before it is charged stays small beside the burst; `Int.max`
    /// without a limit. One atomic load.
    var readQuantum: Int { get }

    /// Nil: go on reading. Else: do not read until then. Without a limit, and while tokens are left, one atomic load.
    func pause(now: QuotaInstant) -> QuotaInstant?

    /// Nil while bytes of today are left: one atomic load.
    func dayBytesExhausted(now: QuotaInstant) -> QuotaRefusal?

    /// Puts other limits in force, for what is open already as well. Lowered maxima end nothing: they refuse until enough is closed.
    func apply(limits: ClientLimits)

    func usage(now: QuotaInstant) -> QuotaUsage
}
