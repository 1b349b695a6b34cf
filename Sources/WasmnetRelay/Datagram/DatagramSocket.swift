import DequeModule
import NIOCore
import NIOPosix
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// One UDP socket of a client: datagrams whole or not at all.
///
/// A connected one has a peer that `send` goes to and takes datagrams from it and from whoever it was told to `send_to`; a bound one
/// takes them from anyone. What finds no room is dropped and counted, either way; while the client's bandwidth is spent nothing is read.
final class DatagramSocket: ChannelInboundHandler, ReadingSocket {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    let id: SocketID
    let encoding: WireEncoding
    let kind: SocketKind
    private let session: Session
    private let target: SocketTarget?
    private var slot: QuotaSlot?
    private var context: ChannelHandlerContext?
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
        record.state = self.context == nil ? .opening : .open
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
        guard let port = attempts.next(of: local, under: policy), let address = try? SocketAddress(local, port: port)
        else {
            self.fail(Refusal(.addressInUse, "no port is free"))
            return
        }
        let settings = self.session.environment.settings
        DatagramBootstrap(group: self.session.eventLoop)
            .channelOption(.autoRead, value: false)
            // Where every read may spend the budget they are small.
            .channelOption(.maxMessagesPerRead, value: UInt(self.session.isPaced ? 1 : 16))
            .channelOption(
                .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: settings.maxDatagramBytes + 1)
            )
            .channelOption(
                .writeBufferWaterMark,
                value: .init(low: settings.datagramQueueBytes / 2, high: settings.datagramQueueBytes)
            )
            .bind(to: address)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let channel): self.bound(channel)
                case .failure(let error) where Exhaustion.isBehind(error): self.fail(.noResources)
                case .failure where mayFallBack && !local.isIPv4:
                    // A machine without IPv6.
                    self.bind(.unspecifiedV4, PortAttempts(PortWalk(only: 0)), mayFallBack: false)
                case .failure(let error) where attempts.goOn(after: error):
                    attempts.again(on: self.session.eventLoop) { self.bind(local, $0, mayFallBack: mayFallBack) }
                case .failure(let error): self.fail(.notBound(local, port, error))
                }
            }
    }

    private func bound(_ channel: any Channel) {
        guard !self.isEnded else {
            channel.close(promise: nil)
            return
        }
        do {
            try channel.pipeline.syncOperations.addHandler(self)
        } catch {
            channel.close(promise: nil)
            self.fail(Refusal(.internalError, "the socket could not be set up"))
            return
        }
        self.boundPort = UInt16(clamping: channel.localAddress?.port ?? 0)
        guard self.session.completeOpening(self) else {
            channel.close(promise: nil)
            return
        }
        self.session.tell(.udpBound(self.id, port: self.boundPort), as: self.encoding)
        while let (peer, data) = self.early.popFirst() { self.write(data, to: peer ?? self.peer) }
        self.flush()
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
                self.session.flushSockets()
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
        guard let context = self.context else {
            guard self.earlyBytes + count <= self.session.environment.settings.datagramQueueBytes else {
                self.session.environment.observer.datagramDropped(.up)
                return
            }
            self.earlyBytes += count
            self.early.append((peer, ByteBuffer(buffer: data)))
            return
        }
        guard context.channel.isWritable, let peer, let remote = self.remote(peer, context.channel),
            self.session.drawDatagram(count, .up)
        else {
            self.session.environment.observer.datagramDropped(.up)
            return
        }
        self.bytesUp += UInt64(count)
        context.write(self.wrapOutboundOut(AddressedEnvelope(remoteAddress: remote, data: data)), promise: nil)
        self.session.markDirty(self)
    }

    /// The peer's address in the family of the socket: an IPv6 socket reaches IPv4 peers by their mapped form.
    private func remote(_ peer: Peer, _ channel: any Channel) -> SocketAddress? {
        guard case .v6? = channel.localAddress, peer.address.isIPv4 else {
            return try? SocketAddress(peer.address, port: peer.port)
        }
        return try? SocketAddress(peer.address.mapped, port: peer.port)
    }

    func flush() {
        self.context?.flush()
    }

    // MARK: From peers

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = self.unwrapInboundIn(data)
        guard !self.isEnded, let address = envelope.remoteAddress.bareAddress else { return }
        let peer = Peer(address: address, port: UInt16(clamping: envelope.remoteAddress.port ?? 0))
        // One byte more than the most may be a larger datagram, cut.
        let fits = envelope.data.readableBytes <= self.session.environment.settings.maxDatagramBytes
        let count = envelope.data.readableBytes
        guard fits, self.target == nil || peer == self.peer || self.peers.contains(peer), self.session.takesDatagram(),
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
        self.session.tell(
            .dataFrom(self.id, envelope.data, host: address.description, port: peer.port), as: self.encoding)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.readIsPending = false
        self.read()
    }

    private func read() {
        guard self.mayRead else { return }
        self.session.readWanted(self)
    }

    var mayRead: Bool { !self.readIsPending && !self.isEnded && self.context != nil }

    /// Without room what is read is dropped, so that what comes later is not old.
    let isSparse = true

    /// Datagrams wait in the kernel meanwhile, for which a read has no limit.
    func read(limit: Int) {
        self.readIsPending = true
        self.context?.read()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // An ICMP answer to an earlier datagram; UDP promises nothing, and the socket goes on.
        self.session.environment.observer.datagramDropped(.up)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.end(.targetReset, "the socket was closed")
        context.fireChannelInactive()
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
        self.flush()
        self.finish()
        self.session.socketEnded(self, reason, message)
    }

    private func finish() {
        self.isEnded = true
        self.early.removeAll()
        self.context?.close(promise: nil)
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
        let decision = policy.decideBind(address: address, port: self.boundPort)
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
