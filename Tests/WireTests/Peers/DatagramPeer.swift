import NIOCore
import NIOPosix
import WasmnetTesting

/// A test's own UDP socket: keeps received datagrams whole, and sends.
final class DatagramPeer: Sendable {
    typealias Datagram = AddressedEnvelope<ByteBuffer>

    private let channel: any Channel
    private let inbox: NIOLoopBound<DatagramInbox>
    let address: SocketAddress
    var port: UInt16 { UInt16(clamping: self.address.port ?? 0) }

    private init(channel: any Channel, inbox: NIOLoopBound<DatagramInbox>, address: SocketAddress) {
        self.channel = channel
        self.inbox = inbox
        self.address = address
    }

    /// Binds a free port of an address while a body runs.
    ///
    /// - Parameter answer: the immediate reply to a datagram; nil keeps it for ``next(timeout:)``.
    static func with<T>(
        _ host: String = "127.0.0.1", answer: @escaping @Sendable (ByteBuffer) -> ByteBuffer? = { _ in nil },
        _ body: (DatagramPeer) async throws -> T
    ) async throws -> T {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let inbox = try await eventLoop.submit {
            NIOLoopBound(DatagramInbox(eventLoop: eventLoop, answer: answer), eventLoop: eventLoop)
        }.get()
        let channel = try await DatagramBootstrap(group: eventLoop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 1 << 16))
            .channelOption(.socketOption(.so_rcvbuf), value: 1 << 20)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(inbox.value)
                }
            }
            .bindFreePort(of: host)
        do {
            guard let address = channel.localAddress else { throw ChannelError.eof }
            let result = try await body(DatagramPeer(channel: channel, inbox: inbox, address: address))
            try? await channel.close()
            return result
        } catch {
            try? await channel.close()
            throw error
        }
    }

    func send(_ data: ByteBuffer, to port: UInt16, host: String = "127.0.0.1") async throws {
        let remote = try SocketAddress(ipAddress: host, port: Int(port))
        try await self.channel.writeAndFlush(Datagram(remoteAddress: remote, data: data))
    }

    /// The next datagram that arrived without an immediate reply.
    func next(timeout: TimeAmount = .seconds(20)) async throws -> Datagram {
        let inbox = self.inbox
        return try await self.channel.eventLoop.flatSubmit { inbox.value.next(timeout: timeout) }.get()
    }
}

private final class DatagramInbox: ChannelInboundHandler {
    typealias InboundIn = DatagramPeer.Datagram
    typealias OutboundOut = DatagramPeer.Datagram

    private let eventLoop: any EventLoop
    private let answer: (ByteBuffer) -> ByteBuffer?
    private var queue = CircularBuffer<DatagramPeer.Datagram>()
    private var waiters = CircularBuffer<EventLoopPromise<DatagramPeer.Datagram>>()

    init(eventLoop: any EventLoop, answer: @escaping @Sendable (ByteBuffer) -> ByteBuffer?) {
        self.eventLoop = eventLoop
        self.answer = answer
    }

    func next(timeout: TimeAmount) -> EventLoopFuture<DatagramPeer.Datagram> {
        let promise = self.eventLoop.makePromise(of: DatagramPeer.Datagram.self)
        if let first = self.queue.popFirst() {
            promise.succeed(first)
        } else {
            self.waiters.append(promise)
            let timer = self.eventLoop.scheduleTask(in: timeout) { promise.fail(ChannelError.connectTimeout(timeout)) }
            promise.futureResult.whenComplete { _ in timer.cancel() }
        }
        return promise.futureResult
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let datagram = self.unwrapInboundIn(data)
        if let answer = self.answer(datagram.data) {
            context.writeAndFlush(
                self.wrapOutboundOut(.init(remoteAddress: datagram.remoteAddress, data: answer)), promise: nil)
        } else if let waiter = self.waiters.popFirst() {
            waiter.succeed(datagram)
        } else {
            self.queue.append(datagram)
        }
    }

    // An ICMP answer to an earlier datagram does not end it.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
