import DequeModule
import NIOCore
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// One UDP socket of a client: datagrams whole or not at all.
///
/// A connected one has a peer that `send` goes to and takes datagrams from it and from whoever it was told to `send_to`; a bound one
/// takes them from anyone. What finds no room is dropped and counted, either way; while the client's bandwidth is spent nothing is read.
final class DatagramSocket: ReadingSocket {
    let id: SocketID
    let encoding: WireEncoding
    let kind: SocketKind
    private let session: Session
    private let target: SocketTarget?
    private var slot: QuotaSlot?
    private var port: DatagramPort?
    private var isEnded = false
    var isOpen = false
    private var peer: Peer?
    private var peers: RecentPeers
    /// Datagrams that wait for the socket, in order.
    private var early = Deque<(Peer?, ByteBuffer)>()
    private var earlyBytes = 0
    private var activity: Int64
    var boundTo: IPAddress?
    private var boundPort: UInt16 = 0
    private var readIsPending = false
    var times = SocketTimes()
    private var bytesUp: UInt64 = 0
    private var bytesDown: UInt64 = 0
    private let openedAt: Int64

    /// What a datagram that waits holds of memory at the least, in bytes.
    private static let leastHeld = 192

    struct Peer: Hashable {
        var address: IPAddress
        var port: UInt16
    }

    init(id: SocketID, encoding: WireEncoding, kind: SocketKind, session: Session, target: SocketTarget?) {
        self.id = id
        self.encoding = encoding
        self.kind = kind
        self.session = session
        self.target = target
        self.peers = RecentPeers(limit: session.environment.settings.maxDatagramPeers)
        self.activity = session.now
        self.openedAt = session.now
    }

    var record: SocketRecord {
        var record = SocketRecord(socket: self.id, kind: self.kind, opened: self.openedAt)
        record.host = self.target?.host ?? self.boundTo?.description ?? ""
        record.port = self.target?.port ?? self.boundPort
        record.address = self.peer?.address ?? self.boundTo
        record.state = self.port == nil ? .opening : .open
        record.bytesUp = self.bytesUp
        record.bytesDown = self.bytesDown
        record.times = self.times
        return record
    }

    /// A bound one waits for whatever comes, as a listener does.
    var lastActivity: Int64? { self.target == nil ? nil : self.activity }

    // MARK: Opening

    func keep(_ slot: QuotaSlot?) {
        if self.isEnded { slot?.release() } else { self.slot = slot }
    }

    func open(_ slot: QuotaSlot?, local: IPAddress, ports: PortWalk, peer: IPAddress?) {
        self.keep(slot)
        self.open(local: local, ports: ports, peer: peer)
    }

    /// Binds the first of the ports that is free; without a local address, one that takes both families.
    func open(local: IPAddress?, ports: PortWalk, peer: IPAddress?) {
        guard !self.isEnded else { return }
        if let peer, let port = self.target?.port {
            self.peer = Peer(address: peer, port: port)
        }
        self.bind(local ?? .unspecified, PortAttempts(ports), mayFallBack: local == nil)
    }

    private func bind(_ local: IPAddress, _ attempts: PortAttempts, mayFallBack: Bool) {
        guard !self.isEnded else { return }
        var attempts = attempts
        let policy = self.boundTo == nil ? nil : self.session.policy
        guard let port = attempts.next(of: local, .udp, under: policy),
            let address = try? SocketAddress(local, port: port)
        else {
            self.fail(Refusal(.addressInUse, "no port is free"))
            return
        }
        do {
            self.bound(try DatagramPort(binding: address, on: self.session.eventLoop))
        } catch let error where Exhaustion.isBehind(error) {
            self.fail(.noResources)
        } catch  where mayFallBack && !local.isIPv4 {
            // A machine without IPv6.
            self.bind(.unspecifiedV4, PortAttempts(PortWalk(only: 0)), mayFallBack: false)
        } catch let error where attempts.goOn(after: error) {
            attempts.again(on: self.session.eventLoop) { self.bind(local, $0, mayFallBack: mayFallBack) }
        } catch {
            self.fail(.notBound(local, port, error))
        }
    }

