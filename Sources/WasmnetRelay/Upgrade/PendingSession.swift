package import NIOCore
package import NIOHTTP1
package import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// An admitted session that does not run yet: it holds the client's slot until it is started or abandoned.
package struct PendingSession {
    private let environment: RelayEnvironment
    private let version: WireVersion
    private let admitted: AdmittedClient
    private let allowance: any ClientAllowance
    private let slot: QuotaSlot?
    private let request: HTTPRequestHead
    /// Headers for the handshake's answer: the chosen subprotocol.
    package let headers: HTTPHeaders

    /// Everything that can refuse a session, in this order: subprotocol, who the client is, how often it opens sessions, how
    /// many it has.
    ///
    /// - Parameter proxiedAddress: the client announced by a trusted peer by the PROXY protocol.
    ///
    /// Fails with an ``HTTPRefusal``.
    package static func open(
        _ request: HTTPRequestHead, on channel: any Channel, proxiedAddress: IPAddress? = nil,
        in environment: RelayEnvironment, admission: any Admission
    ) -> EventLoopFuture<PendingSession> {
        let eventLoop = channel.eventLoop
        let offer = SubprotocolOffer(headerLines: request.headers["Sec-WebSocket-Protocol"])
        guard case .accepted(let version, let echo, _) = offer.answer else {
            return eventLoop.makeFailedFuture(
                HTTPRefusal(.badRequest, "None of the offered subprotocols is supported here; offer wasmnet.v2."))
        }
        guard !environment.registry.isClosed else { return Self.refuse(.draining, on: eventLoop, in: environment) }
        var headers = HTTPHeaders()
        if let echo { headers.add(name: "Sec-WebSocket-Protocol", value: echo) }
        let asked = AdmissionRequest(
            head: request, peer: channel.remoteAddress?.hostAddress, proxiedAddress: proxiedAddress)
        return admission.admit(asked, policy: environment.policy, on: eventLoop).flatMap { admitted in
            let entry = environment.denylist()?.entry(
                forClient: admitted.client, at: admitted.address, subject: admitted.subject)
            guard entry == nil else { return eventLoop.makeFailedFuture(HTTPRefusal.denylisted) }
            return Self.reserve(admitted, on: eventLoop, in: environment).map { (admitted, $0.allowance, $0.slot) }
        }.assumeIsolated().flatMapThrowing {
            [headers] (reserved: (AdmittedClient, any ClientAllowance, QuotaSlot?)) -> PendingSession in
            let (admitted, allowance, slot) = reserved
            // A drain may have begun meanwhile.
            guard !environment.registry.isClosed else {
                slot?.release()
                throw HTTPRefusal.draining
            }
            return PendingSession(
                environment: environment, version: version, admitted: admitted, allowance: allowance, slot: slot,
                request: request, headers: headers)
        }.flatMapErrorThrowing { error in
            environment.observer.sessionRefused((error as? HTTPRefusal)?.code ?? .internalError)
            throw error
        }.nonisolated()
    }

    private static func refuse(
        _ refusal: HTTPRefusal, on eventLoop: any EventLoop, in environment: RelayEnvironment
    ) -> EventLoopFuture<PendingSession> {
        environment.observer.sessionRefused(refusal.code)
        return eventLoop.makeFailedFuture(refusal)
    }

    private static func reserve(
        _ admitted: AdmittedClient, on eventLoop: any EventLoop, in environment: RelayEnvironment
    ) -> EventLoopFuture<(allowance: any ClientAllowance, slot: QuotaSlot?)> {
        let allowance = environment.ledger.allowance(for: admitted.client, limits: admitted.limits)
        let now = environment.clock.now()
        if let until = allowance.onNode.sessions.take(now: now) {
            return eventLoop.makeFailedFuture(HTTPRefusal.tooManySessions(until: until, now: now))
        }
        let promise = eventLoop.makePromise(of: (allowance: any ClientAllowance, slot: QuotaSlot?).self)
        let answer: @Sendable (Result<QuotaSlot?, QuotaRefusal>) -> Void = { result in
            if case .failure(let refusal) = result { environment.observer.quotaRefused(refusal.kind) }
            promise.completeWith(result.mapError { HTTPRefusal($0) as any Error }.map { (allowance, $0) })
        }
        let atOnce = allowance.reserve(.session, now: now) { result in
            eventLoop.execute { answer(result) }
        }
        if let atOnce { answer(atOnce) }
        return promise.futureResult
    }

    /// The subprotocol that ``headers`` will name for a request, if any.
    package static func subprotocol(for request: HTTPRequestHead) -> String? {
        let offer = SubprotocolOffer(headerLines: request.headers["Sec-WebSocket-Protocol"])
        guard case .accepted(_, let echo, _) = offer.answer else { return nil }
        return echo
    }

    /// Starts the session on a channel whose handshake is complete.
    ///
    /// - Parameter position: where in the pipeline the session's bytes are those on the wire.
    package func start(on channel: any Channel, position: ChannelPipeline.SynchronousOperations.Position = .last) throws
    {
        let environment = self.environment
        try WebSocketHandler.install(
            on: channel, position: position, settings: environment.settings, clock: environment.clock,
            turns: environment.inputTurns(on: channel.eventLoop),
            onLinger: { environment.pending.linger(channel, from: self.admitted.address) }
        ) {
            Session(
                environment: environment, eventLoop: $1.eventLoop, carrier: $0, version: self.version,
                client: self.admitted.client, address: self.admitted.address, subject: self.admitted.subject,
                terms: self.admitted.terms,
                allowance: self.allowance, slot: self.slot, trace: environment.observer.trace(of: self.request))
        }
    }

    /// The handshake failed: the client's slot is free again.
    package func abandon() {
        self.slot?.release()
    }
}

@available(*, unavailable)
extension PendingSession: Sendable {}

extension HTTPRefusal {
    static let denylisted = HTTPRefusal(.forbidden, "This client may not open a session here.", code: .denylisted)

    /// More a second than one client may open.
    static func tooManySessions(until: QuotaInstant, now: QuotaInstant) -> HTTPRefusal {
        let milliseconds = UInt64(max(0, until.microseconds - now.microseconds) / 1000)
        return HTTPRefusal(
            .tooManyRequests, "this client opens sessions too often", .connectRate, retryAfter: milliseconds)
    }

    init(_ refusal: QuotaRefusal) {
        self.init(
            refusal.kind == .unanswered ? .serviceUnavailable : .tooManyRequests, refusal.message,
            Refusal(refusal).code, retryAfter: UInt64(refusal.retryAfterMilliseconds))
    }

    /// - Parameter retryAfter: in milliseconds.
    private init(_ status: HTTPResponseStatus, _ message: String, _ code: ReasonCode, retryAfter: UInt64) {
        let seconds = max(1, (retryAfter + 999) / 1000)
        self.init(
            status, "\(message) (\(code.word))", headers: ["Retry-After": "\(seconds)"], code: code)
    }
}
