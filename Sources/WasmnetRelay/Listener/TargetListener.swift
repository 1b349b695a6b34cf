import NIOCore
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol

/// A TCP listener of a client: each incoming connection becomes a socket of its session, on the session's event loop.
final class TargetListener: WholeSocket {
    var core: SocketCore
    let context: SocketContext
    private let address: IPAddress
    private var channel: (any Channel)?
    /// Whether the client has sent `listen` for it.
    private var wasListened = false

    init(id: SocketID, encoding: WireEncoding, address: IPAddress, port: UInt16, context: SocketContext) {
        self.context = context
        self.address = address
        var facts = SocketRecord(socket: id, kind: .listener, opened: context.now)
        (facts.host, facts.port, facts.address) = (address.description, port, address)
        self.core = SocketCore(.whole, facts, encoding: encoding)
    }

    var asSocket: Socket { .listener(self) }

    func open(_ ports: PortWalk) {
        self.bind(PortAttempts(ports))
    }

    /// Binds the first of the ports that is free.
    private func bind(_ attempts: PortAttempts) {
        guard self.core.isOpening else { return }
        var attempts = attempts
        guard let port = attempts.next(of: self.address, .tcp, under: self.context.policy),
            let target = try? SocketAddress(self.address, port: port)
        else {
            self.fail(Refusal(.addressInUse, "no port is free"))
            return
        }
        self.context.connector
            .listen(
                on: target, acceptsPerTurn: self.context.settings.acceptsPerTurn, eventLoop: self.context.eventLoop,
                accepted: { self.context.accept($0, from: self) }
            )
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let channel): self.bound(channel)
                case .failure(let error) where attempts.goOn(after: error):
                    attempts.again(on: self.context.eventLoop) { self.bind($0) }
                case .failure(let error): self.fail(.notBound(self.address, port, error))
                }
            }
    }

    private func bound(_ channel: any Channel) {
        guard self.core.isOpening else { return channel.close(promise: nil) }
        self.channel = channel
        self.core.facts.port = UInt16(clamping: channel.localAddress?.port ?? 0)
        guard self.context.completeOpening(self) else { return }
        self.carryOut(self.core.machine.opened(allSent: true))
        self.tellPort()
    }

    /// `listen`: the first one belongs to its bind; each later one repeats what the client knows.
    func listen() {
        if self.wasListened { self.context.countRefusal() }
        self.wasListened = true
        self.tellPort()
    }

    private func tellPort() {
        guard self.channel != nil else { return }
        self.context.send(.listening(self.id, port: self.core.facts.port), as: self.encoding)
    }

    func refuseData() {
        self.context.refuse(self.id, Refusal(.protocolError, "socket \(self.id) is a listener"), self.encoding)
    }

    func letGo() {
        self.channel?.close(promise: nil)
    }

    func reapply(_ policy: Policy) -> PolicyDecision? {
        let decision = policy.decideBind(address: self.address, port: self.core.facts.port, transport: .tcp)
        return decision.allowed ? nil : decision
    }
}

@available(*, unavailable)
extension TargetListener: Sendable {}
