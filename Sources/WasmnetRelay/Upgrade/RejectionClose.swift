import NIOCore
import NIOHTTP1
import WasmnetProtocol

/// Refuses a client that cannot see an HTTP status: a page learns nothing about a failed handshake (the WebSocket standard
/// hides it), so its WebSocket is opened and closed at once with the reason's code word.
package struct RejectionClose {
    private let code: CloseCode
    private let reason: String
    /// Headers for the handshake's answer: the subprotocol, without which a browser fails the connection before it reads the close.
    let headers: HTTPHeaders

    /// Nil if the client sees the status or the error need not be shown: a request without `Origin` is not a page's, one that offers no
    /// subprotocol gets HTTP like any other tool, and an error other than of admission (path, method, handshake) is the page author's.
    ///
    /// - Parameter isRetried: whether a balancer tries another node after the status 503.
    init?(after error: any Error, to request: HTTPRequestHead, isRetried: Bool = false) {
        guard let refusal = error as? HTTPRefusal,
            Self.isAdmission(refusal.status) || (refusal.status == .serviceUnavailable && !isRetried),
            request.headers.contains(name: "Origin"), let echo = PendingSession.subprotocol(for: request)
        else { return nil }
        (self.code, self.reason) = Self.words(for: error)
        self.headers = ["Sec-WebSocket-Protocol": echo]
    }

    private static func isAdmission(_ status: HTTPResponseStatus) -> Bool {
        status == .unauthorized || status == .forbidden || status == .tooManyRequests
    }

    /// 1008 and the reason's code word; 1013 if the client may retry later.
    package static func words(for error: any Error) -> (CloseCode, String) {
        let refusal = error as? HTTPRefusal
        let mayTryLater = refusal?.headers.contains(name: "Retry-After") == true
        return (mayTryLater ? .tryLater : .notAdmitted, refusal?.code.word ?? ReasonCode.internalError.word)
    }

    /// Sends the close frame; the connection ends with the peer's answer to it, or after `timeout`.
    func say(on channel: any Channel, within timeout: TimeAmount) throws {
        try channel.pipeline.syncOperations.addHandler(AwaitPeerCloseHandler())
        let payload = self.code.payload(self.reason)
        var frame = ByteBuffer()
        frame.writeFrameHeader(.close, length: payload.readableBytes)
        frame.writeImmutableBuffer(payload)
        channel.writeAndFlush(frame, promise: nil)
        let timer = channel.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in timer.cancel() }
    }
}

/// Discards what the peer still sends; any bytes count as its answer, since they are most likely its own close frame.
private final class AwaitPeerCloseHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var hasAnswered = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.hasAnswered else { return }
        self.hasAnswered = true
        // The server ends first (RFC 6455, section 7.1.1), but only its own direction: a close with unread bytes would be a reset.
        context.close(mode: .output, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
