package import NIOCore
package import NIOHTTP1
package import WasmnetPolicy
package import WasmnetProtocol
package import WasmnetQuota
package import WasmnetNet

/// A request to open a session, refused over HTTP.
package struct HTTPRefusal: Error, Sendable, Equatable {
    package var status: HTTPResponseStatus
    /// One plain sentence for the body.
    package var message: String
    package var headers: HTTPHeaders
    /// Why, for a WebSocket that stands already and is closed for it.
    package var code: ReasonCode

    package init(
        _ status: HTTPResponseStatus, _ message: String, headers: HTTPHeaders = [:],
        code: ReasonCode = .protocolError
    ) {
        self.status = status
        self.message = message
        self.headers = headers
        self.code = code
    }
}

/// Who asks for a session, and under which terms.
package struct AdmittedClient: Sendable {
    /// Who pays for what it uses.
    package var client: ClientID
    /// Where it comes from, behind trusted proxies; nil for what has no IP address.
    package var address: IPAddress?
    /// Who its token says it is, also where it pays by its address; nil without a token.
    package var subject: ClientID?
    package var limits: ClientLimits
    /// What the client's token adds to the policy, now and after each change of it.
    package var terms: TokenRestrictions

    package init(
        client: ClientID, address: IPAddress? = nil, subject: ClientID? = nil, limits: ClientLimits,
        terms: TokenRestrictions = TokenRestrictions()
    ) {
        self.client = client
        self.address = address
        self.subject = subject
        self.limits = limits
        self.terms = terms
    }
}

/// A request to open a session, and where its connection comes from.
package struct AdmissionRequest: Sendable {
    package var head: HTTPRequestHead
    /// The TCP peer; nil for what has no IP address.
    package var peer: IPAddress?
    /// Whom a trusted peer announced by the PROXY protocol, if it announced anyone.
    package var proxiedAddress: IPAddress?

    package init(head: HTTPRequestHead, peer: IPAddress?, proxiedAddress: IPAddress? = nil) {
        self.head = head
        self.peer = peer
        self.proxiedAddress = proxiedAddress
    }
}

/// Decides who a client is and whether it may come in at all, before any WebSocket stands.
package protocol Admission: Sendable {
    /// Called on `eventLoop`, on which the answer comes as well.
    ///
    /// Fails with an ``HTTPRefusal``.
    func admit(
        _ request: AdmissionRequest, policy: Policy, on eventLoop: any EventLoop
    ) -> EventLoopFuture<AdmittedClient>
}
