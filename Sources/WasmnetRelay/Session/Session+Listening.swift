import NIOCore
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// Ports bound for clients, and the connections that come in on them.
extension Session {
    func bind(_ id: SocketID, _ host: String, _ port: UInt16, _ encoding: WireEncoding) {
        guard self.idIsFree(id, encoding) else { return }
        guard let (address, ports) = self.bindable(id, host, port, .listener, encoding) else { return }
        let listener = TargetListener(id: id, encoding: encoding, session: self, address: address, port: port)
        self.open(listener) { listener.open(ports) }
    }

    func bindUDP(_ id: SocketID, _ host: String, _ port: UInt16, _ encoding: WireEncoding) {
        guard self.idIsFree(id, encoding) else { return }
        guard let (address, ports) = self.bindable(id, host, port, .udpListener, encoding) else { return }
        let socket = DatagramSocket(id: id, encoding: encoding, session: self, boundTo: address)
        self.open(socket) { socket.open(ports) }
    }

    func connectUDP(_ id: SocketID, _ host: String, _ port: UInt16, _ encoding: WireEncoding) {
        guard self.idIsFree(id, encoding), let target = self.target(id, host, port, .udp, .udp, encoding) else {
            return
        }
        let socket = DatagramSocket(id: id, encoding: encoding, session: self, target: target)
        self.open(socket) { self.lookUp(target, for: socket) { socket.open(toward: $0.first) } }
    }

    /// `listen` on a bound socket tells its port once more.
    func listen(_ id: SocketID, _ encoding: WireEncoding) {
        guard case .listener(let listener)? = self.sockets[id] else {
            return self.refuse(id, Refusal(.unknownSocket, "there is no listener \(id)"), encoding)
        }
        listener.listen()
    }

    /// Where a request may be bound: its address, and the ports to try in this order.
    private func bindable(
        _ id: SocketID, _ host: String, _ port: UInt16, _ kind: SocketKind, _ encoding: WireEncoding
    ) -> (IPAddress, PortWalk)? {
        var record = SocketRecord(socket: id, kind: kind, opened: self.now)
        record.host = host
        record.port = port
        let literal = host == "localhost" ? "127.0.0.1" : host
        guard let address = IPAddress(literal) else {
            let refusal = Refusal(.protocolError, "an address to bind is an IP literal")
            self.tellRefused(record, refusal)
            self.refuseOpen(id, refusal, encoding)
            return nil
        }
        let policy = self.policy
        let decision = policy.decideBind(
            address: address, port: port, transport: kind == .udpListener ? .udp : .tcp)
        guard decision.allowed else {
            self.tellRefused(record, Refusal(decision))
            self.refuseOpen(id, Refusal(decision), encoding)
            return nil
        }
        return (address, port == 0 ? PortWalk(policy.bindPorts) : PortWalk(only: port))
    }

    func accept(_ channel: any Channel, from listener: TargetListener) {
        self.now = self.environment.uptimeNanoseconds()
        let remote = channel.remoteAddress
        func refuse(_ refusal: Refusal) {
            var record = SocketRecord(socket: listener.id, kind: .accepted, opened: self.now)
            record.address = remote?.bareAddress
            self.tellRefused(record, refusal)
            channel.close(promise: nil)
        }
        if let refusal = self.refusalOfAccept(from: listener) { return refuse(refusal) }
        let target = SocketTarget(
            host: remote?.bareAddress?.description ?? "", port: UInt16(clamping: remote?.port ?? 0),
            address: remote?.bareAddress, transport: .tcp)
        self.reserve(.accepted) { result, isLate in
            let slot: QuotaSlot?
            switch result {
            case .success(let granted): slot = granted
            case .failure(let refusal): return refuse(refusal)
            }
            if isLate, let refusal = self.refusalOfAccept(from: listener) { return refuse(refusal) }
            guard let id = self.takeAcceptedID() else { return refuse(Refusal(.draining, "the listener ends")) }
            let stream = TargetStream(
                id: id, encoding: listener.encoding, kind: .accepted, target: target, session: self)
            if let decision = stream.reconsider(self.policy) { return refuse(Refusal(decision)) }
            let receiver = ReceiveAllocator(largest: self.environment.settings.wideReadChunkBytes)
            try? channel.syncOptions?.setOption(.recvAllocator, value: receiver)
            let address = target.address ?? .unspecified
            guard stream.attach(Dial.Connection(channel: channel, address: address, receiver: receiver)) else {
                return refuse(.notSetUp(target.host))
            }
            _ = stream.hold(slot)
            self.add(.stream(stream))
            self.countOpen(stream)
            self.tell(
                .accepted(listener.id, connection: id, remote: remote?.endpointText ?? ""), as: listener.encoding)
            stream.begin()
        }
    }

    /// What speaks against a connection of a listener, before the wait for its slot and after it.
    private func refusalOfAccept(from listener: TargetListener) -> Refusal? {
        guard self.state == .live else { return Refusal(.draining, "the session ends") }
        guard self.holds(listener) else { return Refusal(.draining, "the listener ends") }
        guard self.sockets.count < self.environment.settings.maxSocketsPerSession else {
            return Refusal(.maxConnections, "the session has its most sockets")
        }
        return nil
    }

    private func takeAcceptedID() -> SocketID? {
        for _ in 0...self.sockets.count {
            let id = self.nextAccepted
            self.nextAccepted = id == .maximumAccepted ? .firstAccepted : id + 1
            if self.sockets[id] == nil { return id }
        }
        return nil
    }
}
