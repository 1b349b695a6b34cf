package import WasmnetProtocol

/// The life of one TCP or TLS socket as a value: two directions that end one after the other, and one reason at the end.
///
/// Each input is a method and answers with what to do. An input that comes in a state where it means nothing is a legal race
/// (a message and an ending crossed) and answers with no action: `data` after our `closed`, a second end of file, a timer that
/// fires after the end. The peer's faults are decided by the caller, which ends the stream with a reason.
package struct StreamMachine: Equatable, Sendable {
    package enum Phase: Sendable, CaseIterable {
        case dialing
        case open
        /// The client was told `closed`; accepted bytes are still on their way to the target.
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
        /// The target's end of file came; what it sent before is not handed over yet.
        case draining
        case ended
        /// Nobody wants the target's bytes any more.
        case discarded
    }

    package struct Actions: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        /// Tell the client `end` (v2).
        package static let announceEnd = Actions(rawValue: 1 << 0)
        /// Tell the client `closed` with ``StreamMachine/reason``, once and last.
        package static let announceClosed = Actions(rawValue: 1 << 1)
        /// Half-close toward the target.
        package static let closeOutput = Actions(rawValue: 1 << 2)
        package static let closeChannel = Actions(rawValue: 1 << 3)
        /// Close without delivering what is unsent.
        package static let abort = Actions(rawValue: 1 << 4)
        package static let startLinger = Actions(rawValue: 1 << 5)
        /// Drop what the target sent and is not handed over.
        package static let discardInbound = Actions(rawValue: 1 << 6)
    }

    package private(set) var phase: Phase
    package private(set) var outbound = Outbound.open
    package private(set) var inbound = Inbound.open
    package private(set) var reason: ReasonCode?
    /// Whether the client's language can say "one direction ended".
    package let knowsHalfClose: Bool
    /// The client closed, and waits for the bytes that it sent to go out.
    package private(set) var clientIsGone = false
    /// A reason that waits until the target's bytes are handed over.
    private var pendingReason: ReasonCode?
    /// The node ends it in order: bytes that it accepted go out on both sides.
    private var isWindingUp = false

    package init(knowsHalfClose: Bool, isConnected: Bool = false) {
        self.knowsHalfClose = knowsHalfClose
        self.phase = isConnected ? .open : .dialing
    }

    package var isAnnounced: Bool { self.phase == .lingering || self.phase == .closed }
    package var wantsTargetBytes: Bool { self.phase == .open && self.inbound == .open }
    package var takesClientBytes: Bool { !self.isAnnounced && self.outbound == .open && self.pendingReason == nil }
    /// The client said that it would send no more.
    package var clientHasFinished: Bool { !self.isAnnounced && self.outbound != .open && !self.isWindingUp }

    /// The dial came through. `allSent`: nothing of the client waits to go out.
    package mutating func connected(allSent: Bool) -> Actions {
        guard self.phase == .dialing else { return self.phase == .open ? [] : .abort }
        self.phase = .open
        return allSent ? self.allSent() : []
    }

    /// The dial failed; the caller tells why with `error` or `denied`, so nothing is announced here.
    package mutating func dialFailed(_ reason: ReasonCode) {
        guard self.phase == .dialing else { return }
        self.reason = reason
        self.phase = .closed
    }

    /// The client has no more to send (v2 `shutdown`).
    package mutating func clientShutdown(allSent: Bool) -> Actions {
        guard !self.isAnnounced, self.outbound == .open else { return [] }
        self.outbound = .finishing
        return allSent && self.phase == .open ? self.allSent() : []
    }

    /// The client wants no more of the socket, but what it sent is to go out.
    package mutating func clientClose(allSent: Bool) -> Actions {
        guard !self.isAnnounced, !self.clientIsGone else { return [] }
        self.clientIsGone = true
        if self.phase == .dialing, allSent { return self.finish(.clientClosed, [.announceClosed, .abort]) }
        // An end of the target that came already is not forgotten: no other will come.
        self.inbound = self.inbound == .open ? .discarded : .ended
        self.pendingReason = .clientClosed
        if self.outbound == .open { self.outbound = .finishing }
        var actions: Actions = [.discardInbound, .startLinger]
        if allSent { actions.formUnion(self.allSent()) }
        return actions
    }

    /// Every byte the client sent has left for the target.
    package mutating func allSent() -> Actions {
        guard self.phase == .open || self.phase == .lingering else { return [] }
        var actions: Actions = []
        if self.outbound == .finishing {
            self.outbound = .finished
            actions.insert(.closeOutput)
        }
        guard self.outbound == .finished else { return actions }
        if self.phase == .open, self.clientIsGone {
            self.reason = .clientClosed
            self.phase = .lingering
            actions.insert(.announceClosed)
        }
        return actions.union(self.settle())
    }

    /// The target has no more to send. `handedOver`: nothing of it waits for the client.
    package mutating func targetEnded(handedOver: Bool) -> Actions {
        switch (self.phase, self.inbound) {
        case (.open, .open):
            self.inbound = .draining
            return handedOver ? self.allHandedOver() : []
        case (.open, .discarded), (.lingering, _):
            self.inbound = .ended
            return self.settle()
        default:
            return []
        }
    }

    /// The target broke off. What it sent before is still handed over.
    package mutating func targetFailed(_ reason: ReasonCode, handedOver: Bool) -> Actions {
        switch self.phase {
        case .open where self.clientIsGone || handedOver:
            let reason = self.clientIsGone ? .clientClosed : self.pendingReason ?? reason
            return self.finish(reason, [.announceClosed, .abort])
        case .open:
            self.pendingReason = self.pendingReason ?? reason
            self.inbound = .draining
            return []
        case .lingering:
            self.phase = .closed
            return .abort
        case .dialing, .closed:
            return []
        }
    }

    /// Everything the target sent is with the client.
    package mutating func allHandedOver() -> Actions {
        guard self.phase == .open, self.inbound == .draining else { return [] }
        self.inbound = .ended
        if self.isWindingUp {
            self.reason = self.pendingReason
            self.phase = .lingering
            return self.settle().union(.announceClosed)
        }
        if let reason = self.pendingReason { return self.finish(reason, [.announceClosed, .abort]) }
        if self.knowsHalfClose { return self.settle().union(.announceEnd) }
        // v1: the target's end is the socket's, but what the client sent before is still delivered.
        self.reason = .normal
        self.phase = .lingering
        if self.outbound == .open { self.outbound = .finishing }
        return [.announceClosed, .startLinger]
    }

    /// The node ends the socket for a reason, once what both sides sent by now is delivered.
    package mutating func windUp(_ reason: ReasonCode, handedOver: Bool, allSent: Bool) -> Actions {
        guard self.phase == .open, !self.clientIsGone, self.pendingReason == nil else { return [] }
        self.isWindingUp = true
        self.pendingReason = reason
        self.inbound = .draining
        if self.outbound == .open { self.outbound = .finishing }
        var actions: Actions = .startLinger
        if handedOver { actions.formUnion(self.allHandedOver()) }
        if allSent { actions.formUnion(self.allSent()) }
        return actions
    }

    /// Ends the socket now, whatever is unsent.
    package mutating func terminate(_ reason: ReasonCode) -> Actions {
        switch self.phase {
        case .dialing, .open: return self.finish(reason, [.announceClosed, .abort, .discardInbound])
        case .lingering:
            self.phase = .closed
            return .abort
        case .closed: return []
        }
    }

    /// The session is gone: nobody is told, but accepted bytes still go out.
    package mutating func sessionEnded(allSent: Bool) -> Actions {
        self.clientClose(allSent: allSent)
    }

    /// The time for accepted bytes, or for the target's end, is over.
    package mutating func lingerExpired() -> Actions {
        switch self.phase {
        case .open where self.clientIsGone, .dialing where self.clientIsGone:
            return self.finish(.clientClosed, [.announceClosed, .abort])
        case .open where self.isWindingUp:
            // The client still takes what was drawn for it.
            self.outbound = .finished
            return .abort
        case .lingering:
            self.phase = .closed
            return .abort
        default: return []
        }
    }

    /// The channel is gone.
    package mutating func channelClosed() -> Actions {
        switch self.phase {
        case .open:
            return self.finish(self.pendingReason ?? .targetReset, .announceClosed)
        case .lingering:
            self.phase = .closed
            return []
        case .dialing, .closed: return []
        }
    }

    private mutating func finish(_ reason: ReasonCode, _ actions: Actions) -> Actions {
        self.reason = reason
        self.phase = .closed
        return actions
    }

    private mutating func settle() -> Actions {
        guard self.outbound == .finished, self.inbound == .ended else { return [] }
        switch self.phase {
        case .open: return self.finish(self.pendingReason ?? .normal, [.announceClosed, .closeChannel])
        case .lingering:
            self.phase = .closed
            return .closeChannel
        case .dialing, .closed: return []
        }
    }
}
