import DequeModule
import NIOCore
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// One UDP socket of a client: each datagram is relayed whole or not at all.
///
/// A connected one sends to its peer with `send`, and accepts datagrams from it and from the targets of `send_to`; a bound one
/// accepts them from anyone. Datagrams without room are dropped and counted, both ways. While the bandwidth is spent nothing is read.
final class DatagramSocket: WholeSocket, ReadingSocket {
    var core: SocketCore
    let context: SocketContext
    private let target: SocketTarget?
    /// The address the client bound; nil if it has a target.
    private let boundTo: IPAddress?
    private var port: DatagramPort?
    private var peer: DatagramPeer?
    private var peers: RecentPeers
    /// Datagrams waiting for the socket, in order.
    private var early = Deque<(DatagramPeer?, ByteBuffer)>()
    private var earlyBytes = 0
    private var readIsPending = false

    /// The least memory that a waiting datagram counts for, in bytes.
    private static let leastHeld = 192

    /// A connected socket.
    init(id: SocketID, encoding: WireEncoding, target: SocketTarget, context: SocketContext) {
        self.context = context
        (self.target, self.boundTo) = (target, nil)
        self.peers = RecentPeers(limit: context.settings.maxDatagramPeers)
        var facts = SocketRecord(socket: id, kind: .udp, opened: context.now)
        (facts.host, facts.port) = (target.host, target.port)
        self.core = SocketCore(.whole, facts, encoding: encoding)
        self.core.lastActivity = context.now
    }

    /// A bound socket. It waits for incoming datagrams, like a listener, and is never idle.
    init(id: SocketID, encoding: WireEncoding, boundTo address: IPAddress, port: UInt16, context: SocketContext) {
        self.context = context
        (self.target, self.boundTo) = (nil, address)
        self.peers = RecentPeers(limit: context.settings.maxDatagramPeers)
        var facts = SocketRecord(socket: id, kind: .udpListener, opened: context.now)
        (facts.host, facts.port, facts.address) = (address.description, port, address)
        self.core = SocketCore(.whole, facts, encoding: encoding)
    }

    var asSocket: Socket { .datagram(self) }

    // MARK: Opening

    /// Binds the first free port of these.
    func open(_ ports: PortWalk) {
        self.bind(self.boundTo ?? .unspecified, PortAttempts(ports), mayFallBack: false)
    }

    /// Binds any port of both families, for a peer.
    func open(toward peer: IPAddress?) {
        if let peer, let target = self.target {
            self.peer = DatagramPeer(address: peer, port: target.port)
            self.core.facts.address = peer
        }
        self.bind(.unspecified, PortAttempts(PortWalk(only: 0)), mayFallBack: true)
    }

    private func bind(_ local: IPAddress, _ attempts: PortAttempts, mayFallBack: Bool) {
        guard self.core.isOpening else { return }
        var attempts = attempts
        let policy = self.boundTo == nil ? nil : self.context.policy
        guard let port = attempts.next(of: local, .udp, under: policy),
            let address = try? SocketAddress(local, port: port)
        else {
            self.fail(Refusal(.addressInUse, "no port is free"))
            return
        }
        do {
            self.bound(try DatagramPort(binding: address, on: self.context.eventLoop))
        } catch let error where Exhaustion.isResourceExhaustion(error) {
            self.fail(.noResources)
        } catch  where mayFallBack && !local.isIPv4 {
            // A machine without IPv6.
            self.bind(.unspecifiedV4, PortAttempts(PortWalk(only: 0)), mayFallBack: false)
        } catch let error where attempts.goOn(after: error) {
            attempts.again(on: self.context.eventLoop) { self.bind(local, $0, mayFallBack: mayFallBack) }
        } catch {
            self.fail(.notBound(local, port, error))
        }
    }

    private func bound(_ port: DatagramPort) {
        self.port = port
        let number = UInt16(clamping: port.local.port ?? 0)
        if self.target == nil { self.core.facts.port = number }
        guard self.context.completeOpening(self) else { return }
        self.carryOut(self.core.machine.opened(allSent: true))
        port.start(onready: { [weak self] in self?.ready() }, onrefused: { [weak self] in self?.refused() })
        self.context.send(.udpBound(self.id, port: number), as: self.encoding)
        while let (peer, data) = self.early.popFirst() { self.write(data, to: peer ?? self.peer) }
        self.read()
    }

    // MARK: From the client

    func send(_ data: ByteBuffer) {
        guard self.target != nil else {
            self.context.refuse(
                self.id, Refusal(.protocolError, "socket \(self.id) has no peer; use send_to"), self.encoding)
            return
        }
        self.write(data, to: self.peer)
    }

    func sendTo(host: String, port: UInt16, _ data: ByteBuffer) {
        switch self.context.destinations.target(host, port, .udp) {
        case .failure(let refusal): self.context.refuse(self.id, refusal, self.encoding)
        case .success(let target): self.sendTo(target, data)
        }
    }

    private func sendTo(_ target: SocketTarget, _ data: ByteBuffer) {
        var data = data
        let waits = self.context.destinations.mustLookUp(target)
        let cost = MessageCosts.message + data.readableBytes
        if waits {
            guard self.context.takeWaitingRoom(cost) else { return self.context.datagramDropped(.up) }
            // Without keeping the whole read alive.
            data = ByteBuffer(buffer: data)
        }
        self.context.destinations.addresses(of: target) { [data] result, _ in
            if waits { self.context.releaseWaitingRoom(cost) }
            switch result {
            case .success(let addresses):
                guard !self.core.hasEnded, let address = addresses.first else { return }
                let peer = DatagramPeer(address: address, port: target.port)
                self.peers.insert(peer)
                self.write(data, to: peer)
            case .failure(let refusal):
                guard !self.core.hasEnded else { return }
                self.context.refuse(self.id, refusal, self.encoding)
            }
        }
    }

