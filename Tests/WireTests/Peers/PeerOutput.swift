import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A program's output, as it arrives.
final class PeerOutput: Sendable {
    private let channel: any Channel
    private let collector: NIOLoopBound<Collector>
    private let done = NIOLockedValueBox<Set<String>>([])

    private init(channel: any Channel, collector: NIOLoopBound<Collector>) {
        self.channel = channel
        self.collector = collector
    }

    /// Takes ownership of the reading end of a pipe.
    static func reading(_ descriptor: Int32) async throws -> PeerOutput {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let collector = try await eventLoop.submit {
            NIOLoopBound(Collector(eventLoop: eventLoop), eventLoop: eventLoop)
        }.get()
        let channel = try await NIOPipeBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(collector.value)
                }
            }
            .takingOwnershipOfDescriptor(input: descriptor).get()
        return PeerOutput(channel: channel, collector: collector)
    }

    /// Waits for a condition, or for the end of output if there is none.
    func text(timeout: TimeAmount, until condition: (@Sendable (String) -> Bool)?) async throws -> String {
        let collector = self.collector
        return try await self.channel.eventLoop.flatSubmit {
            collector.value.text(timeout: timeout, until: condition)
        }.get()
    }

    func once(_ what: String, _ body: () -> Void) {
        if self.done.withLockedValue({ $0.insert(what).inserted }) { body() }
    }

    func close() async {
        try? await self.channel.close()
    }
}

private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private struct Waiter {
        var condition: ((String) -> Bool)?
        var promise: EventLoopPromise<String>
    }

    private let eventLoop: any EventLoop
    private var bytes = ByteBuffer()
    private var isEnded = false
    private var waiters: [Waiter] = []

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func text(timeout: TimeAmount, until condition: (@Sendable (String) -> Bool)?) -> EventLoopFuture<String> {
        let promise = self.eventLoop.makePromise(of: String.self)
        let timer = self.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            promise.fail(PeerProcess.Failure(description: "not in time; so far: \(String(buffer: self.bytes))"))
        }
        promise.futureResult.whenComplete { _ in timer.cancel() }
        self.waiters.append(Waiter(condition: condition, promise: promise))
        self.tell()
        return promise.futureResult
    }

    private func tell() {
        let text = String(buffer: self.bytes)
        self.waiters.removeAll { waiter in
            if waiter.condition?(text) ?? self.isEnded {
                waiter.promise.succeed(text)
            } else if self.isEnded {
                waiter.promise.fail(PeerProcess.Failure(description: "ended before that; it wrote: \(text)"))
            } else {
                return false
            }
            return true
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.bytes.writeImmutableBuffer(self.unwrapInboundIn(data))
        self.tell()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.isEnded = true
        self.tell()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
