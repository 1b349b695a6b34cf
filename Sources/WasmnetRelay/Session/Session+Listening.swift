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
        self.add(listener)
        self.reserve(.socket) { result in
            switch result {
            case .success(let slot): listener.open(slot, ports: ports)
            case .failure(let refusal): listener.fail(refusal)
            }
        }
    }

    func bindUDP(_ id: SocketID, _ host: String, _ port: UInt16, _ encoding: WireEncoding) {
        guard self.idIsFree(id, encoding) else { return }
        guard let (address, ports) = self.bindable(id, host, port, .udpListener, encoding) else { return }
        let socket = DatagramSocket(id: id, encoding: encoding, kind: .udpListener, session: self, target: nil)
        socket.boundTo = address
        self.open(socket) { socket.open($0, local: address, ports: ports, peer: nil) }
    }

    func connectUDP(_ id: SocketID, _ host: String, _ port: UInt16, _ encoding: WireEncoding) {
        guard self.idIsFree(id, encoding), let target = self.target(id, host, port, .udp, .udp, encoding) else {
            return
        }
        let socket = DatagramSocket(id: id, encoding: encoding, kind: .udp, session: self, target: target)
        self.open(socket) { slot in
            socket.keep(slot)
            self.addresses(of: target) { result, nanoseconds in
                socket.times.resolve = nanoseconds
                switch result {
                case .success(let addresses): socket.open(local: nil, ports: PortWalk(only: 0), peer: addresses.first)
                case .failure(let refusal): socket.fail(refusal)
                }
            }
        }
    }

    private func open(_ socket: DatagramSocket, _ body: @escaping (QuotaSlot?) -> Void) {
        self.add(socket)
        self.reserve(.socket) { result in
            switch result {
            case .success(let slot): body(slot)
            case .failure(let refusal): socket.fail(refusal)
            }
        }
    }

    /// `listen` on a bound socket tells its port once more.
    func listen(_ id: SocketID, _ encoding: WireEncoding) {
        if let listener = self.sockets[id] as? TargetListener {
            // The first one goes with its bind; each later one is told what the client knows.
            if listener.wasListened { self.countRefusal() }
            listener.wasListened = true
            listener.tellPort()
        } else {
            self.refuse(id, Refusal(.unknownSocket, "there is no listener \(id)"), encoding)
        }
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
        func refuse(_ refusal: Refusal) {
            var record = SocketRecord(socket: listener.id, kind: .accepted, opened: self.now)
            record.address = channel.remoteAddress?.bareAddress
            self.tellRefused(record, refusal)
            channel.close(promise: nil)
        }
        guard self.state == .live else { return refuse(Refusal(.draining, "the session ends")) }
        guard self.sockets.count < self.environment.settings.maxSocketsPerSession else {
            return refuse(Refusal(.maxConnections, "the session has its most sockets"))
        }
        let remote = channel.remoteAddress
        let target = SocketTarget(
            host: remote?.bareAddress?.description ?? "", port: UInt16(clamping: remote?.port ?? 0),
            address: remote?.bareAddress, transport: .tcp)
        self.reserve(.accepted) { result in
            let slot: QuotaSlot?
            switch result {
            case .success(let granted): slot = granted
            case .failure(let refusal): return refuse(refusal)
            }
            // After the wait for the slot, so that this is how it stands now.
            guard self.state == .live, !listener.isEnded, let id = self.takeAcceptedID() else {
                slot?.release()
                return refuse(Refusal(.draining, "the listener ends"))
            }
            let stream = TargetStream(
                id: id, encoding: listener.encoding, kind: .accepted, target: target, session: self)
            if let decision = stream.reconsider(self.policy) {
                slot?.release()
                return refuse(Refusal(decision))
            }
            guard stream.hold(slot) else { return }
            self.add(stream)
            self.countOpen(stream)
            self.tell(
                .accepted(listener.id, connection: id, remote: remote?.endpointText ?? ""), as: listener.encoding)
            let receiver = ReceiveAllocator(largest: self.environment.settings.readChunkBytes)
            try? channel.syncOptions?.setOption(.recvAllocator, value: receiver)
            stream.connected(
                Dial.Connection(channel: channel, address: target.address ?? .unspecified, receiver: receiver))
        }
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
