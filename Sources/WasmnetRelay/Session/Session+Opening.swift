import Logging
import NIOCore
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// Opening sockets. The order is the same for all kinds: is the id free and the request sound, does the policy allow the name, is
/// there a slot, which addresses are there and which of them does the policy allow; only those are dialed. Whatever was waited for, what
/// was decided before is decided again: ``mayGoOn(_:)``.
extension Session {
    func connect(_ id: SocketID, _ host: String, _ port: UInt16, _ kind: SocketKind, _ encoding: WireEncoding) {
        guard self.idIsFree(id, encoding), let target = self.target(id, host, port, .tcp, kind, encoding) else {
            return
        }
        let stream = TargetStream(id: id, encoding: encoding, kind: kind, target: target, session: self)
        self.open(stream) { self.lookUp(target, for: stream) { self.dial(stream, $0) } }
    }

    private func dial(_ stream: TargetStream, _ addresses: [IPAddress]) {
        let environment = self.environment
        let target = stream.target
        let start = environment.uptimeNanoseconds()
        let dial = Dial(
            eventLoop: self.eventLoop, settings: environment.settings, connector: environment.connector,
            host: target.host, port: target.port,
            addresses: addresses,
            // A guest that resolved a name and connects to the address means the name.
            tls: stream.core.kind == .tls ? (environment.targetTLS, (target.name ?? target.ties.last)?.text) : nil,
            denial: { address in
                target.reach([address], under: self.policy).denial.map {
                    Refusal($0, host: target.host, port: target.port)
                }
            }
        ) { result in
            self.now = environment.uptimeNanoseconds()
            stream.core.facts.times.dial = self.now - start
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

    func add(_ socket: Socket) {
        let id = socket.base.id
        self.sockets[id] = socket
        self.recent.remove(id)
    }

    /// Takes a socket into the table, and reserves its slot.
    func open(_ socket: some SessionSocket, then body: @escaping () -> Void) {
        self.add(socket.asSocket)
        self.reserve(.socket) { result, isLate in
            switch result {
            case .failure(let refusal): socket.fail(refusal)
            case .success(let slot):
                if socket.hold(slot), !isLate || self.mayGoOn(socket) { body() }
            }
        }
    }

    /// The addresses of a socket's target that the policy lets through.
    func lookUp(_ target: SocketTarget, for socket: some SessionSocket, then body: @escaping ([IPAddress]) -> Void) {
        self.addresses(of: target) { result, nanoseconds in
            socket.core.facts.times.resolve = nanoseconds
            switch result {
            case .success(let addresses):
                if nanoseconds == nil || self.mayGoOn(socket) { body(addresses) }
            case .failure(let refusal): socket.fail(refusal)
            }
        }
    }

    /// The one place where an opening is decided again after what it waited for, be that a slot, a lookup, a dial or a bind: the socket must
    /// still be opening and the one of its id, and the policy of this moment, with the denylist, must allow it. One whose session has ended
    /// delivers what it was given.
    ///
    /// - Returns: false where it may not go on. Then it has failed, or had ended before.
    private func mayGoOn(_ socket: some SessionSocket) -> Bool {
        guard socket.core.isOpening, self.state == .ended || self.holds(socket) else { return false }
        guard let decision = socket.reconsider(self.policy) else { return true }
        socket.fail(self.refusal(decision, of: socket))
        return false
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

    /// - Parameter body: is given the slot, or why there is none, and whether that was waited for.
    func reserve(_ what: Reservation, then body: @escaping (Result<QuotaSlot?, Refusal>, _ isLate: Bool) -> Void) {
        let opens = what != .resolve
        guard !opens || self.environment.takeDescriptor() else { return body(.failure(.noResources), false) }
        let (observer, descriptors) = (self.environment.observer, self.environment.descriptors)
        let body = NIOLoopBound(
            { (result: Result<QuotaSlot?, QuotaRefusal>, isLate: Bool) in
                if case .failure(let refusal) = result { observer.quotaRefused(refusal.kind) }
                if opens, case .failure = result { descriptors.giveBack() }
                body(
                    result.map { opens ? QuotaSlot(.socket, of: DescriptorSlot($0, descriptors)) : $0 }
                        .mapError(Refusal.init), isLate)
            }, eventLoop: self.eventLoop)
        let eventLoop = self.eventLoop
        let answer = self.allowance.reserve(what, now: self.environment.clock.now()) { result in
            eventLoop.execute { body.value(result, true) }
        }
        if let answer { body.value(answer, false) }
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
            self.reserve(.resolve) { result, _ in then(result.map { _ in }) }
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

    /// The last step of every opening that waited for something. Counts the socket as open; not where its session has ended.
    ///
    /// - Returns: false where it may not go on. Then it has failed, or had ended before.
    func completeOpening(_ socket: some SessionSocket) -> Bool {
        guard self.mayGoOn(socket) else { return false }
        if self.state != .ended { self.countOpen(socket) }
        return true
    }

    func countOpen(_ socket: some SessionSocket) {
        socket.core.isOpen = true
        self.environment.observer.socketOpened(socket.core.kind)
    }

    /// An open that did not come to be: the id is free again. What the client sent before it learns of the refusal is no error of its own.
    func refuseOpen(_ socket: some SessionSocket, _ refusal: Refusal) {
        guard self.remove(socket, byClient: false) else { return }
        self.tellRefused(socket.core.record, refusal)
        if !socket.core.wasTried { self.countRefusal() }
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
