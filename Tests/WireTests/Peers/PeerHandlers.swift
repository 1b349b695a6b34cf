import NIOCore
import NIOSSL
import WasmnetTesting

/// Echoes its input, and ends when its peer ends.
final class EchoPeer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(data, promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { context.close(mode: .output, promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Sends this many bytes of the pattern while it checks received ones; when both are done, reports the number and whether they were
/// right, and ends.
final class DuplexPeer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let count: Int
    private var sent = 0
    private var received = 0
    private var isRight = true
    private var peerEnded = false

    init(count: Int) {
        self.count = count
    }

    func channelActive(context: ChannelHandlerContext) { self.send(context) }
    func channelWritabilityChanged(context: ChannelHandlerContext) { self.send(context) }

    private func send(_ context: ChannelHandlerContext) {
        while context.channel.isActive, context.channel.isWritable, self.sent < self.count {
            let piece = Pattern.bytes(from: self.sent, count: min(32 << 10, self.count - self.sent))
            self.sent += piece.readableBytes
            context.writeAndFlush(self.wrapOutboundOut(piece), promise: nil)
        }
        self.reportOnce(context)
    }

    private func reportOnce(_ context: ChannelHandlerContext) {
        guard self.peerEnded, self.sent == self.count else { return }
        self.peerEnded = false
        let report = ByteBuffer(string: "\(self.received) \(self.isRight ? "right" : "wrong")")
        context.writeAndFlush(self.wrapOutboundOut(report), promise: nil)
        context.close(mode: .output, promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let piece = self.unwrapInboundIn(data)
        self.isRight = self.isRight && Pattern.matches(piece, from: self.received)
        self.received += piece.readableBytes
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return }
        self.peerEnded = true
        self.reportOnce(context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Sends one text, and then ends TLS and TCP (`closes`), or only TCP, which inside TLS is a truncation (RFC 8446, section 6.1).
final class OneTextPeer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum End: Sendable { case closeNotify, truncation }

    private let text: String
    private let end: End

    init(_ text: String, end: End) {
        self.text = text
        self.end = end
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: self.text)), promise: nil)
        switch self.end {
        case .closeNotify:
            context.close(mode: .output, promise: nil)
        case .truncation:
            // Closing TLS' own context does not pass through TLS on its way out.
            let tls = try? context.pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self)
            tls?.close(mode: .output, promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Reads, and reports how its peer's direction ended, once; then ends.
final class EndTellingPeer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    enum End: Sendable { case clean, broken }

    private let told: AsyncStream<End>.Continuation

    init(_ told: AsyncStream<End>.Continuation) {
        self.told = told
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return }
        self.told.yield(.clean)
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.told.yield(.broken)
        context.close(promise: nil)
    }
}

/// Sends nothing until its peer ends, then sends this many bytes of the pattern and ends.
final class LastWordPeer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let count: Int

    init(count: Int) {
        self.count = count
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return }
        context.writeAndFlush(self.wrapOutboundOut(Pattern.bytes(from: 0, count: self.count)), promise: nil)
        context.close(mode: .output, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
