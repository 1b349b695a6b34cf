import NIOCore
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// Opens sockets. The order is the same for all kinds: is the id free and the request valid, does the policy allow the name, is there a
/// slot, what are the addresses and which of them does the policy allow; only those are dialed. After every wait, earlier
/// decisions are made again: ``mayGoOn(_:)``. On the session's event loop.
final class Opener {
    private let core: SessionCore
    private let table: SocketTable
    private let messages: ClientMessages
    private let traffic: Traffic
    private let log: SessionLog
    private let slots: Slots
    let destinations: Destinations

    init(
        _ core: SessionCore, _ table: SocketTable, _ messages: ClientMessages, _ traffic: Traffic, _ log: SessionLog
    ) {
        self.core = core
        self.table = table
        self.messages = messages
        self.traffic = traffic
        self.log = log
        self.slots = Slots(core)
        self.destinations = Destinations(core, log, self.slots)
    }

    // MARK: Each kind

    func open(_ request: OpenRequest, _ context: SocketContext) {
        guard self.idIsFree(request) else { return }
        switch request.kind {
        case .tcp, .tls: self.connect(request, context)
        case .udp: self.connectUDP(request, context)
        case .listener: self.bind(request, context)
        case .udpListener: self.bindUDP(request, context)
        case .accepted: break
        }
    }

    private func connect(_ request: OpenRequest, _ context: SocketContext) {
        guard let target = self.target(of: request, .tcp) else { return }
        let stream = TargetStream(
            id: request.id, encoding: request.encoding, kind: request.kind, target: target, context: context)
        self.open(stream) { self.lookUp(target, for: stream) { self.dial(stream, $0) } }
    }

    private func connectUDP(_ request: OpenRequest, _ context: SocketContext) {
        guard let target = self.target(of: request, .udp) else { return }
        let socket = DatagramSocket(id: request.id, encoding: request.encoding, target: target, context: context)
        self.open(socket) { self.lookUp(target, for: socket) { socket.open(toward: $0.first) } }
    }

    private func bind(_ request: OpenRequest, _ context: SocketContext) {
        guard let (address, ports) = self.bindable(request, .tcp) else { return }
        let listener = TargetListener(
            id: request.id, encoding: request.encoding, address: address, port: request.port, context: context)
        self.open(listener) { listener.open(ports) }
    }

    private func bindUDP(_ request: OpenRequest, _ context: SocketContext) {
        guard let (address, ports) = self.bindable(request, .udp) else { return }
        let socket = DatagramSocket(
            id: request.id, encoding: request.encoding, boundTo: address, port: request.port, context: context)
        self.open(socket) { socket.open(ports) }
    }

    /// `listen` on a bound socket reports its port once more.
    func listen(_ id: SocketID, _ encoding: WireEncoding) {
        guard let listener = self.table.listener(id) else {
            return self.traffic.refuse(id, Refusal(.unknownSocket, "there is no listener \(id)"), encoding)
        }
        listener.listen()
    }

    /// Looks up a name for the client; returns only addresses that it could reach.
    func resolve(_ id: SocketID, _ name: String, _ encoding: WireEncoding) {
        guard id != .session else {
            return self.traffic.refuse(id, Refusal(.protocolError, "id 0 is the session"), encoding)
        }
        // Port 0 means "any port": the port rules of the name are applied to the connect that follows.
        switch self.destinations.target(name, nil, .tcp) {
        case .failure(let refusal): self.traffic.refuse(id, refusal, encoding)
        case .success(let target):
            self.destinations.addresses(of: target) { result, _ in
                switch result {
                case .success(let addresses):
                    self.messages.send(.resolved(id, addresses: addresses.map(\.description)), as: encoding)
                case .failure(let refusal): self.traffic.refuse(id, refusal, encoding)
                }
            }
        }
    }

    // MARK: Before the socket exists

