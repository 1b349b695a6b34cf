public import NIOCore
public import NIOHTTP1
import NIOWebSocket
import WasmnetProtocol
import WasmnetRelay

/// Two ways to put sessions on connections of your own NIO HTTP server. Both hold clients to the same policy and limits as the
/// server's own port, and neither needs ``Server/listen(onListening:)``.
extension Server {
    /// An upgrader that puts a session on a connection; one object for each connection.
    ///
    /// Pass it to `configureHTTPServerPipeline(withServerUpgrade:)`. A refused handshake (path, origin, token, subprotocol, limit)
    /// continues to your own HTTP handlers; but that of a page (with `Origin` and a subprotocol) that is not admitted succeeds and is
    /// closed at once with 1008 or 1013, since a page cannot see a status. Remove those handlers in the completion handler: a session does
    /// not speak HTTP.
    public func makeUpgrader() -> any HTTPServerProtocolUpgrader {
        SessionUpgrader(environment: self.environment, admission: self.admission)
    }

    /// Puts a session on a WebSocket that `NIOWebSocketServerUpgrader` has just upgraded.
    ///
    /// Call it in that upgrader's `upgradePipelineHandler` and return its future. A session has its own frame handlers, placed
    /// before NIO's, so that your handlers see nothing of it. The answer to the handshake must name the subprotocol: take it
    /// from ``subprotocol(for:)`` in `shouldUpgrade`.
    ///
    /// - Parameters:
    ///   - channel: the upgraded connection, from which nothing was read since the handshake.
    ///   - request: the handshake's request, with the offered subprotocols and the origin.
    /// - Returns: A future on the channel's event loop. It fails when the client is not admitted; the WebSocket is then closed with
    ///   1008 and the reason's code word, or 1013 if the client may retry later.
    public func startSession(on channel: any Channel, request: HTTPRequestHead) -> EventLoopFuture<Void> {
        let eventLoop = channel.eventLoop
        let environment = self.environment
        let admission = self.admission
        return eventLoop.flatSubmit {
            PendingSession.open(request, on: channel, in: environment, admission: admission).assumeIsolated()
                .flatMapThrowing { opening in
                    do {
                        // Nearer to the network than NIO's frame handlers, which cannot be removed and see nothing any more.
                        let encoder = try channel.pipeline.syncOperations.handler(type: WebSocketFrameEncoder.self)
                        try opening.start(on: channel, position: .before(encoder))
                    } catch {
                        opening.abandon()
                        throw error
                    }
                }
                .flatMapErrorThrowing { error in
                    Self.close(channel, after: error, within: environment.settings.closeTimeout)
                    throw error
                }.nonisolated()
        }
    }

    /// The subprotocol that a session answers this request with; nil when the client offers none, which means `wasmnet.v1`, or none
    /// that is supported here.
    public func subprotocol(for request: HTTPRequestHead) -> String? {
        PendingSession.subprotocol(for: request)
    }

    private static func close(_ channel: any Channel, after error: any Error, within timeout: TimeAmount) {
        let (code, reason) = RejectionClose.words(for: error)
        let frame = WebSocketFrame(fin: true, opcode: .connectionClose, data: code.payload(reason))
        // Nothing more is accepted; and the peer gets time to read the reason, since a close with unread bytes would be a reset.
        try? channel.syncOptions?.setOption(.autoRead, value: false)
        channel.writeAndFlush(frame, promise: nil)
        channel.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
    }
}
