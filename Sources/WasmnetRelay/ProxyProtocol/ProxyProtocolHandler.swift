package import NIOCore
package import WasmnetNet

/// Whether connections begin with a PROXY protocol header, which only trusted proxies may send.
public enum ProxyProtocolMode: String, Sendable, CaseIterable {
    /// Headers are not expected: one is treated as a bad request. The default.
    case off
    /// A trusted proxy may send one. One from any other peer is skipped, ignored and counted.
    case optional
    /// Every connection comes from a trusted proxy and begins with one; all others are closed and counted.
    case required
}

/// Reads a connection's PROXY header, if there should be one, before anything else (TLS, HTTP) sees a byte.
///
/// Holds at most ``ProxyHeader/longestV2`` bytes and one read, for at most the timeout. Then it makes the connection ready, passes on the
/// bytes after the header, and removes itself.
package final class ProxyProtocolHandler: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer

    private let mode: ProxyProtocolMode
    private let isTrusted: Bool
    private let timeout: TimeAmount
    private let counters: AdmissionCounters
    private let ready: (any Channel, IPAddress?) throws -> Void
    private var received: ByteBuffer?
    private var deadline: Scheduled<Void>?
    private var isDone = false

    /// - Parameters:
    ///   - isTrusted: whether the peer's headers are trusted.
    ///   - timeout: how long a header may take from the connection's start.
    ///   - ready: adds the handlers behind this one; its argument is the announced client, nil if the peer itself is the client.
    package init(
        mode: ProxyProtocolMode, isTrusted: Bool, timeout: TimeAmount, counters: AdmissionCounters,
        ready: @escaping (any Channel, IPAddress?) throws -> Void
    ) {
        self.mode = mode
        self.isTrusted = isTrusted
        self.timeout = timeout
        self.counters = counters
        self.ready = ready
    }

    package func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        self.deadline = context.eventLoop.scheduleTask(in: self.timeout) {
            let (handler, context) = bound.value
            handler.refuse(context, .badProxyHeader)
        }
        if context.channel.isActive { self.begin(context) }
    }

    package func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        self.begin(context)
    }

    /// Only a trusted proxy has a reason to connect where a header is required.
    private func begin(_ context: ChannelHandlerContext) {
        if self.mode == .required, !self.isTrusted { self.refuse(context, .untrustedProxyHeader) }
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isDone else { return }
        let incoming = self.unwrapInboundIn(data)
        self.received.setOrWriteImmutableBuffer(incoming)
        let head = self.received?.readableBytesView.prefix(ProxyHeader.longestV2) ?? []
        switch ProxyHeader.parse(Array(head)) {
        case .incomplete: break
        case .malformed: self.refuse(context, .badProxyHeader)
        case .absent where self.mode == .required: self.refuse(context, .badProxyHeader)
        case .absent: self.finish(context, client: nil, skipping: 0)
        case .read(let client, let length):
            if !self.isTrusted { self.counters.count(.untrustedProxyHeader) }
            self.finish(context, client: self.isTrusted ? client : nil, skipping: length)
        }
    }

    private func finish(_ context: ChannelHandlerContext, client: IPAddress?, skipping length: Int) {
        self.isDone = true
        self.deadline?.cancel()
        do {
            try self.ready(context.channel, client?.withoutV4Mapping)
        } catch {
            context.close(promise: nil)
            return
        }
        var rest = self.received.take() ?? ByteBuffer()
        rest.moveReaderIndex(forwardBy: min(length, rest.readableBytes))
        if rest.readableBytes > 0 {
            context.fireChannelRead(self.wrapInboundOut(rest))
            context.fireChannelReadComplete()
        }
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    private func refuse(_ context: ChannelHandlerContext, _ event: AdmissionEvent) {
        guard !self.isDone else { return }
        self.isDone = true
        self.received = nil
        self.counters.count(event)
        context.close(promise: nil)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        self.isDone = true
        context.fireChannelInactive()
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        self.deadline?.cancel()
        self.deadline = nil
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if self.isDone { context.fireErrorCaught(error) } else { context.close(promise: nil) }
    }
}

@available(*, unavailable)
extension ProxyProtocolHandler: Sendable {}
