package import NIOCore
package import NIOHTTP1
import NIOWebSocket
import WasmnetProtocol
import WasmnetQuota

/// Turns one HTTP connection into a session: path, origin, subprotocol, limits, then the WebSocket handshake (RFC 6455, section 4.2).
///
/// One object a connection. A refusal leaves the connection to the HTTP handlers behind it, with ``refusal`` telling why.
package final class SessionUpgrader: HTTPServerProtocolUpgrader {
    package let supportedProtocol = "websocket"
    package let requiredUpgradeHeaders: [String] = []

    private struct Opening {
        var version: WireVersion
        var client: ClientID
        var allowance: any ClientAllowance
        var slot: QuotaSlot?
    }

    private let environment: RelayEnvironment
    private let admission: any Admission
    private var opening: Opening?
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
        let result = self.open(upgradeRequest, channel)
        let upgrader = NIOLoopBound(self, eventLoop: channel.eventLoop)
        return result.flatMap { extra in
            // NIO's own upgrader knows the handshake's hash; the frames are ours.
            let handshake = NIOWebSocketServerUpgrader(
                automaticErrorHandling: false,
                shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(extra) },
                upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
            return handshake.buildUpgradeResponse(
                channel: channel, upgradeRequest: upgradeRequest, initialResponseHeaders: initialResponseHeaders)
        }.flatMapErrorThrowing { error in
            let upgrader = upgrader.value
            upgrader.opening?.slot?.release()
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
        let environment = self.environment
        return context.eventLoop.makeCompletedFuture {
            try WebSocketHandler.install(on: context.channel, settings: environment.settings, clock: environment.clock)
            {
                carrier, channel in
                Session(
                    environment: environment, eventLoop: channel.eventLoop, carrier: carrier,
                    version: opening.version, client: opening.client, allowance: opening.allowance, slot: opening.slot)
            }
        }
    }

    /// Everything that can be refused; the extra headers of the answer otherwise.
    private func open(_ request: HTTPRequestHead, _ channel: any Channel) -> EventLoopFuture<HTTPHeaders> {
        let eventLoop = channel.eventLoop
        let path = request.uri.prefix { $0 != "?" }
        guard path == "/" else {
            return eventLoop.makeFailedFuture(HTTPRefusal(.notFound, "There is nothing at this path."))
        }
        guard request.method == .GET else {
            return eventLoop.makeFailedFuture(HTTPRefusal(.methodNotAllowed, "A WebSocket begins with GET."))
        }
        let offer = SubprotocolOffer(headerLines: request.headers["Sec-WebSocket-Protocol"])
        guard case .accepted(let version, let echo, _) = offer.answer else {
            return eventLoop.makeFailedFuture(
                HTTPRefusal(.badRequest, "None of the offered subprotocols is spoken here; offer wasmnet.v2."))
        }
        let admitted: Admitted
        switch self.admission.admit(request, from: channel.remoteAddress, policy: self.environment.policy) {
        case .success(let value): admitted = value
        case .failure(let refusal): return eventLoop.makeFailedFuture(refusal)
        }
        var headers = HTTPHeaders()
        if let echo { headers.add(name: "Sec-WebSocket-Protocol", value: echo) }
        let allowance = self.environment.ledger.allowance(for: admitted.client, limits: admitted.limits)
        let promise = eventLoop.makePromise(of: HTTPHeaders.self)
        let upgrader = NIOLoopBound(self, eventLoop: eventLoop)
        let answer: @Sendable (Result<QuotaSlot?, QuotaRefusal>) -> Void = { [headers] result in
            switch result {
            case .success(let slot):
                upgrader.value.opening = Opening(
                    version: version, client: admitted.client, allowance: allowance, slot: slot)
                promise.succeed(headers)
            case .failure(let refusal): promise.fail(HTTPRefusal(refusal))
            }
        }
        let now = self.environment.clock.now()
        let atOnce = allowance.reserve(.session, now: now) { result in eventLoop.execute { answer(result) } }
        if let atOnce { answer(atOnce) }
        return promise.futureResult
    }
}

@available(*, unavailable)
extension SessionUpgrader: Sendable {}

extension HTTPRefusal {
    init(_ refusal: QuotaRefusal) {
        let seconds = max(1, (UInt64(refusal.retryAfterMilliseconds) + 999) / 1000)
        self.init(
            .tooManyRequests, "\(refusal.message) (\(Refusal(refusal).code.word))",
            headers: ["Retry-After": "\(seconds)"])
    }
}
