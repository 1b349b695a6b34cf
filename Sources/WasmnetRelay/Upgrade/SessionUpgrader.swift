package import NIOCore
package import NIOHTTP1
import NIOWebSocket

/// Turns one HTTP connection into a session: the path, what ``SessionOpening`` asks, then the WebSocket handshake (RFC 6455,
/// section 4.2).
///
/// One object a connection. A refusal leaves the connection to the HTTP handlers behind it, with ``refusal`` telling why.
package final class SessionUpgrader: HTTPServerProtocolUpgrader {
    package let supportedProtocol = "websocket"
    package let requiredUpgradeHeaders: [String] = []

    private let environment: RelayEnvironment
    private let admission: any Admission
    private var opening: SessionOpening?
    private(set) var refusal: HTTPRefusal?
    /// Told when the connection is a session.
    var onUpgrade: (() -> Void)?

    package init(environment: RelayEnvironment, admission: any Admission) {
        self.environment = environment
        self.admission = admission
    }

    package func buildUpgradeResponse(
        channel: any Channel, upgradeRequest: HTTPRequestHead, initialResponseHeaders: HTTPHeaders
    ) -> EventLoopFuture<HTTPHeaders> {
        let upgrader = NIOLoopBound(self, eventLoop: channel.eventLoop)
        return self.open(upgradeRequest, channel).flatMap { extra in
            // NIO's own upgrader knows the handshake's hash; the frames are ours.
            let handshake = NIOWebSocketServerUpgrader(
                automaticErrorHandling: false,
                shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(extra) },
                upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
            return handshake.buildUpgradeResponse(
                channel: channel, upgradeRequest: upgradeRequest, initialResponseHeaders: initialResponseHeaders)
        }.flatMapErrorThrowing { error in
            let upgrader = upgrader.value
            upgrader.opening?.giveUp()
            upgrader.opening = nil
            upgrader.refusal =
                error as? HTTPRefusal
                ?? HTTPRefusal(
                    .badRequest, "This is not a WebSocket handshake of version 13.",
                    headers: ["Sec-WebSocket-Version": "13"])
            throw error
        }
    }

    package func upgrade(context: ChannelHandlerContext, upgradeRequest: HTTPRequestHead) -> EventLoopFuture<Void> {
        guard let opening = self.opening.take() else {
            return context.eventLoop.makeFailedFuture(ChannelError.inappropriateOperationForState)
        }
        self.onUpgrade?()
        return context.eventLoop.makeCompletedFuture { try opening.start(on: context.channel) }
    }

    private func open(_ request: HTTPRequestHead, _ channel: any Channel) -> EventLoopFuture<HTTPHeaders> {
        guard request.uri.prefix(while: { $0 != "?" }) == "/" else {
            return channel.eventLoop.makeFailedFuture(HTTPRefusal(.notFound, "There is nothing at this path."))
        }
        guard request.method == .GET else {
            return channel.eventLoop.makeFailedFuture(
                HTTPRefusal(.methodNotAllowed, "A WebSocket begins with GET."))
        }
        return SessionOpening.open(request, on: channel, in: self.environment, admission: self.admission)
            .assumeIsolated().map { opening in
                self.opening = opening
                return opening.headers
            }.nonisolated()
    }
}

@available(*, unavailable)
extension SessionUpgrader: Sendable {}
