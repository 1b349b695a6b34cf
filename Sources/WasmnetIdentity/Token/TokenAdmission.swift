package import Logging
package import NIOCore
import NIOHTTP1
import WasmnetNet
package import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota
package import WasmnetRelay

/// The client is its token's subject, or an address, as the policy says; in both cases the token's tier and destinations apply.
///
/// An invalid token is never admitted, even if none is required.
package struct TokenAdmission: Admission {
    private let verifier: TokenVerifier
    private let address: AddressAdmission
    private let counters: AdmissionCounters
    private let logger: Logger
    private let failures: FailureGate
    private let now: @Sendable () -> Double

    /// - Parameters:
    ///   - uptime: monotonic nanoseconds.
    ///   - now: seconds since 1970.
    package init(
        verifier: TokenVerifier, counters: AdmissionCounters, logger: Logger,
        uptime: @escaping @Sendable () -> Int64, now: @escaping @Sendable () -> Double
    ) {
        self.verifier = verifier
        self.address = AddressAdmission(counters: counters)
        self.counters = counters
        self.logger = logger
        self.failures = FailureGate(uptime: uptime)
        self.now = now
    }

    package func admit(
        _ request: AdmissionRequest, policy: Policy, on eventLoop: any EventLoop
    ) -> EventLoopFuture<AdmittedClient> {
        let address: IPAddress?
        switch self.address.address(of: request, policy: policy) {
        case .success(let value): address = value
        case .failure(let refusal): return eventLoop.makeFailedFuture(refusal)
        }
        let presented = PresentedToken.find(in: request.head)
        if presented != .none, self.failures.isShut(to: address) {
            self.counters.count(.tokenRefused)
            return eventLoop.makeFailedFuture(HTTPRefusal.tooManyWrongTokens)
        }
        switch presented {
        case .none where policy.clients.requireToken:
            self.counters.count(.tokenMissing)
            return eventLoop.makeFailedFuture(HTTPRefusal.tokenNeeded)
        case .none:
            return eventLoop.makeSucceededFuture(
                AdmittedClient(
                    client: ClientID(peer: address), address: address, limits: policy.limits))
        case .unclear:
            return eventLoop.makeFailedFuture(self.refusal(.unclear, address))
        case .token(let token):
            let now = self.now()
            return eventLoop.makeFutureWithTask { await self.verifier.verify(token, now: now) }.flatMapThrowing {
                try self.admitted($0, address, policy)
            }
        }
    }

    private func admitted(
        _ result: Result<TokenGrant, TokenFault>, _ address: IPAddress?, _ policy: Policy
    ) throws -> AdmittedClient {
        let grant: TokenGrant
        switch result {
        case .success(let value): grant = value
        case .failure(let fault): throw self.refusal(fault, address)
        }
        if let tier = grant.tier, !policy.hasTier(tier) { throw self.refusal(.tier, address) }
        let subject = ClientID(text: "t:\(grant.subject)")
        return AdmittedClient(
            client: policy.clients.identifyBy == .token ? subject : ClientID(peer: address), address: address,
            subject: subject, limits: policy.limits(tier: grant.tier),
            terms: TokenRestrictions(tier: grant.tier, allow: grant.allow))
    }

    /// The operator may learn which part was wrong; the client may not, and the log contains nothing of the token.
    private func refusal(_ fault: TokenFault, _ address: IPAddress?) -> HTTPRefusal {
        self.failures.failed(address)
        self.counters.count(.tokenRefused)
        self.logger.debug(
            "token refused", metadata: ["from": "\(ClientID(peer: address).text)", "fault": "\(fault.rawValue)"])
        return .tokenNeeded
    }
}

extension HTTPRefusal {
    /// The same for a missing token and for any kind of invalid one (RFC 6750, section 3).
    static let tokenNeeded = HTTPRefusal(
        .unauthorized, "A valid token is needed to open a session here.", headers: ["WWW-Authenticate": "Bearer"],
        code: .notAdmitted)
    /// Before any signature is checked: it is not known whether this token is valid. Not `not_admitted`, after which clients do not retry.
    static let tooManyWrongTokens = HTTPRefusal(
        .tooManyRequests, "Too many wrong tokens came from this address; try again later.",
        headers: ["Retry-After": "1"], code: .connectRate)
}
