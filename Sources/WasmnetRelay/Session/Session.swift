import DequeModule
import Logging
import NIOCore
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// One client's sockets and their shared conversation. Lives on one event loop, with all of its sockets' channels.
///
/// Duties: what each request means; which sockets there are; whose turn it is to send; when nobody may. It knows a
/// ``SessionCarrier`` and not what that is, and the wire only through its codec. Opening sockets stands in Session+Opening.swift,
/// the turns in Session+Turns.swift.
final class Session {
    let id: String
    let environment: RelayEnvironment
    let eventLoop: any EventLoop
    let codec: MessageCodec
    let origin: SessionOrigin
    private let terms: ClientTerms
    let allowance: any ClientAllowance
    let logger: Logger
    /// Strong, since sockets that linger keep the session after its carrier is gone; the carrier lets go of the session at its end.
    let carrier: any SessionCarrier
    private var slot: QuotaSlot?

    enum State { case live, draining, ended }
    private(set) var state = State.live
    private(set) var bytesUp: UInt64 = 0
    private(set) var bytesDown: UInt64 = 0

    var sockets: [SocketID: Socket] = [:]
    var recent: RecentIDs
    var tiedNames: TiedNames
    var nextAccepted = SocketID.firstAccepted
    let names: NameLookups
    private var endReason = ReasonCode.normal
    private var wasOpened = false

    // Turns and pauses: Session+Turns.swift.
    var turns: TurnTaking<SocketID>
    var waitingReaders = Deque<SocketID>()
    var waitingReaderSet: Set<SocketID> = []
    var readsThisTurn = 0
    /// The most bytes that one read takes now.
    var readShare: Int
    /// Sockets with bytes that were not flushed yet.
    var dirty: [TargetStream] = []
    /// Messages came that the end of their read flushes.
    private(set) var isInCarrierRead = false
    var heldUploads: Set<ObjectIdentifier> = []
    var budgetTask: Scheduled<Void>?
    var refusalTask: Scheduled<Void>?
    /// Bytes that the client may not send yet, and their socket: the WebSocket is not read meanwhile.
    var heldUpload: (stream: TargetStream, data: ByteBuffer)?
    /// Sockets with bytes that their clients may not have yet.
    var waitingForBytes: [TargetStream] = []
    /// Bytes of bandwidth that messages cost beyond what they carry, not charged yet.
    var overhead = 0
    /// Bytes of a message that is not whole yet, as far as they are the client's and not the session's own.
    var sharedUnfinished = 0
    var answersWerePilingUp = false
    private var sweepTask: Scheduled<Void>?

    /// Monotonic nanoseconds, read once for each batch of events.
    var now: Int64
    private var windowGrowth = 0
    private var scratch = ByteBuffer()
    private var header = ByteBuffer()

    init(
        environment: RelayEnvironment, eventLoop: any EventLoop, carrier: any SessionCarrier, version: WireVersion,
        client: ClientID, address: IPAddress? = nil, subject: ClientID? = nil, terms: ClientTerms = ClientTerms(),
        allowance: any ClientAllowance, slot: QuotaSlot?, trace: (any Sendable)? = nil
    ) {
        self.environment = environment
        self.eventLoop = eventLoop
        self.carrier = carrier
        self.codec = MessageCodec(version: version)
        self.terms = terms
        self.allowance = allowance
        self.slot = slot
        self.id = SessionID.make()
        self.recent = RecentIDs(limit: environment.settings.maxRememberedIDs)
        self.tiedNames = TiedNames(limit: environment.settings.maxTiedAddresses)
        self.turns = TurnTaking(quantum: environment.settings.readChunkBytes)
        self.readShare = environment.settings.wideReadChunkBytes
        self.now = environment.uptimeNanoseconds()
        self.origin = SessionOrigin(
            id: self.id, client: client, address: address, subject: subject, version: version, opened: self.now,
            trace: trace)
        self.names = NameLookups(
            environment, eventLoop: eventLoop, asker: LookupAsker(client: client, session: self.id))
        var logger = environment.logger
        logger[metadataKey: "session"] = "\(self.id)"
        self.logger = logger
    }

    var client: ClientID { self.origin.client }

    /// The policy in force, as it holds for this client. Every gate asks this one.
    var policy: Policy { self.environment.policy.applied(to: self.terms) }

    // MARK: The carrier's side