    private func idIsFree(_ request: OpenRequest) -> Bool {
        let (id, encoding) = (request.id, request.encoding)
        let most = self.core.environment.settings.maxSocketsPerSession
        if id == .session {
            self.traffic.refuse(id, Refusal(.protocolError, "id 0 is the session and cannot be a socket"), encoding)
        } else if id >= .firstAccepted {
            self.traffic.refuse(id, Refusal(.protocolError, "ids from 2^52 on are reserved for the node"), encoding)
        } else if self.table[id] != nil {
            self.traffic.refuse(id, Refusal(.duplicateID, "socket \(id) is in use"), encoding)
        } else if self.core.phase == .draining {
            self.refuse(request, Refusal(.draining, "the node is going away"))
        } else if self.table.count >= most {
            self.refuse(request, Refusal(.maxConnections, "a session has at most \(most) sockets"))
        } else {
            return true
        }
        return false
    }

    private func target(of request: OpenRequest, _ transport: TransportProtocol) -> SocketTarget? {
        self.allowed(self.destinations.target(request.host, request.port, transport), request)
    }

    private func bindable(_ request: OpenRequest, _ transport: TransportProtocol) -> (IPAddress, PortWalk)? {
        self.allowed(self.destinations.bindable(request.host, request.port, transport), request)
    }

    /// The result of a check; a refusal is sent to the client.
    private func allowed<Place>(_ place: Result<Place, Refusal>, _ request: OpenRequest) -> Place? {
        switch place {
        case .success(let place): return place
        case .failure(let refusal):
            var record = SocketRecord(socket: request.id, kind: request.kind, opened: self.core.now)
            (record.host, record.port) = (request.host, request.port)
            self.log.openRefused(record, refusal)
            self.refuse(request, refusal)
            return nil
        }
    }

    /// Refuses an open before the socket exists. What the client sent right after it is treated like messages that cross a socket's end.
    private func refuse(_ request: OpenRequest, _ refusal: Refusal) {
        self.table.rememberClosed(request.id, crossingEnds: self.core.crossingEnds)
        self.traffic.refuse(request.id, refusal, request.encoding)
    }

    // MARK: Steps

    /// Adds a socket to the table, and reserves its slot.
    func open(_ socket: some SessionSocket, then body: @escaping () -> Void) {
        self.table.add(socket)
        self.slots.reserve(.socket) { result, isLate in
            switch result {
            case .failure(let refusal): socket.fail(refusal)
            case .success(let slot):
                if socket.hold(slot), !isLate || self.mayGoOn(socket) { body() }
            }
        }
    }

    /// The addresses of a socket's target that the policy allows.
    private func lookUp(
        _ target: SocketTarget, for socket: some SessionSocket, then body: @escaping ([IPAddress]) -> Void
    ) {
        self.destinations.addresses(of: target) { result, nanoseconds in
            socket.core.facts.times.resolve = nanoseconds
            switch result {
            case .success(let addresses):
                if nanoseconds == nil || self.mayGoOn(socket) { body(addresses) }
            case .failure(let refusal): socket.fail(refusal)
            }
        }
    }

    private func dial(_ stream: TargetStream, _ addresses: [IPAddress]) {
        let environment = self.core.environment
        let target = stream.target
        let start = environment.uptimeNanoseconds()
        // A guest that resolved a name and connects to the address means the name.
        let serverName = (target.name ?? target.ties.last)?.text
        let dial = Dial(
            eventLoop: self.core.eventLoop, settings: environment.settings, connector: environment.connector,
            host: target.host, port: target.port, addresses: addresses,
            tls: stream.core.kind == .tls ? (environment.targetTLS, serverName) : nil,
            denial: { address in
                target.reach([address], under: self.core.policy).denial.map {
                    Refusal($0, host: target.host, port: target.port)
                }
            }
        ) { result in
            self.core.readTime()
            stream.core.facts.times.dial = self.core.now - start
            switch result {
            case .success(let connection):
                self.log.took(.dial, nanoseconds: self.core.now - start)
                stream.connected(connection)
            case .failure(let refusal): stream.fail(refusal)
            }
        }
        stream.start(dial)
        dial.start(timeout: self.core.connectionTimeout)
    }

