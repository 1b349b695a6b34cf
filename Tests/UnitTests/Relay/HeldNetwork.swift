import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

@testable import WasmnetRelay

/// A network, a resolver and a ledger that answer when the test says so: an opening's waits are held here. All on one loop.
final class HeldNetwork: TargetConnector, NameResolver, SlotOwner {
    /// The pending operation.
    enum Step: String, CaseIterable, Sendable {
        case slot
        case lookup
        case dial
        case bind
    }

    /// One question and the way to answer it.
    struct Question: Sendable {
        let step: Step
        let answer: @Sendable (_ succeeds: Bool) -> Void
    }

    private struct State: Sendable {
        var questions: [Question] = []
        var slots = 0
        var channels: [NIOLoopBound<EmbeddedChannel>] = []
        var accept: NIOLoopBound<(any Channel) -> Void>?
    }

    private let state = NIOLockedValueBox(State())
    private let loop: NIOLoopBound<EmbeddedEventLoop>

    init(loop: EmbeddedEventLoop) {
        self.loop = NIOLoopBound(loop, eventLoop: loop)
    }

    /// Slots that were granted and not released.
    var slots: Int { self.state.withLockedValue { $0.slots } }
    /// Connections and ports that were opened and not closed.
    var openChannels: Int {
        self.state.withLockedValue { $0.channels }.count { $0.value.isActive }
    }

    /// The oldest unanswered question.
    func next() -> Question? {
        self.state.withLockedValue { $0.questions.isEmpty ? nil : $0.questions.removeFirst() }
    }

    /// An incoming connection on the last bound port.
    func connectionComes() throws -> EmbeddedChannel? {
        guard let accept = self.state.withLockedValue({ $0.accept }) else { return nil }
        let channel = try self.channel()
        accept.value(channel)
        return channel
    }

    private func ask(_ step: Step, _ answer: @escaping @Sendable (Bool) -> Void) {
        self.state.withLockedValue { $0.questions.append(Question(step: step, answer: answer)) }
    }

    private func channel() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(loop: self.loop.value)
        channel.localAddress = try SocketAddress(ipAddress: "127.0.0.1", port: 7000)
        try channel.connect(to: SocketAddress(ipAddress: "198.51.100.9", port: 9)).wait()
        self.state.withLockedValue { $0.channels.append(NIOLoopBound(channel, eventLoop: channel.eventLoop)) }
        return channel
    }

    private func makeChannel(_ step: Step, on eventLoop: any EventLoop) -> EventLoopFuture<any Channel> {
        let promise = eventLoop.makePromise(of: (any Channel).self)
        self.ask(step) { succeeds in
            do {
                guard succeeds else { throw IOError(errnoCode: 111, reason: "held") }
                promise.succeed(try self.channel())
            } catch {
                promise.fail(error)
            }
        }
        return promise.futureResult
    }

    // MARK: The interfaces that it implements

    func connect(
        to target: SocketAddress, receiver: any RecvByteBufferAllocator, on eventLoop: any EventLoop,
        opened: @escaping (any Channel) -> Void
    ) -> EventLoopFuture<any Channel> {
        self.makeChannel(.dial, on: eventLoop)
    }

    func listen(
        on address: SocketAddress, acceptsPerTurn: Int, eventLoop: any EventLoop,
        accepted: @escaping (any Channel) -> Void
    ) -> EventLoopFuture<any Channel> {
        let accept = NIOLoopBound(accepted, eventLoop: eventLoop)
        self.state.withLockedValue { $0.accept = accept }
        return self.makeChannel(.bind, on: eventLoop)
    }

    func resolve(_ name: HostName, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]> {
        let promise = eventLoop.makePromise(of: [IPAddress].self)
        self.ask(.lookup) { succeeds in
            if succeeds { promise.succeed([.four(7)]) } else { promise.fail(Refusal(.nameNotFound, "held")) }
        }
        return promise.futureResult
    }

    func holding(_ allowance: any ClientAllowance) -> any ClientAllowance { HeldAllowance(allowance, self) }

    fileprivate func reserve(_ later: @escaping @Sendable (Result<QuotaSlot?, QuotaRefusal>) -> Void) {
        self.ask(.slot) { succeeds in
            guard succeeds else {
                return later(.failure(QuotaRefusal(kind: .sockets)))
            }
            self.state.withLockedValue { $0.slots += 1 }
            later(.success(QuotaSlot(.socket, of: self)))
        }
    }

    func slotReleased(_ kind: SlotKind) {
        self.state.withLockedValue { $0.slots -= 1 }
    }
}

/// An allowance whose slots for sockets are granted later. Lookups are paid for at once.
private final class HeldAllowance: WrappedAllowance {
    let base: any ClientAllowance
    private let network: HeldNetwork

    init(_ base: any ClientAllowance, _ network: HeldNetwork) {
        self.base = base
        self.network = network
    }

    func reserve(
        _ what: Reservation, now: QuotaInstant, later: @escaping @Sendable (Result<QuotaSlot?, QuotaRefusal>) -> Void
    ) -> Result<QuotaSlot?, QuotaRefusal>? {
        guard what != .resolve else { return self.base.reserve(what, now: now, later: later) }
        self.network.reserve(later)
        return nil
    }
}