    package func start() {
        guard self.environment.registry.add(self) else {
            // The drain began between the admission and now, and waits only for sessions that it knows.
            self.end(.draining, close: .tryLater, ReasonCode.draining.word)
            return
        }
        self.wasOpened = true
        self.environment.observer.sessionOpened(self.origin)
        self.logger.debug(
            "session opened", metadata: ["client": "\(self.client.commandText)", "version": "\(self.codec.version)"])
        if self.codec.version == .v2 {
            let settings = self.environment.settings
            self.tell(
                .hello(
                    Hello(
                        version: self.environment.version, node: self.environment.nodeName, session: self.id,
                        window: UInt32(clamping: settings.firstWindowBytes),
                        maxMessage: UInt32(clamping: settings.maxMessageBytes),
                        maxSockets: UInt32(clamping: settings.maxSocketsPerSession),
                        heartbeatMilliseconds: UInt32(clamping: settings.heartbeat.nanoseconds / 1_000_000))),
                as: .binary)
            self.carrier.limitDelivery()
        }
        self.scheduleSweep()
        // An entry that came between the admission and now.
        self.endIfDenied(by: self.environment.denylist())
    }

    package func receive(_ message: ByteBuffer, isText: Bool, now: Int64) {
        guard self.state != .ended else { return }
        self.isInCarrierRead = true
        self.now = now
        if isText, self.codec.version == .v2 {
            self.end(.protocolError, close: .protocolError, "text messages are not part of wasmnet.v2")
            return
        }
        let encoding: WireEncoding = isText ? .json : .binary
        switch self.codec.decodeRequest(message, isText: isText) {
        case .success(let request):
            self.countCost(of: request, size: message.readableBytes)
            self.handle(request, encoding)
        case .failure(let malformed):
            self.overhead += max(Self.messageCost, message.readableBytes)
            self.refuse(malformed.id, Refusal(.protocolError, malformed.message), encoding)
        }
        if self.carrier.answersPileUp, !self.answersWerePilingUp {
            self.answersWerePilingUp = true
            self.updateReading()
        }
    }

    package func carrierReadComplete() {
        self.isInCarrierRead = false
        self.flushSockets()
        self.settleOverhead()
        // Pongs are answers as well, and no message comes with a ping.
        if self.carrier.answersPileUp { self.answersWerePilingUp = true }
        self.updateReading()
    }

    package func carrierHasRoom() {
        self.now = self.environment.uptimeNanoseconds()
        if self.answersWerePilingUp, !self.carrier.answersPileUp {
            self.answersWerePilingUp = false
            self.updateReading()
        }
        self.takeTurns()
    }

    /// The carrier failed for a reason that it knows; its end follows.
    package func carrierFailed(_ reason: ReasonCode) {
        self.endReason = reason
    }

    package func carrierEnded() {
        guard self.state != .ended else { return }
        _ = self.keepsUnfinished(bytes: 0)
        self.state = .ended
        self.budgetTask?.cancel()
        self.refusalTask?.cancel()
        self.sweepTask?.cancel()
        self.heldUpload = nil
        let live = self.sockets.values
        self.sockets = [:]
        for socket in live {
            self.tellEnd(of: socket.base.core, self.endReason == .normal ? .clientClosed : self.endReason, "")
            socket.base.sessionEnded()
        }
        self.isInCarrierRead = false
        self.flushSockets()
        self.settleOverhead()
        self.waitingReaders = []
        self.waitingForBytes = []
        self.slot?.release()
        self.slot = nil
        self.environment.registry.remove(self)
        if self.wasOpened {
            self.environment.observer.sessionEnded(
                self.origin, self.endReason, nanoseconds: self.environment.uptimeNanoseconds() - self.origin.opened)
        } else {
            self.environment.observer.sessionRefused(self.endReason)
        }
        self.names.end()
        self.logger.debug("session ended", metadata: ["reason": "\(self.endReason.word)"])
    }

    // MARK: Requests

    private func handle(_ request: Request, _ encoding: WireEncoding) {
        let id = request.id
        switch request {
        case .connect(_, let host, let port): self.connect(id, host, port, .tcp, encoding)
        case .connectTLS(_, let host, let port): self.connect(id, host, port, .tls, encoding)
        case .connectUDP(_, let host, let port): self.connectUDP(id, host, port, encoding)
        case .bind(_, let host, let port): self.bind(id, host, port, encoding)
        case .bindUDP(_, let host, let port): self.bindUDP(id, host, port, encoding)
        case .listen(_, _): self.listen(id, encoding)
        case .resolve(_, let name): self.resolve(id, name, encoding)
        case .send(_, let data):
            if data.readableBytes == 0 { self.countRefusal() }
            self.withSocket(id, encoding) { $0.send(data) }
        case .sendTo(_, let host, let port, let data):
            if data.readableBytes == 0 { self.countRefusal() }
            self.withSocket(id, encoding) { socket in
                if case .datagram(let socket) = socket {
                    socket.sendTo(host: host, port: port, data)
                } else if data.readableBytes > 0 {
                    self.countRefusal()
                }
            }
        case .close: self.withSocket(id, encoding, .close) { $0.base.close() }
        case .shutdown:
            self.withSocket(id, encoding, .shutdown) { socket in
                if case .stream(let stream) = socket { stream.shutdown() } else { self.countRefusal() }
            }
        // Neither credit nor a reset is answered where there is no such socket.
        case .window(_, let bytes):
            if case .stream(let stream)? = self.sockets[id] {
                if bytes == 0 { self.countRefusal() }
                stream.grantWindow(bytes)
            } else if bytes == 0 || !self.recent.mayHaveCrossed(id, now: self.now) {
                self.countRefusal()
            }
        case .reset:
            if let socket = self.sockets[id] {
                socket.reset()
            } else if !self.recent.mayHaveCrossed(id, by: .reset, now: self.now) {
                self.countRefusal()
            }
        }
    }

