import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A target that measures the real arrivals: which connections were open when, and how many bytes arrived when.
final class Meter: Sendable {
    struct Connection: Sendable {
        var opened: NIODeadline
        /// Nil while it is open.
        var closed: NIODeadline?
    }

    struct Log: Sendable {
        var connections: [Connection] = []
        var bytes: [(at: NIODeadline, count: Int)] = []
        /// The longest time without a check: data of that time seems to have arrived at once.
        var stall = TimeAmount.zero

        var open: Int { self.connections.count { $0.closed == nil } }
    }

    let port: Int
    private let channel: any Channel
    private let log: NIOLockedValueBox<Log>
    private let changes: AsyncStream<Void>
    private let stalls: [RepeatedTask]

    private init(channel: any Channel, log: NIOLockedValueBox<Log>, changes: AsyncStream<Void>, stalls: [RepeatedTask])
    {
        self.stalls = stalls
        self.channel = channel
        self.port = channel.localAddress?.port ?? 0
        self.log = log
        self.changes = changes
    }

    static func start() async throws -> Meter {
        let log = NIOLockedValueBox(Log())
        let (changes, change) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let stalls = MultiThreadedEventLoopGroup.singleton.makeIterator().map { Self.watch($0, log) }
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1024)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(log: log, change: change))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return Meter(channel: channel, log: log, changes: changes, stalls: stalls)
    }

    /// Records how late an event loop runs.
    private static func watch(_ eventLoop: any EventLoop, _ log: NIOLockedValueBox<Log>) -> RepeatedTask {
        let last = NIOLockedValueBox(NIODeadline.now())
        return eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(5)) { _ in
            let now = NIODeadline.now()
            let gap = last.withLockedValue { last in
                defer { last = now }
                return now - last
            }
            log.withLockedValue { $0.stall = max($0.stall, gap) }
        }
    }

    var reading: Log { self.log.withLockedValue { $0 } }

    func stop() async {
        for task in self.stalls { task.cancel() }
        try? await self.channel.close()
    }

    /// Waits until this many connections are open.
    func shows(open count: Int) async {
        guard self.reading.open != count else { return }
        for await _ in self.changes where self.reading.open == count { return }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let log: NIOLockedValueBox<Log>
        private let change: AsyncStream<Void>.Continuation
        private var index = 0

        init(log: NIOLockedValueBox<Log>, change: AsyncStream<Void>.Continuation) {
            self.log = log
            self.change = change
        }

        func channelActive(context: ChannelHandlerContext) {
            self.index = self.log.withLockedValue { log in
                log.connections.append(Connection(opened: .now()))
                return log.connections.count - 1
            }
            self.change.yield()
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let count = self.unwrapInboundIn(data).readableBytes
            self.log.withLockedValue { $0.bytes.append((.now(), count)) }
        }

        func channelInactive(context: ChannelHandlerContext) {
            self.log.withLockedValue { $0.connections[self.index].closed = .now() }
            self.change.yield()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

extension Meter.Log {
    /// How much later than a node admitted it an event may have been seen here. A node can stall between the two just as the
    /// target does; the machine is the same, so the target's measurement of itself covers both.
    private var delay: TimeAmount { max(.milliseconds(50), self.stall) * 2 }

    /// The most connections that were certainly open at one time. A connection counts as ended a little before its end was seen here,
    /// because the end of one and the beginning of the next arrive by different paths.
    var surePeak: Int { self.peak(slack: self.delay) }

    /// The most connections that were apparently open at one time.
    var seenPeak: Int { self.peak(slack: .zero) }

    private func peak(slack: TimeAmount) -> Int {
        var steps: [(at: NIODeadline, change: Int)] = []
        for connection in self.connections {
            let end = connection.closed.map { $0 - slack } ?? .distantFuture
            guard end > connection.opened else { continue }
            steps.append((connection.opened, 1))
            steps.append((end, -1))
        }
        steps.sort { ($0.at, $0.change) < ($1.at, $1.change) }
        var open = 0
        var peak = 0
        for step in steps {
            open += step.change
            peak = max(peak, open)
        }
        return peak
    }

    /// The smallest burst, for certain, with which a rate explains when the connections began.
    func burst(ofConnectsPerSecond rate: Double) -> Double {
        self.burst(self.connections.map { ($0.opened, 1) }, rate: rate)
    }

    /// The smallest burst, for certain, with which a rate explains when the bytes arrived.
    func burst(ofBytesPerSecond rate: Double) -> Double { self.burst(self.bytes, rate: rate) }

    /// The minimum size of a token bucket that is refilled at a rate, so that it never runs dry: the largest sum of any window
    /// of time, less the rate times its length. Each event may have arrived earlier than it was seen, by no more than the delay.
    private func burst(_ events: [(at: NIODeadline, count: Int)], rate: Double) -> Double {
        var level = 0.0
        var most = 0.0
        var last = events.first?.at ?? .now()
        for event in events.sorted(by: { $0.at < $1.at }) {
            level = max(0, level - rate * Double((event.at - last).nanoseconds) / 1e9) + Double(event.count)
            last = event.at
            most = max(most, level)
        }
        return max(0, most - rate * Double(self.delay.nanoseconds) / 1e9)
    }
}
