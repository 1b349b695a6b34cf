package import NIOCore
package import NIOHTTP1
import NIOWebSocket
package import WasmnetNet
import WasmnetPolicy

/// Turns one HTTP connection into a session: checks the path, then ``PendingSession``, then the WebSocket handshake (RFC 6455,
/// section 4.2).
///
/// One object per connection. A refusal leaves the connection to the HTTP handlers behind it, with the reason in ``refusal``; but a page
/// cannot see the status of a failed handshake, so its handshake succeeds and the WebSocket is closed at once (``RejectionClose``).
package final class SessionUpgrader: HTTPServerProtocolUpgrader {
    package let supportedProtocol = "websocket"
    package let requiredUpgradeHeaders: [String] = []

    private let environment: RelayEnvironment
    private let admission: any Admission
    private let proxiedAddress: IPAddress?
    private var opening: PendingSession?
    private var farewell: RejectionClose?
    private(set) var refusal: HTTPRefusal?
    /// Whether the upgrade leads to a close frame and not to a session.
    var saysFarewell: Bool { self.farewell != nil }
    private var isWatched = false
    private var isOver = false

    /// - Parameter proxiedAddress: the client announced by a trusted peer by the PROXY protocol.
    package init(environment: RelayEnvironment, admission: any Admission, proxiedAddress: IPAddress? = nil) {
        self.environment = environment
        self.admission = admission
        self.proxiedAddress = proxiedAddress
    }

    package func buildUpgradeResponse(
        channel: any Channel, upgradeRequest: HTTPRequestHead, initialResponseHeaders: HTTPHeaders
    ) -> EventLoopFuture<HTTPHeaders> {
        // Each `websocket` in an Upgrade header asks once more; the answer does not change.
        if let refusal = self.refusal { return channel.eventLoop.makeFailedFuture(refusal) }
        let upgrader = NIOLoopBound(self, eventLoop: channel.eventLoop)
        if !self.isWatched {
            self.isWatched = true
            channel.closeFuture.whenComplete { _ in upgrader.value.connectionEnded() }
        }
        return self.open(upgradeRequest, channel).flatMap { extra in
            // NIO's own upgrader computes the handshake's hash; the frames are ours.
            let handshake = NIOWebSocketServerUpgrader(
                automaticErrorHandling: false,
                shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(extra) },
                upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
            return handshake.buildUpgradeResponse(
                channel: channel, upgradeRequest: upgradeRequest, initialResponseHeaders: initialResponseHeaders)
        }.flatMapErrorThrowing { error in
            let upgrader = upgrader.value
            upgrader.opening?.abandon()
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
        if let farewell = self.farewell {
            return context.eventLoop.makeCompletedFuture {
                try farewell.say(on: context.channel, within: self.environment.settings.closeTimeout)
            }
        }
        guard let opening = self.opening.take() else {
            return context.eventLoop.makeFailedFuture(ChannelError.inappropriateOperationForState)
        }
        return context.eventLoop.makeCompletedFuture { try opening.start(on: context.channel) }
    }

    /// The connection may end before the client is known, or before the request's own end: nothing else would release the slot.
    private func connectionEnded() {
        self.isOver = true
        self.opening.take()?.abandon()
    }

    private func open(_ request: HTTPRequestHead, _ channel: any Channel) -> EventLoopFuture<HTTPHeaders> {
        guard RequestHead.path(of: request.uri).utf8.elementsEqual("/".utf8) else {
            return channel.eventLoop.makeFailedFuture(HTTPRefusal.nothingHere)
        }
        if let refusal = Handshake.refusal(of: request) { return channel.eventLoop.makeFailedFuture(refusal) }
        let isRetried = self.isRetried(channel)
        return PendingSession.open(
            request, on: channel, proxiedAddress: self.proxiedAddress, in: self.environment, admission: self.admission
        ).assumeIsolated().flatMapThrowing { opening in
            guard !self.isOver else {
                opening.abandon()
                throw ChannelError.ioOnClosedChannel
            }
            self.opening = opening
            return opening.headers
        }.flatMapErrorThrowing { error in
            guard let farewell = RejectionClose(after: error, to: request, isRetried: isRetried) else { throw error }
            self.farewell = farewell
            return farewell.headers
        }.nonisolated()
    }
}

extension SessionUpgrader {
    /// Whether there is a balancer, which tries another node when this one drains: it must see the status.
    private func isRetried(_ channel: any Channel) -> Bool {
        guard self.proxiedAddress == nil else { return true }
        let trusted = self.environment.policy.clients.trustedProxies
        return channel.remoteAddress?.hostAddress.map { peer in trusted.contains { $0.contains(peer) } } ?? false
    }
}

@available(*, unavailable)
extension SessionUpgrader: Sendable {}