    private func withSocket(
        _ id: SocketID, _ encoding: WireEncoding, _ command: RecentIDs.Command? = nil,
        _ body: (Socket) -> Void
    ) {
        if let socket = self.sockets[id] {
            body(socket)
        } else if self.recent.contains(id) {
            if !self.recent.mayHaveCrossed(id, by: command, now: self.now) { self.countRefusal() }
        } else {
            if id != .session { self.recent.insert(id, crossingEnds: self.now) }
            self.refuse(id, Refusal(.unknownSocket, "there is no socket \(id)"), encoding)
        }
    }

    // MARK: Telling the client

    func tell(_ event: Event, as encoding: WireEncoding) {
        guard self.state != .ended else { return }
        self.scratch.clear()
        guard self.codec.encode(event, as: encoding, into: &self.scratch) else { return }
        // What a datagram costs was charged when it came.
        if case .dataFrom = event {} else { self.overhead += self.scratch.readableBytes }
        self.carrier.sendAnswer(self.scratch, isText: encoding == .json)
    }

    func tellData(_ id: SocketID, _ payload: ByteBuffer, as encoding: WireEncoding) {
        switch encoding {
        case .binary:
            self.header.clear()
            self.codec.writeDataHeader(id, into: &self.header)
            self.carrier.sendData(header: self.header, payload: payload)
        case .json:
            var message = ByteBuffer()
            message.reserveCapacity(payload.readableBytes * 4 / 3 + 64)
            self.codec.encode(.data(id, payload), as: .json, into: &message)
            self.carrier.sendText(message)
        }
    }

    /// Answers a message that came to nothing.
    func refuse(_ id: SocketID, _ refusal: Refusal, _ encoding: WireEncoding) {
        guard self.state != .ended else { return }
        self.countRefusal()
        self.tell(.refused(id, refusal), as: encoding)
    }

    // MARK: Ends

    /// A socket is over: tells the client, last of all that is told about it, and forgets it.
    func socketEnded(_ socket: some SessionSocket, _ reason: ReasonCode, _ message: String) {
        guard self.remove(socket, byClient: reason == .clientClosed) else { return }
        self.tell(.closed(socket.id, reason, message: message), as: socket.encoding)
        self.tellEnd(of: socket.core, reason, message)
        self.endIfDrained()
    }

    /// Takes a socket out of the table.
    ///
    /// - Parameter byClient: the client ended it, so that no message of its can have crossed the end.
    /// - Returns: false where its id is another socket's by now, or nobody's.
    func remove(_ socket: some SessionSocket, byClient: Bool) -> Bool {
        guard self.holds(socket) else { return false }
        self.forget(socket)
        self.sockets[socket.id] = nil
        let time = byClient ? 0 : self.environment.settings.crossingTime.nanoseconds
        self.recent.insert(socket.id, crossingEnds: self.now + time)
        return true
    }

    /// Whether this very socket is the one of its id.
    func holds(_ socket: some SessionSocket) -> Bool { self.sockets[socket.id]?.isSame(as: socket) ?? false }

    func refusal(_ decision: PolicyDecision, of socket: some SessionSocket) -> Refusal {
        Refusal(decision, host: socket.core.facts.host, port: socket.core.facts.port)
    }

    func endIfDrained() {
        if self.state == .draining, self.sockets.isEmpty { self.endDrained() }
    }

    func end(_ reason: ReasonCode, close code: CloseCode, _ message: String) {
        guard self.state != .ended else { return }
        self.endReason = reason
        self.carrier.close(code, message)
    }

