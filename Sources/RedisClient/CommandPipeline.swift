import Glibc
import NIOCore

/// Matches the replies of one connection to its commands: the last handler of its channel.
///
/// Commands submitted in one tick of the event loop are sent in one write. A reply belongs to the oldest command without
/// one. That is true only while no reply is missing, so the first missed deadline ends the connection. A server that reports
/// that it is not a master, or is loading, is abandoned too: another may have replaced it.
///
/// This process' own delays are not the server's: a command's time counts from when it was written, excludes delays of the event loop,
/// and is not up while the socket holds unread data.
final class CommandPipeline: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private struct Waiting {
        let promise: EventLoopPromise<RESPValue>
        var deadline: NIODeadline
        let allowed: TimeAmount
        let submitted: NIODeadline
    }

    private let endpoint: RedisEndpoint
    private let maxInFlight: Int
    private let limits: RESPLimits
    /// Receives unsolicited messages; nil on a connection that does not subscribe.
    private let onPush: ((RESPValue) -> Void)?
    /// Called with how long each reply took, from its command's submission.
    private let onReply: (@Sendable (TimeAmount) -> Void)?
    private let ended: EventLoopPromise<RedisError>

    private var context: ChannelHandlerContext?
    private var parser: ReplyParser?
    private var waiting = CircularBuffer<Waiting>()
    private var outbound = ByteBuffer()
    /// Unwritten commands, the last ones of those waiting.
    private var unwritten = 0
    private var isFlushDue = false
    private var timer: (due: NIODeadline, task: Scheduled<Void>)?
    /// Why the connection ended, once it has.
    private var reason: RedisError?

    /// - Parameter ended: completed once, with the reason of the connection's end.
    init(
        endpoint: RedisEndpoint, maxInFlight: Int, limits: RESPLimits, ended: EventLoopPromise<RedisError>,
        onPush: ((RESPValue) -> Void)? = nil, onReply: (@Sendable (TimeAmount) -> Void)? = nil
    ) {
        self.endpoint = endpoint
        self.maxInFlight = maxInFlight
        self.limits = limits
        self.ended = ended
        self.onPush = onPush
        self.onReply = onReply
    }

    // MARK: Commands

    /// Sends adjacent commands and completes their promises in order. On the event loop only.
    func submit(
        _ commands: [RedisCommand], allowed: TimeAmount, deadline: NIODeadline,
        promises: [EventLoopPromise<RESPValue>]
    ) {
        if let refusal = refusal(of: commands.count) {
            for promise in promises { promise.fail(refusal) }
            return
        }
        let now = context?.eventLoop.now ?? .now()
        unwritten += commands.count
        for (command, promise) in zip(commands, promises) {
            RESPEncoder.encode(command, into: &outbound)
            waiting.append(Waiting(promise: promise, deadline: deadline, allowed: allowed, submitted: now))
        }
        arm(deadline)
        scheduleFlush()
    }

    private func refusal(of count: Int) -> RedisError? {
        if let reason { return .unavailable("\(reason)") }
        guard context != nil else { return .unavailable("not connected") }
        return waiting.count + count > maxInFlight ? .overloaded(inFlight: waiting.count) : nil
    }

    private func scheduleFlush() {
        guard !isFlushDue, let context else { return }
        isFlushDue = true
        context.eventLoop.assumeIsolated().execute { self.flush() }
    }

    private func flush() {
        isFlushDue = false
        guard reason == nil, let context, outbound.readableBytes > 0 else { return }
        let bytes = outbound
        outbound = ByteBuffer()
        let now = context.eventLoop.now
        for index in waiting.indices.suffix(unwritten) {
            waiting[index].deadline = waiting[index].deadline + (now - waiting[index].submitted)
        }
        unwritten = 0
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    // MARK: Deadlines

    /// One timer serves all commands: it is set to the earliest deadline known at the time.
    private func arm(_ deadline: NIODeadline) {
        guard let context else { return }
        if let timer {
            guard deadline < timer.due else { return }
            timer.task.cancel()
        }
        let task = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.timeUp() }
        timer = (deadline, task)
    }

    /// On a loop without delays, timers are at most this late.
    private static let punctual = TimeAmount.milliseconds(10)
    /// Time until a socket with unread data is checked again.
    private static let readingTime = TimeAmount.milliseconds(1)

    private func timeUp() {
        guard let due = timer?.due, let context else { return }
        timer = nil
        let now = context.eventLoop.now
        let lateness = now - due
        if lateness > Self.punctual {
            for index in waiting.indices { waiting[index].deadline = waiting[index].deadline + lateness }
        }
        guard let earliest = waiting.lazy.map(\.deadline).min() else { return }
        if earliest > now {
            arm(earliest)
        } else if holdsUnread(context) {
            arm(now + Self.readingTime)
        } else {
            end(.connectionLost(endpoint, "a command's deadline passed"))
        }
    }

    /// Whether the socket has something to read.
    private func holdsUnread(_ context: ChannelHandlerContext) -> Bool {
        let isReadable = try? context.channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { socket in
            var look = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            return poll(&look, 1, 0) == 1
        }
        return isReadable ?? false
    }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        parser = ReplyParser(limits: limits)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end(.connectionLost(endpoint, "the handler was removed"))
        parser = nil
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard reason == nil else { return }
        guard let parser else { return end(.connectionLost(endpoint, "no memory for a reader")) }
        do throws(RESPViolation) {
            try parser.feed(unwrapInboundIn(data)) { deliver($0) }
        } catch {
            end(.protocolViolation(endpoint, "\(error)"))
        }
    }

    private func deliver(_ reply: RESPValue) {
        guard reason == nil else { return }
        if let onPush, reply.isMessage { return onPush(reply) }
        guard let first = waiting.popFirst() else {
            return end(.protocolViolation(endpoint, "a reply without a command: \(reply)"))
        }
        if let now = context?.eventLoop.now { onReply?(now - first.submitted) }
        first.promise.succeed(reply)
        if let error = reply.serverError, error.isPassing { end(.server(error)) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(.connectionLost(endpoint, "closed by the server"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(ConnectFailure.classify(error, at: endpoint) ?? .connectionLost(endpoint, "\(error)"))
    }

    /// Ends the connection for a reason, which all waiting commands receive; expired ones receive their deadline error instead.
    func end(_ reason: RedisError) {
        guard self.reason == nil else { return }
        self.reason = reason
        timer?.task.cancel()
        timer = nil
        let now = context?.eventLoop.now
        let left = waiting
        waiting = []
        outbound = ByteBuffer()
        context?.close(promise: nil)
        for command in left {
            let isLate = now.map { command.deadline <= $0 } ?? false
            command.promise.fail(isLate ? RedisError.deadline(command.allowed) : reason)
        }
        ended.succeed(reason)
    }
}

extension RESPValue {
    /// Whether it is a message of a subscription rather than the answer to a command (RESP2 has no type for it).
    fileprivate var isMessage: Bool {
        guard case .array(let elements) = self, let kind = elements.first?.string else { return false }
        return kind == "message" || kind == "pmessage"
    }
}
