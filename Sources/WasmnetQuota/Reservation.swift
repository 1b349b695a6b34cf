/// What a client wants to begin.
package enum Reservation: CaseIterable, Sendable {
    /// A session: one session slot.
    case session
    /// A socket that the client opens (dial, bind, UDP): today's bytes not spent, one socket slot, one connect of the rate. All
    /// are checked, in this order, and written only if all pass.
    case socket
    /// A socket opened by a peer to the client's listener: one socket slot; the rate is not checked.
    case accepted
    /// A name to look up: one of the rate, no slot.
    case resolve
}

/// What is held until it is released.
package enum SlotKind: CaseIterable, Sendable {
    case session
    case socket
}