    private func write(_ data: ByteBuffer, to peer: DatagramPeer?) {
        guard !self.core.hasEnded else { return }
        let count = data.readableBytes
        if count > 0 { self.touch(self.context.now) }
        guard count <= self.context.settings.maxDatagramBytes else {
            self.context.datagramDropped(.up)
            self.context.refuse(
                self.id, Refusal(.messageTooLarge, "a datagram of \(count) bytes cannot be sent"), self.encoding)
            return
        }
        guard let port = self.port else {
            // A datagram takes more memory than its bytes.
            let held = max(count, Self.leastHeld) + MessageCosts.message
            guard self.earlyBytes + held <= self.context.settings.datagramQueueBytes else {
                self.context.datagramDropped(.up)
                return
            }
            self.earlyBytes += held
            self.early.append((peer, ByteBuffer(buffer: data)))
            return
        }
        guard let peer, let remote = self.remote(peer, port), self.context.drawDatagram(count, .up),
            port.send(data, to: remote, now: self.context.now) == .sent
        else {
            self.context.datagramDropped(.up)
            return
        }
        self.core.facts.bytesUp += UInt64(count)
    }

    /// The peer's address in the socket's family: an IPv6 socket reaches IPv4 peers by their mapped form.
    private func remote(_ peer: DatagramPeer, _ port: DatagramPort) -> SocketAddress? {
        guard case .v6 = port.local, peer.address.isIPv4 else {
            return try? SocketAddress(peer.address, port: peer.port)
        }
        return try? SocketAddress(peer.address.mapped, port: peer.port)
    }

    // MARK: From peers

    /// Datagrams or an error have arrived: handles a bounded number in one turn of the event loop.
    private func ready() {
        guard !self.core.hasEnded, let port = self.port else { return }
        let now = self.context.uptime
        var count = 0
        // One, if every read may spend the budget.
        while count < (self.context.isPaced ? 1 : 16) {
            // One byte more than the maximum: a larger datagram is recognized by its size.
            let most = self.context.settings.maxDatagramBytes + 1
            guard let (data, from) = port.receive(most: most, now: now) else { break }
            count += 1
            self.received(data, from)
            guard !self.core.hasEnded else { return }
        }
        if count == 0 { port.wokeInVain(now: now) }
        self.readIsPending = false
        self.read()
    }

    private func received(_ data: ByteBuffer, _ from: SocketAddress) {
        guard let address = from.hostAddress else { return }
        let peer = DatagramPeer(address: address, port: UInt16(clamping: from.port ?? 0))
        let fits = data.readableBytes <= self.context.settings.maxDatagramBytes
        let count = data.readableBytes
        guard fits, self.takes(peer), self.context.takesDatagram(),
            self.context.drawDatagram(count, .down)
        else {
            self.context.datagramDropped(.down)
            return
        }
        if count > 0 { self.touch(self.context.uptime) }
        self.core.facts.bytesDown += UInt64(count)
        if self.core.facts.times.firstByte == nil {
            self.core.facts.times.firstByte =
                self.context.uptime - self.core.facts.opened
        }
        self.context.send(.dataFrom(self.id, data, host: address.description, port: peer.port), as: self.encoding)
    }

    /// A bound socket accepts datagrams from anyone not on the denylist, as a listener does connections.
    private func takes(_ peer: DatagramPeer) -> Bool {
        guard self.target == nil else { return peer == self.peer || self.peers.contains(peer) }
        return self.context.takesPeer(peer.address)
    }

    /// There is no receiver for a datagram. The port reports this once a second at most. v1 has no message for an error that ends nothing.
    private func refused() {
        guard !self.core.hasEnded else { return }
        self.context.datagramDropped(.up)
        guard self.context.version == .v2 else { return }
        let refusal = Refusal(
            .refused, "nothing listens at the address that a datagram of socket \(self.id) was sent to")
        self.context.send(.refused(self.id, refusal), as: self.encoding)
    }

    private func read() {
        guard self.mayRead else { return }
        self.context.readWanted(self)
    }

    var mayRead: Bool { !self.readIsPending && !self.core.hasEnded && self.port != nil }

    /// Without room, datagrams are read and dropped, so that later ones are not stale.
    let isInteractive = true

    /// Datagrams wait in the kernel meanwhile; a read has no byte limit for them.
    func read(limit: Int) {
        self.readIsPending = true
        self.port?.awaitDatagram()
    }

    /// Records activity, except for a socket that is never idle.
    private func touch(_ now: Int64) {
        if self.core.lastActivity != nil { self.core.lastActivity = now }
    }

    // MARK: Ends

    func letGo() {
        self.early.removeAll()
        self.port?.close()
    }

    func reapply(_ policy: Policy) -> PolicyDecision? {
        // Peers that it may no longer send to may no longer send to it either.
        self.peers.keep { [destinations = self.context.destinations] candidate in
            SocketTarget(
                host: "", port: candidate.port, ties: destinations.names(of: candidate.address),
                address: candidate.address, transport: .udp
            ).forbidden(by: policy) == nil
        }
        if let target = self.target {
            var target = target
            target.address = self.peer?.address ?? target.address
            return target.forbidden(by: policy)
        }
        guard let address = self.boundTo else { return nil }
        let decision = policy.decideBind(address: address, port: self.core.facts.port, transport: .udp)
        return decision.allowed ? nil : decision
    }
}

@available(*, unavailable)
extension DatagramSocket: Sendable {}
