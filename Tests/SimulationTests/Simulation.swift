import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetRelay

/// A page, a node and its targets on one loop, with every choice drawn from one seed: which side moves, how much, where messages are
/// split, which sockets are clogged, ended, reset.
final class Simulation {
    struct Target {
        let socket: SimulatedSocket
        var sent = 0
        var received = 0
        var hasEnded = false
        var hasReset = false
    }

    static let window = 4096
    let loop = EmbeddedEventLoop()
    let time = SimulatedTime()
    let ledger: InProcessLedger
    let carrier: SimulatedSocket
    let seed: UInt64
    private let connector: Connector
    private var random: SeededRandom
    var browser: SimulatedBrowser
    var targets: [SocketID: Target] = [:]
    private var nextID: SocketID = 1
    var isCut = false
    var faults: [String] = []

    init(version: WireVersion, seed: UInt64, linger: TimeAmount) throws {
        self.seed = seed
        self.random = SeededRandom(seed)
        var settings = RelaySettings()
        settings.linger = linger
        settings.firstWindowBytes = Self.window
        settings.maxWindowBytes = 4 * Self.window
        settings.streamAllowanceBytes = 4096
        settings.readChunkBytes = 2048
        settings.readTurnBytes = 4096
        settings.carrierReadChunkBytes = 4096
        settings.outboundHighWaterBytes = 2048
        settings.outboundLowWaterBytes = 1024
        let time = self.time
        self.ledger = InProcessLedger(clock: { time.now() })
        self.connector = Connector(loop: self.loop)
        let environment = try RelayEnvironment(
            settings: settings, policy: .unrestricted, ledger: self.ledger, resolver: NoNames(),
            connector: self.connector, observer: SilentObserver(),
            logger: Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }, clock: self.time, nodeName: "n",
            version: "0")
        self.carrier = try SimulatedSocket(
            on: self.loop, capacity: 4096, receiver: ReceiveAllocator(largest: settings.carrierReadChunkBytes))
        self.browser = SimulatedBrowser(version: version, window: Self.window)
        let client = ClientID(text: "a:simulated")
        let allowance = self.ledger.allowance(for: client, limits: Policy.unrestricted.limits)
        guard case .success(let slot) = allowance.reserve(.session, now: time.now(), later: { _ in }) else {
            throw ChannelError.eof
        }
        try WebSocketHandler.install(on: self.carrier.channel, settings: settings, clock: self.time) {
            carrier, channel in
            Session(
                environment: environment, eventLoop: channel.eventLoop, carrier: carrier, version: version,
                client: client, allowance: allowance, slot: slot)
        }
    }

    func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self.random) < percent }
    func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self.random) }

    // MARK: One step

    func step() {
        switch self.number(0...99) {
        case 0..<5: self.open()
        case 5..<30: self.withClientSocket { self.clientSends($0) }
        case 30..<32: self.withClientSocket { self.clientShutsDown($0) }
        case 32..<34: self.withClientSocket { self.clientCloses($0) }
        case 34: self.withClientSocket { self.clientResets($0) }
        case 35..<50: self.withClientSocket { self.clientConsumes($0) }
        case 50..<70: self.withTarget { self.targetSends($0) }
        case 70..<72: self.withTarget { self.targetEnds($0) }
        case 72: self.withTarget { self.targetResets($0) }
        case 73..<76: self.withTarget { id in self.targets[id]?.socket.isClogged.toggle() }
        case 76..<78: self.carrier.isClogged.toggle()
        case 78..<88: self.moveCarrier()
        case 88..<98: self.withTarget { self.moveTarget($0) }
        default: self.time.advance(self.loop, by: .milliseconds(Int64(self.number(1...200))))
        }
        self.settle()
    }

    func settle() {
        self.loop.run()
        for (id, socket) in self.connector.takeNew() { self.targets[id] = Target(socket: socket) }
        self.faults += self.browser.faults
        self.browser.faults = []
    }

    private func withClientSocket(_ body: (SocketID) -> Void) {
        let live = self.browser.sockets.filter { $0.value.end == nil }.keys.sorted()
        if !live.isEmpty { body(live[self.number(0...live.count - 1)]) }
    }

    private func withTarget(_ body: (SocketID) -> Void) {
        let live = self.targets.keys.sorted()
        if !live.isEmpty { body(live[self.number(0...live.count - 1)]) }
    }

    // MARK: The page

    private func ask(_ request: Request) {
        guard !self.isCut else { return }
        self.carrier.send(self.browser.frame(request))
    }

    private func open() {
        guard self.browser.sockets.values.count(where: { $0.end == nil }) < 6 else { return }
        let id = self.nextID
        self.nextID += 1
        self.browser.sockets[id] = .init(credit: Self.window)
        // The port tells the connector whose target it is; one in ten is refused.
        self.connector.refuses = self.chance(10)
        self.ask(.connect(id, host: "192.0.2.9", port: UInt16(id)))
    }

    private func clientSends(_ id: SocketID) {
        guard var socket = self.browser.sockets[id], !socket.hasShutDown, !socket.hasClosed, !self.isCut else { return }
        // A page's own send buffer has its limit too.
        guard self.carrier.unread < 32 << 10 else { return }
        let most = self.browser.hasCredit ? socket.credit : 3000
        let count = min(most, self.number(0...3000))
        guard count > 0 else { return }
        self.ask(.send(id, SimulatedBrowser.bytes(id, isUp: true, from: socket.sent, count: count)))
        socket.sent += count
        socket.credit -= count
        self.browser.sockets[id] = socket
    }

    func clientShutsDown(_ id: SocketID) {
        guard self.browser.hasCredit, self.browser.sockets[id]?.hasShutDown == false else { return }
        guard self.browser.sockets[id]?.hasClosed == false else { return }
        self.browser.sockets[id]?.hasShutDown = true
        self.ask(.shutdown(id))
    }

    func clientCloses(_ id: SocketID) {
        guard self.browser.sockets[id]?.hasClosed == false else { return }
        self.browser.sockets[id]?.hasClosed = true
        self.ask(.close(id))
    }

    private func clientResets(_ id: SocketID) {
        guard self.browser.hasCredit else { return }
        self.browser.sockets[id]?.hasClosed = true
        self.browser.sockets[id]?.wasReset = true
        self.ask(.reset(id))
    }

    func clientConsumes(_ id: SocketID) {
        guard let waiting = self.browser.sockets[id]?.unconsumed, waiting > 0 else { return }
        let count = self.number(1...waiting)
        self.browser.sockets[id]?.unconsumed -= count
        if self.browser.hasCredit { self.ask(.window(id, bytes: UInt32(count))) }
    }

    /// The network between page and node advances a little, one way or the other.
    func moveCarrier() {
        self.carrier.deliver()
        let answers = self.browser.receive(self.carrier.take(self.number(1...6000)))
        if answers.readableBytes > 0, !self.isCut { self.carrier.send(answers) }
        if self.carrier.isClosed { self.isCut = true }
    }

    func cut() {
        self.isCut = true
        self.carrier.reset()
        self.carrier.deliver()
        self.settle()
    }

    // MARK: The targets

    private func targetSends(_ id: SocketID) {
        guard var target = self.targets[id], !target.hasEnded, !target.hasReset, target.socket.unread < 16 << 10 else {
            return
        }
        let count = self.number(1...4000)
        target.socket.send(SimulatedBrowser.bytes(id, isUp: false, from: target.sent, count: count))
        target.sent += count
        self.targets[id] = target
    }

    func targetEnds(_ id: SocketID) {
        self.targets[id]?.hasEnded = true
        self.targets[id]?.socket.end()
    }

    private func targetResets(_ id: SocketID) {
        self.targets[id]?.hasReset = true
        self.targets[id]?.socket.reset()
    }

    func moveTarget(_ id: SocketID) {
        guard var target = self.targets[id] else { return }
        target.socket.deliver()
        let bytes = target.socket.take(self.number(1...4000))
        let expected = SimulatedBrowser.bytes(id, isUp: true, from: target.received, count: bytes.readableBytes)
        if bytes != expected { self.faults.append("target \(id) got wrong bytes at \(target.received)") }
        target.received += bytes.readableBytes
        self.targets[id] = target
    }
}

