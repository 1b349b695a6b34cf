import NIOCore
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// One client's sockets and their shared conversation. Lives on one event loop, with all of its sockets' channels.
///
/// Defines what each request means, and how the session and its sockets end. ``SocketTable`` keeps the sockets, ``Opener`` opens them,
/// ``Traffic`` moves their bytes as ``ReadScheduler`` decides, ``SessionLog`` reports on them. A session knows only its
/// ``SessionCarrier``'s protocol, and the wire format only through its codec.
final class Session {
    let core: SessionCore
    let table: SocketTable
    let messages: ClientMessages
    let traffic: Traffic
    let opener: Opener
    let log: SessionLog
    /// Strong, since lingering sockets keep the session after its carrier is gone; the carrier releases the session at its end.
    let carrier: any SessionCarrier
    private let idleSweep: IdleSweep
    private var slot: QuotaSlot?
    private var endReason = ReasonCode.normal

    init(
        environment: RelayEnvironment, eventLoop: any EventLoop, carrier: any SessionCarrier, version: WireVersion,
        client: ClientID, address: IPAddress? = nil, subject: ClientID? = nil,
        terms: TokenRestrictions = TokenRestrictions(),
        allowance: any ClientAllowance, slot: QuotaSlot?, trace: (any Sendable)? = nil
    ) {
        let origin = SessionOrigin(
            id: SessionID.make(), client: client, address: address, subject: subject, version: version,
            opened: environment.uptimeNanoseconds(), trace: trace)
        self.core = SessionCore(environment, on: eventLoop, origin, allowance, terms)
        self.table = SocketTable(rememberingClosed: environment.settings.maxRememberedIDs)
        self.log = SessionLog(self.core)
        self.messages = ClientMessages(self.core, carrier: carrier)
        self.traffic = Traffic(self.core, self.table, self.messages, self.log, carrier: carrier)
        self.opener = Opener(self.core, self.table, self.messages, self.traffic, self.log)
        self.idleSweep = IdleSweep(self.core, self.table)
        self.carrier = carrier
        self.slot = slot
    }

    // MARK: Requests

    private func handle(_ request: Request, _ encoding: WireEncoding) {
        let id = request.id
        switch request {
        case .connect, .connectTLS, .connectUDP, .bind, .bindUDP:
            if let request = OpenRequest(request, encoding) { self.opener.open(request, SocketContext(self)) }
        case .listen: self.opener.listen(id, encoding)
        case .resolve(_, let name): self.opener.resolve(id, name, encoding)
        case .send(_, let data):
            if data.readableBytes == 0 { self.traffic.countRefusal() }
            self.socket(id, encoding)?.send(data)
        case .sendTo(_, let host, let port, let data):
            if data.readableBytes == 0 { self.traffic.countRefusal() }
            if self.socket(id, encoding)?.sendTo(host: host, port: port, data) == false, data.readableBytes > 0 {
                self.traffic.countRefusal()
            }
        case .close: self.socket(id, encoding, .close)?.base.close()
        case .shutdown:
            if self.socket(id, encoding, .shutdown)?.shutdown() == false { self.traffic.countRefusal() }
        // Neither credit nor a reset is answered if there is no such socket.
        case .window(_, let bytes):
            if let stream = self.table.stream(id) {
                if bytes == 0 { self.traffic.countRefusal() }
                stream.grantWindow(bytes)
            } else if bytes == 0 || !self.table.mayHaveCrossed(id, now: self.core.now) {
                self.traffic.countRefusal()
            }
        case .reset:
            if let socket = self.table[id] {
                socket.reset()
            } else if !self.table.mayHaveCrossed(id, by: .reset, now: self.core.now) {
                self.traffic.countRefusal()
            }
        }
    }

    /// The socket of a message. If there is none, this is answered, once for each id.
    private func socket(
        _ id: SocketID, _ encoding: WireEncoding, _ command: RecentlyClosedIDs.Command? = nil
    ) -> Socket? {
        if let socket = self.table[id] { return socket }
        if self.table.wasClosed(id) {
            if !self.table.mayHaveCrossed(id, by: command, now: self.core.now) { self.traffic.countRefusal() }
        } else {
            if id != .session { self.table.rememberClosed(id, crossingEnds: self.core.now) }
            self.traffic.refuse(id, Refusal(.unknownSocket, "there is no socket \(id)"), encoding)
        }
        return nil
    }

    // MARK: Ends of sockets

    /// A socket has ended: notifies the client, as the last message about it, and forgets it.
    func socketEnded(_ socket: some SessionSocket, _ reason: ReasonCode, _ message: String) {
        guard self.remove(socket, isByClient: reason == .clientClosed) else { return }
        self.messages.send(.closed(socket.id, reason, message: message), as: socket.encoding)
        self.log.socketEnded(socket.core, reason, message)
        self.endIfDrained()
    }

    /// An open failed: the id is free again. What the client sent before it learned of the refusal is not an error of its own.
    func refuseOpen(_ socket: some SessionSocket, _ refusal: Refusal) {
        guard self.remove(socket, isByClient: false) else { return }
        self.log.openRefused(socket.core.record, refusal)
        if !socket.core.wasTried { self.traffic.countRefusal() }
        self.messages.send(.refused(socket.id, refusal), as: socket.encoding)
        self.endIfDrained()
    }

