import Logging
import NIOCore
import NIOEmbedded
import NIOWebSocket
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetRelay

/// A session on an embedded channel: the test is the peer, the clock and the event loop.
final class CarrierHarness {
    let loop: EmbeddedEventLoop
    let clock = ManualClock()
    let channel: EmbeddedChannel
    let environment: RelayEnvironment
    /// Events at the head of the pipeline other than bytes.
    let head = HeadRecorder()
    let ledger: InProcessLedger
    private(set) var session: Session?
    /// NIO's own decoding of the handler's output.
    private let peer: EmbeddedChannel

    init(
        _ version: WireVersion, settings: RelaySettings = RelaySettings(), policy: Policy = .unrestricted,
        loop: EmbeddedEventLoop = EmbeddedEventLoop(), turns: InputTurns? = nil, ration: Ration? = nil,
        eachLookupTakes time: TimeAmount = .zero, network: HeldNetwork? = nil,
        terms: TokenRestrictions = TokenRestrictions()
    ) throws {
        self.loop = loop
        let clock = self.clock
        self.ledger = InProcessLedger { clock.now() }
        self.channel = EmbeddedChannel(handler: self.head, loop: self.loop)
        self.environment = try RelayEnvironment(
            settings: settings, policy: policy, ledger: self.ledger,
            resolver: network ?? NoResolver { clock.advance(.microseconds(time.nanoseconds / 1000)) },
            connector: network ?? SocketConnector(),
            observer: SilentObserver(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, clock: clock,
            nodeName: "node", version: "test")
        self.peer = EmbeddedChannel(handler: ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: 1 << 24)))
        let environment = self.environment
        try self.channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try WebSocketHandler.install(on: self.channel, settings: settings, clock: clock, turns: turns) {
            carrier, channel in
            let client = ClientID(text: "t:test")
            var allowance = environment.ledger.allowance(for: client, limits: policy.limits)
            if let ration { allowance = RationedAllowance(allowance, ration) }
            if let network { allowance = network.holding(allowance) }
            let session = Session(
                environment: environment, eventLoop: channel.eventLoop, carrier: carrier, version: version,
                client: client, terms: terms, allowance: allowance, slot: nil)
            self.session = session
            return session
        }
        self.loop.run()
    }

    // MARK: The peer's side

    /// One read of the WebSocket.
    func receive(_ bytes: some Sequence<UInt8>) throws {
        try self.channel.writeInbound(ByteBuffer(bytes: bytes))
        self.loop.run()
    }

    func receive(_ frame: ClientFrame) throws { try self.receive(frame.bytes) }

    func receive(_ request: Request) throws {
        var payload = ByteBuffer()
        guard let session = self.session, session.messages.codec.encode(request, as: .binary, into: &payload) else {
            return
        }
        try self.receive(ClientFrame(payload: Array(payload.readableBytesView)))
    }

    /// The output since the last call, as NIO decodes it.
    func frames() throws -> [WebSocketFrame] {
        self.loop.run()
        while let bytes = try self.channel.readOutbound(as: ByteBuffer.self) { try self.peer.writeInbound(bytes) }
        var frames: [WebSocketFrame] = []
        while let frame = try self.peer.readInbound(as: WebSocketFrame.self) { frames.append(frame) }
        return frames
    }

    /// The messages among ``frames()``.
    func events() throws -> [Event] {
        try self.frames().filter { $0.opcode == .binary || $0.opcode == .text }.compactMap { frame in
            try self.session?.messages.codec.decodeEvent(frame.data, isText: frame.opcode == .text).get()
        }
    }

    /// Advances time on the loop and on the clock.
    func advance(_ time: TimeAmount) {
        self.clock.advance(.microseconds(time.nanoseconds / 1000))
        self.loop.advanceTime(by: time)
    }

    func setWritable(_ isWritable: Bool) {
        self.channel.isWritable = isWritable
        self.channel.pipeline.fireChannelWritabilityChanged()
        self.loop.run()
    }

    var isOpen: Bool { self.channel.isActive }

    func finish() throws {
        _ = try? self.channel.finish(acceptAlreadyClosed: true)
        _ = try? self.peer.finish(acceptAlreadyClosed: true)
    }
}

@available(*, unavailable)
extension CarrierHarness: Sendable {}

struct NoResolver: NameResolver {
    var asked: @Sendable () -> Void = {}

    func resolve(_ name: HostName, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]> {
        self.asked()
        return eventLoop.makeFailedFuture(Refusal(.nameNotFound, "no names here"))
    }
}

/// Beside the socket: counts reads, and accepts half-closes and writes as a socket would.
final class HeadRecorder: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private(set) var reads = 0
    private(set) var outputCloses = 0
    private(set) var writes = 0
    /// Whether bytes stay here, as with a peer that does not read.
    var holdsWrites = false
    private var held: [(NIOAny, EventLoopPromise<Void>?)] = []
    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        let held = self.held
        self.held = []
        for (_, promise) in held { promise?.fail(ChannelError.ioOnClosedChannel) }
    }

    func read(context: ChannelHandlerContext) {
        self.reads += 1
        context.read()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        self.writes += 1
        guard self.holdsWrites else {
            context.write(data, promise: promise)
            return
        }
        self.held.append((data, promise))
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if case .output = mode {
            self.outputCloses += 1
            promise?.succeed(())
        } else {
            context.close(mode: mode, promise: promise)
        }
    }

    func letGo() {
        self.holdsWrites = false
        let held = self.held
        self.held = []
        for (data, promise) in held { self.context?.write(data, promise: promise) }
        self.context?.flush()
    }
}

@available(*, unavailable)
extension HeadRecorder: Sendable {}