/// Makes a target for each dial, identified by its port.
private final class Connector: TargetConnector {
    private let loop: EmbeddedEventLoop
    private let state = NIOLockedValueBox<[(SocketID, NIOLoopBound<SimulatedSocket>)]>([])
    private let isRefusing = NIOLockedValueBox(false)

    init(loop: EmbeddedEventLoop) { self.loop = loop }

    var refuses: Bool {
        get { self.isRefusing.withLockedValue { $0 } }
        set { self.isRefusing.withLockedValue { $0 = newValue } }
    }

    func connect(
        to target: SocketAddress, receiver: any RecvByteBufferAllocator, on eventLoop: any EventLoop,
        opened: @escaping (any Channel) -> Void
    ) -> EventLoopFuture<any Channel> {
        let promise = eventLoop.makePromise(of: (any Channel).self)
        let id = SocketID(target.port ?? 0)
        let refuses = self.refuses
        let loop = self.loop
        // Not at once: the page's data meanwhile is early.
        eventLoop.scheduleTask(in: .milliseconds(20)) {
            do {
                if refuses { throw IOError(errnoCode: 111, reason: "connect") }
                let socket = try SimulatedSocket(on: loop, capacity: 3000, receiver: receiver)
                self.state.withLockedValue { $0.append((id, NIOLoopBound(socket, eventLoop: loop))) }
                promise.succeed(socket.channel)
            } catch {
                promise.fail(error)
            }
        }
        return promise.futureResult
    }

    func listen(
        on address: SocketAddress, acceptsPerTurn: Int, eventLoop: any EventLoop,
        accepted: @escaping (any Channel) -> Void
    ) -> EventLoopFuture<any Channel> {
        eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
    }

    func takeNew() -> [(SocketID, SimulatedSocket)] {
        self.state.withLockedValue { new in
            defer { new = [] }
            return new.map { ($0, $1.value) }
        }
    }
}

private struct NoNames: NameResolver {
    func resolve(_ name: HostName, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]> {
        eventLoop.makeSucceededFuture([])
    }
}
