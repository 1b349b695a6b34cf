package import WasmnetProtocol

/// The life of one socket as a value: it opens, it ends once with one reason, and of a stream two directions end one after the other.
///
/// Each input is a method and returns the actions to take, in this order. An input without meaning in the present state is a legal
/// race (a message and an ending crossed, an answer came late) and returns no action: `data` after our `closed`, a second end of
/// file, a timer that fires after the end. Protocol errors of the peer are judged by the caller, which ends the socket with a reason.
package struct SocketMachine: Hashable, Sendable {
    package enum Shape: Sendable, Hashable {
        /// Two directions. `knowsHalfClose`: the client's protocol version can express "one direction ended".
        case stream(knowsHalfClose: Bool)
        /// A datagram socket or a listener: it ends as a whole, and nothing of it is delivered later.
        case whole
    }

    package enum Phase: Sendable, CaseIterable {
        /// Its slot is being reserved, its name looked up, its target dialed or its port bound.
        case opening
        case open
        /// `closed` was sent to the client; accepted bytes are still in flight to the target.
        case lingering
        case closed
    }

    package enum Outbound: Sendable, CaseIterable {
        case open
        /// The client sends no more; what it sent is still going out.
        case finishing
        case finished
    }

    package enum Inbound: Sendable, CaseIterable {
        case open
        /// The target's end of file arrived; what it sent before is not handed over yet.
        case draining
        case ended
        /// The target's bytes are no longer wanted.
        case discarded
    }

    package enum Action: Sendable, CaseIterable {
        /// Drop the target's bytes that are not handed over.
        case discardInbound
        case startLinger
        /// Send the client `end` (v2).
        case announceEnd
        /// Send the client `closed` with ``SocketMachine/reason``, once and last.
        case announceClosed
        /// Half-close toward the target.
        case closeOutput
        /// Close without delivering unsent bytes, or abandon the opening.
        case abort
        case closeChannel
    }

    package private(set) var phase = Phase.opening
    package private(set) var outbound = Outbound.open
    package private(set) var inbound = Inbound.open
    package private(set) var reason: ReasonCode?
    package let shape: Shape
    /// The client closed, and waits for the bytes that it sent to go out.
    package private(set) var clientIsGone = false
    /// A reason that waits until the target's bytes are handed over.
    private var pendingReason: ReasonCode?
    /// The node ends it gracefully: accepted bytes go out on both sides.
    private var isWindingUp = false

    package init(_ shape: Shape) {
        self.shape = shape
    }

    package var isAnnounced: Bool { self.phase == .lingering || self.phase == .closed }
    package var wantsTargetBytes: Bool { self.phase == .open && self.inbound == .open }
    package var takesClientBytes: Bool { !self.isAnnounced && self.outbound == .open && self.pendingReason == nil }
    /// The client announced that it would send no more.
    package var clientHasFinished: Bool { !self.isAnnounced && self.outbound != .open && !self.isWindingUp }

    /// Its opening succeeded. `allSent`: no bytes of the client are waiting to go out.
    package mutating func opened(allSent: Bool) -> [Action] {
        guard self.phase == .opening else { return self.phase == .open ? [] : [.abort] }
        self.phase = .open
        return allSent ? self.allSent() : []
    }

    /// It cannot be opened. The caller reports this with `error` or `denied`, unless the client had closed it and is sent `closed`.
    package mutating func openingFailed(_ reason: ReasonCode) -> [Action] {
        guard self.phase == .opening else { return [] }
        if self.clientIsGone { return self.finish(.clientClosed, [.announceClosed, .abort]) }
        return self.finish(reason, [.closeChannel])
    }

    /// The client has nothing more to send (v2 `shutdown`).
    package mutating func clientShutdown(allSent: Bool) -> [Action] {
        guard self.shape != .whole, !self.isAnnounced, self.outbound == .open else { return [] }
        self.outbound = .finishing
        return allSent && self.phase == .open ? self.allSent() : []
    }

    /// The client wants no more of the socket, but what it sent must go out.
    package mutating func clientClose(allSent: Bool) -> [Action] {
        guard !self.isAnnounced, !self.clientIsGone else { return [] }
        self.clientIsGone = true
        if self.shape == .whole || (self.phase == .opening && allSent) {
            return self.finish(.clientClosed, [.announceClosed, .abort])
        }
        // Keep an end of the target that already arrived: there will be no other.
        self.inbound = self.inbound == .open ? .discarded : .ended
        self.pendingReason = .clientClosed
        if self.outbound == .open { self.outbound = .finishing }
        return [.discardInbound, .startLinger] + (allSent ? self.allSent() : [])
    }

    /// Every byte the client sent has left for the target.
    package mutating func allSent() -> [Action] {
        guard self.outbound != .open, self.phase == .open || self.phase == .lingering else { return [] }
        var actions: [Action] = self.outbound == .finishing ? [.closeOutput] : []
        self.outbound = .finished
        if self.phase == .open, self.clientIsGone {
            self.reason = .clientClosed
            self.phase = .lingering
            actions.append(.announceClosed)
        }
        return actions + self.settle()
    }

    /// The target has nothing more to send. `handedOver`: none of its bytes wait for the client.
    package mutating func targetEnded(handedOver: Bool) -> [Action] {
        switch (self.shape, self.phase, self.inbound) {
        case (.whole, _, _):
            return []
        case (_, .open, .open):
            self.inbound = .draining
            return handedOver ? self.allHandedOver() : []
        case (_, .open, .discarded), (_, .lingering, _):
            self.inbound = .ended
            return self.settle()
        default:
            return []
        }
    }

    /// The target broke the connection. What it sent before is still handed over.
    package mutating func targetFailed(_ reason: ReasonCode, handedOver: Bool) -> [Action] {
        switch self.phase {
        case .open where self.clientIsGone || handedOver || self.shape == .whole:
            let reason = self.clientIsGone ? .clientClosed : self.pendingReason ?? reason
            return self.finish(reason, [.announceClosed, .abort])
        case .open:
            self.pendingReason = self.pendingReason ?? reason
            self.inbound = .draining
            return []
        case .lingering:
            self.phase = .closed
            return [.abort]
        case .opening, .closed:
            return []
        }
    }

    /// Everything the target sent was handed over to the client.
    package mutating func allHandedOver() -> [Action] {
        guard self.phase == .open, self.inbound == .draining else { return [] }
        self.inbound = .ended
        if self.isWindingUp {
            self.reason = self.pendingReason
            self.phase = .lingering
            return [.announceClosed] + self.settle()
        }
        if let reason = self.pendingReason { return self.finish(reason, [.announceClosed, .abort]) }
        if self.shape == .stream(knowsHalfClose: true) { return [.announceEnd] + self.settle() }
        // v1: the target's end is the socket's, but what the client sent before is still delivered.
        self.reason = .normal
        self.phase = .lingering
        if self.outbound == .open { self.outbound = .finishing }
        return [.announceClosed, .startLinger]
    }

    /// The node ends the socket for a reason, once what both sides sent by now is delivered.
    package mutating func windUp(_ reason: ReasonCode, handedOver: Bool, allSent: Bool) -> [Action] {
        guard self.phase == .open, !self.clientIsGone, self.pendingReason == nil else { return [] }
        guard self.shape != .whole else { return self.terminate(reason) }
        self.isWindingUp = true
        self.pendingReason = reason
        self.inbound = .draining
        if self.outbound == .open { self.outbound = .finishing }
        var actions = [Action.startLinger]
        if handedOver { actions += self.allHandedOver() }
        if allSent { actions += self.allSent() }
        return actions
    }

    /// Ends the socket now, despite unsent bytes.
    package mutating func terminate(_ reason: ReasonCode) -> [Action] {
        switch self.phase {
        case .opening, .open: return self.finish(reason, [.discardInbound, .announceClosed, .abort])
        case .lingering:
            self.phase = .closed
            return [.abort]
        case .closed: return []
        }
    }

    /// The session is gone: no one is notified, but accepted bytes still go out.
    package mutating func sessionEnded(allSent: Bool) -> [Action] {
        self.clientClose(allSent: allSent)
    }

    /// The time for accepted bytes, or for the target's end, is up.
    package mutating func lingerExpired() -> [Action] {
        switch self.phase {
        case .open where self.clientIsGone, .opening where self.clientIsGone:
            return self.finish(.clientClosed, [.announceClosed, .abort])
        case .open where self.isWindingUp:
            // The client still receives what was drawn for it.
            self.outbound = .finished
            return [.abort]
        case .lingering:
            self.phase = .closed
            return [.abort]
        default: return []
        }
    }

    /// The channel is gone.
    package mutating func channelClosed() -> [Action] {
        switch self.phase {
        case .open:
            return self.finish(self.pendingReason ?? .targetReset, [.announceClosed])
        case .lingering:
            self.phase = .closed
            return []
        case .opening, .closed: return []
        }
    }

    private mutating func finish(_ reason: ReasonCode, _ actions: [Action]) -> [Action] {
        self.reason = reason
        self.phase = .closed
        return actions
    }

    private mutating func settle() -> [Action] {
        guard self.outbound == .finished, self.inbound == .ended else { return [] }
        switch self.phase {
        case .open: return self.finish(self.pendingReason ?? .normal, [.announceClosed, .closeChannel])
        case .lingering:
            self.phase = .closed
            return [.closeChannel]
        case .opening, .closed: return []
        }
    }
}