    private func bound(_ port: DatagramPort) {
        self.port = port
        self.boundPort = UInt16(clamping: port.local.port ?? 0)
        guard self.session.completeOpening(self) else {
            port.close()
            return
        }
        port.start(onready: { [weak self] in self?.ready() }, onrefused: { [weak self] in self?.refused() })
        self.session.tell(.udpBound(self.id, port: self.boundPort), as: self.encoding)
        while let (peer, data) = self.early.popFirst() { self.write(data, to: peer ?? self.peer) }
        self.read()
    }

    func fail(_ refusal: Refusal) {
        guard !self.isEnded else { return }
        self.finish()
        self.session.refuseOpen(self, refusal)
    }

    // MARK: From the client

    func send(_ data: ByteBuffer) {
        guard self.target != nil else {
            self.session.refuse(
                self.id, Refusal(.protocolError, "socket \(self.id) has no peer; use send_to"), self.encoding)
            return
        }
        self.write(data, to: self.peer)
    }

    func sendTo(host: String, port: UInt16, _ data: ByteBuffer) {
        guard let target = self.session.target(self.id, host, port, .udp, nil, self.encoding) else { return }
        var data = data
        let waits = self.session.mustLookUp(target)
        let room = self.session.allowance.onNode.waitingMessages
        let cost = Session.messageCost + data.readableBytes
        if waits {
            guard room.take(cost, most: self.session.environment.settings.maxWaitingBytes) else {
                self.session.environment.observer.datagramDropped(.up)
                return
            }
            // Not the whole read that it came in.
            data = ByteBuffer(buffer: data)
        }
        self.session.addresses(of: target) { [data] result, _ in
            if waits { room.release(cost) }
            switch result {
            case .success(let addresses):
                guard !self.isEnded, let address = addresses.first else { return }
                let peer = Peer(address: address, port: port)
                self.peers.insert(peer)
                self.write(data, to: peer)
            case .failure(let refusal):
                guard !self.isEnded else { return }
                self.session.refuse(self.id, refusal, self.encoding)
            }
        }
    }

    private func write(_ data: ByteBuffer, to peer: Peer?) {
        guard !self.isEnded else { return }
        let count = data.readableBytes
        if count > 0 { self.activity = self.session.now }
        guard count <= self.session.environment.settings.maxDatagramBytes else {
            self.session.environment.observer.datagramDropped(.up)
            self.session.refuse(
                self.id, Refusal(.messageTooLarge, "a datagram of \(count) bytes cannot be sent"), self.encoding)
            return
        }
        guard let port = self.port else {
            // What a datagram holds of memory is more than its bytes.
            let held = max(count, Self.leastHeld) + Session.messageCost
            guard self.earlyBytes + held <= self.session.environment.settings.datagramQueueBytes else {
                self.session.environment.observer.datagramDropped(.up)
                return
            }
            self.earlyBytes += held
            self.early.append((peer, ByteBuffer(buffer: data)))
            return
        }
        guard let peer, let remote = self.remote(peer, port), self.session.drawDatagram(count, .up),
            port.send(data, to: remote, now: self.session.now) == .sent
        else {
            self.session.environment.observer.datagramDropped(.up)
            return
        }
        self.bytesUp += UInt64(count)
    }

    /// The peer's address in the family of the socket: an IPv6 socket reaches IPv4 peers by their mapped form.
    private func remote(_ peer: Peer, _ port: DatagramPort) -> SocketAddress? {
        guard case .v6 = port.local, peer.address.isIPv4 else {
            return try? SocketAddress(peer.address, port: peer.port)
        }
        return try? SocketAddress(peer.address.mapped, port: peer.port)
    }

    // MARK: From peers

    /// Datagrams have come, or an error has: a bounded number of them in one turn of the event loop.
    private func ready() {
        guard !self.isEnded, let port = self.port else { return }
        let now = self.session.environment.uptimeNanoseconds()
        var count = 0
        // Where every read may spend the budget it is one.
        while count < (self.session.isPaced ? 1 : 16) {
            // One byte more than the most: then a larger one is known by its size.
            let most = self.session.environment.settings.maxDatagramBytes + 1
            guard let (data, from) = port.receive(most: most, now: now) else { break }
            count += 1
            self.received(data, from)
            guard !self.isEnded else { return }
        }
        if count == 0 { port.wokeInVain(now: now) }
        self.readIsPending = false
        self.read()
    }