    /// Removes a socket from the table.
    ///
    /// - Parameter isByClient: the client ended it, so that none of its messages can have crossed the end.
    /// - Returns: false if its id belongs to another socket by now, or to none.
    private func remove(_ socket: some SessionSocket, isByClient: Bool) -> Bool {
        guard self.table.holds(socket) else { return false }
        self.traffic.forget(socket)
        self.table.remove(socket, crossingEnds: isByClient ? self.core.now : self.core.crossingEnds)
        return true
    }

    /// A changed policy decides every live socket again.
    func reapply(_ policy: Policy) {
        let policy = policy.applied(to: self.core.terms)
        self.core.allowance.apply(limits: policy.limits)
        self.idleSweep.schedule()
        self.table.endDisallowed(by: policy)
    }

    /// The denylist has new entries: ends what they deny.
    func deny(by news: DenylistView) {
        guard !self.core.isDenied(by: news) else { return self.endDenied() }
        self.table.endDisallowed(by: self.core.policy.asking(only: news))
    }

    // MARK: Ends of the session

    func endByOperator() { self.end(.policyDenied, close: .notAdmitted, ReasonCode.policyDenied.word) }
    func endDrained() { self.end(.draining, close: .goingAway, "draining") }
    private func endDenied() { self.end(.denylisted, close: .notAdmitted, ReasonCode.denylisted.word) }

    /// Announces the end: no new sockets; the session ends with its last one.
    func drain(within time: TimeAmount) {
        guard self.core.phase == .live else { return }
        self.core.drain()
        guard !self.table.isEmpty else { return self.endDrained() }
        let milliseconds = UInt32(clamping: UInt64.random(in: 0...UInt64(max(0, time.nanoseconds / 2_000_000))))
        self.messages.send(
            .goaway(reconnectInMilliseconds: milliseconds, message: "the node is going away"), as: .binary)
    }

    private func endIfDrained() {
        if self.core.phase == .draining, self.table.isEmpty { self.endDrained() }
    }

    func end(_ reason: ReasonCode, close code: CloseCode, _ message: String) {
        guard self.core.phase != .ended else { return }
        self.endReason = reason
        self.carrier.close(code, message)
    }
}

// MARK: - The carrier's side

extension Session: CarriedSession {
    package func start() {
        guard self.core.environment.registry.add(self) else {
            // The drain began between the admission and now, and waits only for sessions that it knows.
            self.end(.draining, close: .tryLater, ReasonCode.draining.word)
            return
        }
        self.log.sessionOpened()
        if self.core.origin.version == .v2 {
            self.messages.send(.hello(self.core.environment.hello(for: self.core.origin)), as: .binary)
            self.carrier.limitDelivery()
        }
        self.idleSweep.schedule()
        // An entry added between the admission and now.
        if let denylist = self.core.environment.denylist(), self.core.isDenied(by: denylist) { self.endDenied() }
    }

    package func receive(_ message: ByteBuffer, isText: Bool, now: Int64) {
        guard self.core.phase != .ended else { return }
        self.traffic.carrierReadBegins()
        self.core.setTime(now)
        if isText, self.messages.codec.version == .v2 {
            self.end(.protocolError, close: .protocolError, "text messages are not part of wasmnet.v2")
            return
        }
        let encoding: WireEncoding = isText ? .json : .binary
        switch self.messages.codec.decodeRequest(message, isText: isText) {
        case .success(let request):
            self.messages.countRequest(
                request, size: message.readableBytes, isDatagram: self.table.sendsDatagrams(request.id))
            self.handle(request, encoding)
        case .failure(let malformed):
            self.messages.countMalformed(size: message.readableBytes)
            self.traffic.refuse(malformed.id, Refusal(.protocolError, malformed.message), encoding)
        }
        self.traffic.answered()
    }

    package func receivedPing(bytes: Int) {
        self.messages.countPing(bytes: bytes)
        self.traffic.countRefusal()
    }

    package func receivedPong(bytes: Int) { self.messages.countPong(bytes: bytes) }

    package func receivedFragment(isEmpty: Bool) {
        self.messages.countFragment()
        // An empty one has no effect.
        if isEmpty { self.traffic.countRefusal() }
    }

    package func keepsUnfinished(bytes: Int) -> Bool {
        self.core.phase == .ended || self.messages.keepsUnfinished(bytes: bytes)
    }

    package var takesMessages: Bool { self.traffic.takesMessages }
    package var uploadQuantum: Int { self.traffic.uploadQuantum }
    package func carrierReadComplete() { self.traffic.carrierReadComplete() }
    package func carrierHasRoom() { self.traffic.carrierHasRoom() }
    package func turnEnded() { self.traffic.turnEnded() }

    package func carrierFailed(_ reason: ReasonCode) { self.endReason = reason }

    package func carrierEnded() {
        guard self.core.phase != .ended else { return }
        _ = self.messages.keepsUnfinished(bytes: 0)
        self.core.end()
        self.idleSweep.end()
        let reason = self.endReason == .normal ? .clientClosed : self.endReason
        for socket in self.table.removeAll() {
            self.log.socketEnded(socket.core, reason, "")
            socket.sessionEnded()
        }
        self.traffic.end()
        self.slot?.release()
        self.slot = nil
        self.core.environment.registry.remove(self)
        self.log.sessionEnded(self.endReason)
        self.opener.destinations.end()
    }
}

@available(*, unavailable)
extension Session: Sendable {}