    func drain(within time: TimeAmount) {
        guard self.state == .live else { return }
        self.state = .draining
        if self.sockets.isEmpty {
            self.endDrained()
        } else {
            let milliseconds = UInt32(clamping: UInt64.random(in: 0...UInt64(max(0, time.nanoseconds / 2_000_000))))
            self.tell(.goaway(reconnectInMilliseconds: milliseconds, message: "the node is going away"), as: .binary)
        }
    }

    func endDrained() {
        self.end(.draining, close: .goingAway, "draining")
    }

    /// A changed policy decides every live socket again.
    func reconsider(_ policy: Policy) {
        let policy = policy.applied(to: self.terms)
        self.allowance.apply(limits: policy.limits)
        self.scheduleSweep()
        self.endForbidden(by: policy)
    }

    /// The denylist has new entries: ends what they deny.
    func deny(by news: DenylistView) {
        guard !self.endIfDenied(by: news) else { return }
        self.endForbidden(by: self.policy.asking(only: news))
    }

    private func endForbidden(by policy: Policy) {
        for socket in self.sockets.values.map(\.base) {
            guard let decision = socket.reconsider(policy) else { continue }
            socket.end(self.refusal(decision, of: socket))
        }
    }

    @discardableResult
    private func endIfDenied(by denylist: DenylistView?) -> Bool {
        let origin = self.origin
        guard
            denylist?.entry(forClient: origin.client, at: origin.address, subject: origin.subject) != nil
        else { return false }
        self.end(.denylisted, close: .notAdmitted, ReasonCode.denylisted.word)
        return true
    }

    /// An operator ends it.
    func endByOperator() {
        self.end(.policyDenied, close: .notAdmitted, ReasonCode.policyDenied.word)
    }

    /// - Returns: false where there is no such socket.
    func endByOperator(_ id: SocketID) -> Bool {
        guard let socket = self.sockets[id] else { return false }
        socket.base.end(Refusal(.policyDenied, "ended by the node's operator"))
        return true
    }

    /// Ends so many of the newest sockets: they were opened in an outage, and the cluster has no room for them.
    ///
    /// - Returns: how many there were to end.
    func endNewest(_ count: Int) -> Int {
        let newest = self.sockets.values.map(\.base)
            .sorted { ($0.core.facts.opened, $0.id) > ($1.core.facts.opened, $1.id) }.prefix(count)
        for socket in newest {
            socket.end(
                Refusal(.maxConnections, "more sockets of this client were open than its limit, after an outage"))
        }
        return newest.count
    }

    // MARK: Idle sockets

    private func scheduleSweep() {
        self.sweepTask?.cancel()
        let limit = self.policy.limits.idleTimeoutSeconds
        guard limit > 0 else { return }
        let interval = TimeAmount.milliseconds(Int64(min(30, max(0.05, limit / 4)) * 1000))
        self.sweepTask = self.eventLoop.assumeIsolated().scheduleTask(in: interval) {
            self.sweep(limit)
            if self.state != .ended { self.scheduleSweep() }
        }
    }

    private func sweep(_ limit: Double) {
        let oldest = self.environment.uptimeNanoseconds() - Int64(limit * 1_000_000_000)
        for socket in self.sockets.values.map(\.base) {
            if let last = socket.core.lastActivity, last < oldest {
                socket.end(Refusal(.targetTimeout, "no byte for \(Int(limit)) s"))
            }
        }
    }

    // MARK: Windows

    /// By how many bytes the windows of this session may still grow.
    var windowRoom: Int { max(0, self.environment.settings.maxSessionWindowBytes - self.windowGrowth) }

    func windowGrew(by bytes: Int) {
        self.windowGrowth += bytes
    }

    private func tellEnd(of socket: SocketCore, _ reason: ReasonCode, _ message: String) {
        guard socket.isOpen else { return self.tellRefused(socket.record, Refusal(reason, message)) }
        self.environment.observer.socketEnded(
            socket.record, of: self.origin, reason, at: self.environment.uptimeNanoseconds())
    }

    /// An open that did not come to be.
    func tellRefused(_ record: SocketRecord, _ refusal: Refusal) {
        self.environment.observer.openRefused(
            record, of: self.origin, refusal, at: self.environment.uptimeNanoseconds())
    }

    func relayed(_ direction: Direction, bytes: Int) {
        switch direction {
        case .up: self.bytesUp += UInt64(bytes)
        case .down: self.bytesDown += UInt64(bytes)
        }
        self.environment.observer.relayed(direction, bytes: bytes)
    }
}

@available(*, unavailable)
extension Session: Sendable {}

/// Random names of sessions, for logs and `hello`.
enum SessionID {
    static func make() -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 36)
        return String(repeating: "0", count: max(0, 13 - digits.count)) + digits
    }
}