    private func received(_ data: ByteBuffer, _ from: SocketAddress) {
        guard let address = from.bareAddress else { return }
        let peer = Peer(address: address, port: UInt16(clamping: from.port ?? 0))
        let fits = data.readableBytes <= self.session.environment.settings.maxDatagramBytes
        let count = data.readableBytes
        guard fits, self.takes(peer), self.session.takesDatagram(),
            self.session.drawDatagram(count, .down)
        else {
            self.session.environment.observer.datagramDropped(.down)
            return
        }
        if count > 0 { self.activity = self.session.environment.uptimeNanoseconds() }
        self.bytesDown += UInt64(count)
        if self.times.firstByte == nil {
            self.times.firstByte = self.session.environment.uptimeNanoseconds() - self.openedAt
        }
        self.session.tell(.dataFrom(self.id, data, host: address.description, port: peer.port), as: self.encoding)
    }

    /// A bound socket takes datagrams from anyone but whom the denylist names, as a listener does connections.
    private func takes(_ peer: Peer) -> Bool {
        guard self.target == nil else { return peer == self.peer || self.peers.contains(peer) }
        return self.session.environment.policy.decideAccepted(from: peer.address).allowed
    }

    /// Nobody listens where a datagram went. The port says so once a second at most. v1 has no word for what ends nothing.
    private func refused() {
        guard !self.isEnded else { return }
        self.session.environment.observer.datagramDropped(.up)
        guard self.session.codec.version == .v2 else { return }
        let refusal = Refusal(.refused, "nobody listens where a datagram of socket \(self.id) was sent")
        self.session.tell(.refused(self.id, refusal), as: self.encoding)
    }

    private func read() {
        guard self.mayRead else { return }
        self.session.readWanted(self)
    }

    var mayRead: Bool { !self.readIsPending && !self.isEnded && self.port != nil }

    /// Without room what is read is dropped, so that what comes later is not old.
    let isSparse = true

    /// Datagrams wait in the kernel meanwhile, for which a read has no limit.
    func read(limit: Int) {
        self.readIsPending = true
        self.port?.awaitDatagram()
    }

    // MARK: Ends

    func close() {
        self.end(.clientClosed, "")
    }

    func terminate(_ reason: ReasonCode, _ message: String) {
        self.end(reason, message)
    }

    func sessionEnded() {
        self.end(.clientClosed, "")
    }

    private func end(_ reason: ReasonCode, _ message: String) {
        guard !self.isEnded else { return }
        self.finish()
        self.session.socketEnded(self, reason, message)
    }

    private func finish() {
        self.isEnded = true
        self.early.removeAll()
        self.port?.close()
        self.slot?.release()
        self.slot = nil
    }

    func reconsider(_ policy: Policy) -> PolicyDecision? {
        // Peers that it may no longer send to are no longer listened to either.
        self.peers.keep { [ties = self.session.tiedNames] candidate in
            SocketTarget(
                host: "", port: candidate.port, ties: ties.names(of: candidate.address),
                address: candidate.address, transport: .udp
            ).forbidden(by: policy) == nil
        }
        if let target = self.target {
            var target = target
            target.address = self.peer?.address ?? target.address
            return target.forbidden(by: policy)
        }
        guard let address = self.boundTo else { return nil }
        let decision = policy.decideBind(address: address, port: self.boundPort, transport: .udp)
        return decision.allowed ? nil : decision
    }
}

@available(*, unavailable)
extension DatagramSocket: Sendable {}

/// The peers a socket spoke to, the oldest forgotten first.
struct RecentPeers {
    private var order = Deque<DatagramSocket.Peer>()
    private var members: Set<DatagramSocket.Peer> = []
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    func contains(_ peer: DatagramSocket.Peer) -> Bool { self.members.contains(peer) }

    mutating func keep(where holds: (DatagramSocket.Peer) -> Bool) {
        self.order.removeAll { !holds($0) }
        self.members.formIntersection(self.order)
    }

    mutating func insert(_ peer: DatagramSocket.Peer) {
        guard self.members.insert(peer).inserted else { return }
        self.order.append(peer)
        if self.order.count > self.limit, let oldest = self.order.popFirst() { self.members.remove(oldest) }
    }
}