    /// The one place where an opening is decided again after it waited, for a slot, a lookup, a dial or a bind: the socket must
    /// still be opening and own its id, and the present policy, with the denylist, must allow it. One whose session has ended
    /// delivers what it was given.
    ///
    /// - Returns: false if it may not continue. Then it has failed, or had ended before.
    private func mayGoOn(_ socket: some SessionSocket) -> Bool {
        guard socket.core.isOpening, self.core.phase == .ended || self.table.holds(socket) else { return false }
        guard let decision = socket.reapply(self.core.policy) else { return true }
        socket.fail(Refusal(decision, of: socket.core))
        return false
    }

    /// The last step of every opening that waited. Counts the socket as open, unless its session has ended.
    ///
    /// - Returns: false if it may not continue. Then it has failed, or had ended before.
    func completeOpening(_ socket: some SessionSocket) -> Bool {
        guard self.mayGoOn(socket) else { return false }
        if self.core.phase != .ended { self.countOpen(socket) }
        return true
    }

    func countOpen(_ socket: some SessionSocket) {
        socket.core.isOpen = true
        self.log.socketOpened(socket.core.kind)
    }

    // MARK: Incoming connections

    func accept(_ channel: any Channel, from listener: TargetListener) {
        self.core.readTime()
        let remote = channel.remoteAddress
        func refuse(_ refusal: Refusal) {
            var record = SocketRecord(socket: listener.id, kind: .accepted, opened: self.core.now)
            record.address = remote?.hostAddress
            self.log.openRefused(record, refusal)
            channel.close(promise: nil)
        }
        if let refusal = self.refusalOfAccept(from: listener) { return refuse(refusal) }
        let target = SocketTarget(
            host: remote?.hostAddress?.description ?? "", port: UInt16(clamping: remote?.port ?? 0),
            address: remote?.hostAddress, transport: .tcp)
        self.slots.reserve(.accepted) { result, isLate in
            let slot: QuotaSlot?
            switch result {
            case .success(let granted): slot = granted
            case .failure(let refusal): return refuse(refusal)
            }
            if isLate, let refusal = self.refusalOfAccept(from: listener) { return refuse(refusal) }
            guard let id = self.table.takeAcceptedID() else {
                return refuse(Refusal(.draining, "the listener ends"))
            }
            let stream = TargetStream(
                id: id, encoding: listener.encoding, kind: .accepted, target: target, context: listener.context)
            if let decision = stream.reapply(self.core.policy) { return refuse(Refusal(decision)) }
            let receiver = ReceiveAllocator(largest: self.core.environment.settings.wideReadChunkBytes)
            try? channel.syncOptions?.setOption(.recvAllocator, value: receiver)
            let address = target.address ?? .unspecified
            guard stream.attach(Dial.Connection(channel: channel, address: address, receiver: receiver)) else {
                return refuse(.notSetUp(target.host))
            }
            _ = stream.hold(slot)
            self.table.add(stream)
            self.countOpen(stream)
            self.messages.send(
                .accepted(listener.id, connection: id, remote: remote?.endpointText ?? ""), as: listener.encoding)
            stream.begin()
        }
    }

    /// The reason to refuse a listener's connection, before the wait for its slot and after it.
    private func refusalOfAccept(from listener: TargetListener) -> Refusal? {
        guard self.core.phase == .live else { return Refusal(.draining, "the session ends") }
        guard self.table.holds(listener) else { return Refusal(.draining, "the listener ends") }
        guard self.table.count < self.core.environment.settings.maxSocketsPerSession else {
            return Refusal(.maxConnections, "the session has its maximum number of sockets")
        }
        return nil
    }
}

@available(*, unavailable)
extension Opener: Sendable {}
