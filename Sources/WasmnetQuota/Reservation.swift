/// What a client wants to begin.
package enum Reservation: CaseIterable, Sendable {
    /// A session: one session slot.
    case session
    /// A socket that the client opens (dial, bind, UDP): today's bytes not spent, one socket slot, one connect of the rate. All
    /// are checked, in this order, and written only if all pass.
    case socket
    /// A socket that someone else opened to the client's listener: one socket slot; the rate is not asked.
    case accepted
    /// A name to look up: one of the rate, no slot.
    case resolve
}

/// What is held until it is given back.
package enum SlotKind: CaseIterable, Sendable {
    case session
    case socket
}
