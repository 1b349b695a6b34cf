import NIOCore
import NIOPosix
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// A TCP listener of a client: each connection that comes becomes a socket of its session, on the session's event loop.
final class TargetListener: SessionSocket {
    let id: SocketID
    let encoding: WireEncoding
    let kind = SocketKind.listener
    private let session: Session
    private let address: IPAddress
    private var slot: QuotaSlot?
    private var channel: (any Channel)?
    private(set) var isEnded = false
    var isOpen = false
    /// Whether the client has sent `listen` for it.
    var wasListened = false
    private(set) var port: UInt16
    private(set) var record: SocketRecord

    init(id: SocketID, encoding: WireEncoding, session: Session, address: IPAddress, port: UInt16) {
        self.id = id
        self.encoding = encoding
        self.session = session
        self.address = address
        self.port = port
        self.record = SocketRecord(socket: id, kind: .listener, opened: session.now)
        self.record.host = address.description
        self.record.port = port
        self.record.address = address
        self.record.state = .opening
    }

    func open(_ slot: QuotaSlot?, ports: PortWalk) {
        guard !self.isEnded else {
            slot?.release()
            return
        }
        self.slot = slot
        self.bind(PortAttempts(ports))
    }

    /// Binds the first of the ports that is free.
    private func bind(_ attempts: PortAttempts) {
        guard !self.isEnded else { return }
        var attempts = attempts
        guard let port = attempts.next(of: self.address, .tcp, under: self.session.policy),
            let target = try? SocketAddress(self.address, port: port)
        else {
            self.fail(Refusal(.addressInUse, "no port is free"))
            return
        }
        let listener = NIOLoopBound(self, eventLoop: self.session.eventLoop)
        ServerBootstrap(group: self.session.eventLoop, childGroup: self.session.eventLoop)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Exhaustion.makeAcceptHandler())
                }
            }
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 128)
            .serverChannelOption(
                .maxMessagesPerRead, value: UInt(clamping: self.session.environment.settings.acceptsPerTurn)
            )
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { listener.value.accept(channel) }
            }
            .bind(to: target)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let channel): self.bound(channel)
                case .failure(let error) where attempts.goOn(after: error):
                    attempts.again(on: self.session.eventLoop) { self.bind($0) }
                case .failure(let error): self.fail(.notBound(self.address, port, error))
                }
            }
    }

    private func bound(_ channel: any Channel) {
        guard !self.isEnded else {
            channel.close(promise: nil)
            return
        }
        self.channel = channel
        self.port = UInt16(clamping: channel.localAddress?.port ?? 0)
        self.record.port = self.port
        guard self.session.completeOpening(self) else {
            channel.close(promise: nil)
            return
        }
        self.record.state = .listening
        self.tellPort()
    }

    func tellPort() {
        guard self.channel != nil else { return }
        self.session.tell(.listening(self.id, port: self.port), as: self.encoding)
    }

    func fail(_ refusal: Refusal) {
        guard !self.isEnded else { return }
        self.isEnded = true
        self.channel?.close(promise: nil)
        self.slot?.release()
        self.slot = nil
        self.session.refuseOpen(self, refusal)
    }

    private func accept(_ channel: any Channel) {
        guard !self.isEnded else {
            channel.close(promise: nil)
            return
        }
        self.session.accept(channel, from: self)
    }

    func send(_ data: ByteBuffer) {
        self.session.refuse(self.id, Refusal(.protocolError, "socket \(self.id) is a listener"), self.encoding)
    }

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
        self.isEnded = true
        self.channel?.close(promise: nil)
        self.slot?.release()
        self.slot = nil
        self.session.socketEnded(self, reason, message)
    }

    func reconsider(_ policy: Policy) -> PolicyDecision? {
        let decision = policy.decideBind(address: self.address, port: self.port, transport: .tcp)
        return decision.allowed ? nil : decision
    }
}
