import Logging
import NIOCore
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// Opening sockets. The order is the same for all kinds: is the id free and the request sound, does the policy allow the name, is
/// there a slot, which addresses are there and which of them does the policy allow; only those are dialed.
extension Session {
    func connect(_ id: SocketID, _ host: String, _ port: UInt16, _ kind: SocketKind, _ encoding: WireEncoding) {
        guard self.idIsFree(id, encoding), let target = self.target(id, host, port, .tcp, kind, encoding) else {
            return
        }
        let stream = TargetStream(id: id, encoding: encoding, kind: kind, target: target, session: self)
        self.add(stream)
        self.reserve(.socket) { result in
            switch result {
            case .failure(let refusal): stream.fail(refusal)
            case .success(let slot):
                guard stream.hold(slot) else { return }
                self.addresses(of: target) { result, nanoseconds in
                    stream.times.resolve = nanoseconds
                    switch result {
                    case .success(let addresses): self.dial(stream, addresses)
                    case .failure(let refusal): stream.fail(refusal)
                    }
                }
            }
        }
    }

    private func dial(_ stream: TargetStream, _ addresses: [IPAddress]) {
        guard stream.isDialing else { return }
        let environment = self.environment
        let target = stream.target
        let start = environment.uptimeNanoseconds()
        let dial = Dial(
            eventLoop: self.eventLoop, settings: environment.settings, connector: environment.connector,
            host: target.host, port: target.port,
            addresses: addresses,
            // A guest that resolved a name and connects to the address means the name.
            tls: stream.kind == .tls ? (environment.targetTLS, (target.name ?? target.ties.last)?.text) : nil,
            denial: { address in
                target.reach([address], under: self.policy).denial.map {
                    Refusal($0, host: target.host, port: target.port)
                }
            }
        ) { result in
            self.now = environment.uptimeNanoseconds()
            stream.times.dial = self.now - start
            switch result {
            case .success(let connection):
                environment.observer.took(.dial, nanoseconds: self.now - start)
                stream.connected(connection)
            case .failure(let refusal): stream.fail(refusal)
            }
        }
        stream.start(dial)
        dial.start(timeout: .milliseconds(Int64(self.policy.limits.connectionTimeoutSeconds * 1000)))
    }

    /// Looks a name up for the client; answers only what it could reach.
    func resolve(_ id: SocketID, _ name: String, _ encoding: WireEncoding) {
        guard id != .session else {
            self.refuse(id, Refusal(.protocolError, "id 0 is the session"), encoding)
            return
        }
        // Port 0 stands for "any port": the rules of a name's port are held against the connect that follows.
        guard let target = self.target(id, name, nil, .tcp, nil, encoding) else { return }
        self.addresses(of: target) { result, _ in
            switch result {
            case .success(let addresses):
                self.tell(.resolved(id, addresses: addresses.map(\.description)), as: encoding)
            case .failure(let refusal): self.refuse(id, refusal, encoding)
            }
        }
    }

    // MARK: Steps

    func idIsFree(_ id: SocketID, _ encoding: WireEncoding) -> Bool {
        if id == .session {
            self.refuse(id, Refusal(.protocolError, "id 0 is the session and opens nothing"), encoding)
        } else if id >= .firstAccepted {
            self.refuse(id, Refusal(.protocolError, "ids from 2^52 on are the node's"), encoding)
        } else if self.sockets[id] != nil {
            self.refuse(id, Refusal(.duplicateID, "socket \(id) is in use"), encoding)
        } else if self.state == .draining {
            self.refuseOpen(id, Refusal(.draining, "the node is going away"), encoding)
        } else if self.sockets.count >= self.environment.settings.maxSocketsPerSession {
            let most = self.environment.settings.maxSocketsPerSession
            self.refuseOpen(id, Refusal(.maxConnections, "a session has at most \(most) sockets"), encoding)
        } else {
            return true
        }
        return false
    }

    /// Refuses an open before there is a socket. What the client sent right behind it is as what crosses a socket's end.
    func refuseOpen(_ id: SocketID, _ refusal: Refusal, _ encoding: WireEncoding) {
        self.recent.insert(id, crossingEnds: self.now + self.environment.settings.crossingTime.nanoseconds)
        self.refuse(id, refusal, encoding)
    }

    func add(_ socket: any SessionSocket) {
        self.sockets[socket.id] = socket
        self.recent.remove(socket.id)
    }

    /// Reads where a request leads, and asks the policy about the name; answers the client and nil when it leads nowhere.
    ///
    /// - Parameter port: nil when only the name is meant (`resolve`).
    func target(
        _ id: SocketID, _ host: String, _ port: UInt16?, _ transport: TransportProtocol, _ kind: SocketKind?,
        _ encoding: WireEncoding
    ) -> SocketTarget? {
        var target = SocketTarget(host: host, port: port ?? 0, transport: transport)
        var refusal: Refusal?
        if port == 0 { refusal = Refusal(.protocolError, "port 0 cannot be connected to") }
        do {
            switch try Destination(parsing: host) {
            case .address(let address):
                target.address = address
                target.ties = self.tiedNames.names(of: address)
            case .name(let name):
                target.name = name
            }
        } catch {
            refusal = refusal ?? Refusal(.protocolError, error.description)
        }
        if refusal == nil {
            let denial = target.forbidden(by: self.policy)
            refusal = denial.map { Refusal($0) }
            if let denial { self.compareWithShadow(target, denial: denial) }
        }
        guard let refusal else { return target }
        if let kind {
            var record = SocketRecord(socket: id, kind: kind, opened: self.now)
            record.host = host
            record.port = port ?? 0
            self.tellRefused(record, refusal)
            self.refuseOpen(id, refusal, encoding)
        } else {
            self.refuse(id, refusal, encoding)
        }
        return nil
    }

