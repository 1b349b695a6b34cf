import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// The state that every socket has, whatever its kind.
struct SocketCore {
    let encoding: WireEncoding
    var machine: SocketMachine
    /// Without its state, which the machine holds.
    var facts: SocketRecord
    /// Whether it was counted as open.
    var isOpen = false
    /// Whether a dial was made: then a refusal does not count as a message without effect.
    var wasTried = false
    /// For `closed`; nil: the reason's own sentence.
    var endMessage: String?
    /// Monotonic nanoseconds of the last byte either way; nil for sockets that are never idle.
    var lastActivity: Int64?
    fileprivate var slot: QuotaSlot?

    init(_ shape: SocketMachine.Shape, _ facts: SocketRecord, encoding: WireEncoding) {
        self.encoding = encoding
        self.machine = SocketMachine(shape)
        self.facts = facts
        // Only a stream has sentences for its target's actions.
        self.endMessage = shape == .whole ? "" : nil
    }

    var id: SocketID { self.facts.socket }
    var kind: SocketKind { self.facts.kind }
    var isOpening: Bool { self.machine.phase == .opening }
    var hasEnded: Bool { self.machine.phase == .closed }

    /// Its present record.
    var record: SocketRecord {
        var record = self.facts
        if self.isOpening {
            record.state = .opening
        } else if self.kind == .listener {
            record.state = .listening
        } else if self.machine.outbound != .open || self.machine.inbound != .open {
            record.state = .halfClosed
        }
        return record
    }
}

/// One socket of a session, whatever its kind. Implements what all kinds share: how it is opened, and how it ends.
/// All calls are on the session's event loop.
protocol SessionSocket: AnyObject {
    var core: SocketCore { get set }
    var context: SocketContext { get }
    /// Itself, as its session keeps it.
    var asSocket: Socket { get }
    /// Whether no bytes of the client are waiting to go out.
    var isAllSent: Bool { get }
    /// Performs the machine's actions, in this order.
    func carryOut(_ actions: [SocketMachine.Action])
    /// Ends it with a reason, once what both sides sent by now is delivered.
    func windUp(_ reason: ReasonCode, _ message: String)
    /// Checks it against a changed policy; nil if that still allows it, else the decision that does not.
    func reapply(_ policy: Policy) -> PolicyDecision?
}

extension SessionSocket {
    var id: SocketID { self.core.id }
    var encoding: WireEncoding { self.core.encoding }

    // MARK: Opening

    /// Keeps the slot until the end. False, and the slot is released, if it is no longer needed.
    func hold(_ slot: QuotaSlot?) -> Bool {
        guard self.core.isOpening else {
            slot?.release()
            return false
        }
        self.core.slot = slot
        return true
    }

    func releaseSlot() {
        self.core.slot.take()?.release()
    }

    /// The opening cannot be completed: answers it and ends. No effect if it is complete or has ended.
    func fail(_ refusal: Refusal) {
        guard self.core.isOpening else { return }
        let actions = self.core.machine.openingFailed(refusal.code)
        self.carryOut(actions)
        if !actions.contains(.announceClosed) { self.context.refuseOpen(self, refusal) }
    }

    // MARK: Ends

    /// The client wants no more of it.
    func close() {
        if self.core.machine.clientIsGone { self.context.countRefusal() }
        self.carryOut(self.core.machine.clientClose(allSent: self.isAllSent))
    }

    /// Ends it at once with a reason, which is sent to the client.
    func terminate(_ reason: ReasonCode, _ message: String) {
        self.core.endMessage = message
        self.carryOut(self.core.machine.terminate(reason))
    }

    /// Ends it for a reason of the node's: while it is still opening that is the answer to its open.
    func end(_ refusal: Refusal) {
        if self.core.isOpen { self.terminate(refusal.code, refusal.message) } else { self.fail(refusal) }
    }

    /// The session is gone: no one is notified; accepted bytes still go out.
    func sessionEnded() {
        self.carryOut(self.core.machine.sessionEnded(allSent: self.isAllSent))
    }

    func announceClosed() {
        let reason = self.core.machine.reason ?? .internalError
        self.context.ended(self, reason, self.core.endMessage ?? reason.sentence(self.core.facts.host))
    }
}

/// A socket that ends as a whole: nothing is left of it after its channel.
protocol WholeSocket: SessionSocket {
    /// Closes its binding, and drops what waits.
    func letGo()
}

extension WholeSocket {
    var isAllSent: Bool { true }

    func windUp(_ reason: ReasonCode, _ message: String) {
        self.core.endMessage = message
        self.carryOut(self.core.machine.windUp(reason, handedOver: true, allSent: true))
    }

    func carryOut(_ actions: [SocketMachine.Action]) {
        for action in actions {
            switch action {
            case .announceClosed: self.announceClosed()
            case .abort, .closeChannel:
                self.letGo()
                self.releaseSlot()
            // Without directions there is nothing to wait for and nothing to half-close.
            case .discardInbound, .startLinger, .announceEnd, .closeOutput: break
            }
        }
    }
}

/// A socket whose peer is read when its session allows it.
protocol ReadingSocket: SessionSocket {
    /// Whether a read may be requested, the client's side aside.
    var mayRead: Bool { get }
    /// Whether a little may be read even while the carrier has no room.
    var isInteractive: Bool { get }
    /// Requests at most `limit` bytes from the peer.
    func read(limit: Int)
}