    func reserve(_ what: Reservation, then body: @escaping (Result<QuotaSlot?, Refusal>) -> Void) {
        let opens = what != .resolve
        guard !opens || self.environment.takeDescriptor() else { return body(.failure(.noResources)) }
        let (observer, descriptors) = (self.environment.observer, self.environment.descriptors)
        let body = NIOLoopBound(
            { (result: Result<QuotaSlot?, QuotaRefusal>) in
                if case .failure(let refusal) = result { observer.quotaRefused(refusal.kind) }
                if opens, case .failure = result { descriptors.giveBack() }
                body(
                    result.map { opens ? QuotaSlot(.socket, of: DescriptorSlot($0, descriptors)) : $0 }
                        .mapError(Refusal.init))
            }, eventLoop: self.eventLoop)
        let eventLoop = self.eventLoop
        let answer = self.allowance.reserve(what, now: self.environment.clock.now()) { result in
            eventLoop.execute { body.value(result) }
        }
        if let answer { body.value(answer) }
    }

    /// The addresses of a target that the policy lets through; tied to their name from now on.
    ///
    func addresses(of target: SocketTarget, then body: @escaping NameLookups.Completion) {
        if let address = target.address {
            body(self.allowed([address], target), nil)
            return
        }
        guard let name = target.name else {
            body(.failure(Refusal(.nameNotFound, "\(target.host) is no name")), nil)
            return
        }
        let timeout = TimeAmount.milliseconds(Int64(self.policy.limits.connectionTimeoutSeconds * 1000))
        self.names.addresses(of: name, within: timeout) { then in
            self.reserve(.resolve) { then($0.map { _ in }) }
        } completion: { result, time in
            let allowed = result.flatMap { self.allowed($0, target) }
            if case .success(let addresses) = allowed { self.tiedNames.tie(addresses, to: name) }
            body(allowed, time)
        }
    }

    /// Whether a lookup must be waited for.
    func mustLookUp(_ target: SocketTarget) -> Bool {
        target.address == nil && target.name.map { self.names.recent($0) == nil } ?? false
    }

    private func allowed(_ addresses: [IPAddress], _ target: SocketTarget) -> Result<[IPAddress], Refusal> {
        let (allowed, denial) = target.reach(addresses, under: self.policy)
        self.compareWithShadow(target, addresses, allowed: !allowed.isEmpty)
        guard allowed.isEmpty else { return .success(allowed) }
        return .failure(
            denial.map { Refusal($0, host: target.host, port: target.port) }
                ?? Refusal(.nameNotFound, "\(target.host) has no address"))
    }

    // MARK: Answers

    /// The last step of every opening, whatever it waited for: the socket must still be the one of its id, and the policy of this
    /// moment must allow it. Counts it as open. One whose session has ended only delivers what it was given, and is not counted.
    ///
    /// - Returns: false where it may not go on. Then it has failed, or had ended before.
    func completeOpening(_ socket: any SessionSocket) -> Bool {
        guard self.state == .ended || self.sockets[socket.id] === socket else { return false }
        if let decision = socket.reconsider(self.policy) {
            socket.fail(self.refusal(decision, of: socket))
            return false
        }
        if self.state != .ended { self.countOpen(socket) }
        return true
    }

    func countOpen(_ socket: any SessionSocket) {
        socket.isOpen = true
        self.environment.observer.socketOpened(socket.kind)
    }

    /// An open that did not come to be: the id is free again. What the client sent before it learns of the refusal is no error of its own.
    ///
    /// - Parameter wasTried: whether a dial was made: then it is no message that came to nothing.
    func refuseOpen(_ socket: any SessionSocket, _ refusal: Refusal, wasTried: Bool = false) {
        guard self.remove(socket, byClient: false) else { return }
        self.tellRefused(socket.record, refusal)
        if !wasTried { self.countRefusal() }
        self.tell(.refused(socket.id, refusal), as: socket.encoding)
        self.endIfDrained()
    }

    func announceConnected(_ stream: TargetStream, channel: any Channel, alpn: String?) {
        let local = self.policy.showLocal ? channel.localAddress : channel.localAddress?.withoutHost
        self.tell(
            .connected(
                stream.id, local: local?.endpointText ?? "",
                remote: channel.remoteAddress?.endpointText ?? "", alpn: alpn),
            as: stream.encoding)
    }
}

extension Refusal {
    init(_ refusal: QuotaRefusal) {
        let code: ReasonCode =
            switch refusal.kind {
            case .sessions: .maxSessions
            case .sockets: .maxConnections
            case .connectRate, .resolveRate: .connectRate
            case .bandwidth, .dayBytes: .byteQuota
            case .unanswered: .overloaded
            }
        self.init(code, refusal.message, retryAfterMilliseconds: refusal.retryAfterMilliseconds)
    }
}
