package import NIOCore
package import NIOHTTP1
package import WasmnetPolicy
package import WasmnetProtocol
package import WasmnetQuota
package import WasmnetNet

/// A refusal of a session request over HTTP.
package struct HTTPRefusal: Error, Sendable, Equatable {
    package var status: HTTPResponseStatus
    /// One plain sentence for the body.
    package var message: String
    package var headers: HTTPHeaders
    /// The reason code, for a WebSocket that is already open and is closed for it.
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

/// The client of a session, and its terms.
package struct AdmittedClient: Sendable {
    /// The client that its usage is charged to.
    package var client: ClientID
    /// Where it connects from, behind trusted proxies; nil without an IP address.
    package var address: IPAddress?
    /// The subject of its token, even if it is charged by its address; nil without a token.
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
    /// The TCP peer; nil without an IP address.
    package var peer: IPAddress?
    /// The client announced by a trusted peer by the PROXY protocol, if any.
    package var proxiedAddress: IPAddress?

    package init(head: HTTPRequestHead, peer: IPAddress?, proxiedAddress: IPAddress? = nil) {
        self.head = head
        self.peer = peer
        self.proxiedAddress = proxiedAddress
    }
}

/// Decides who a client is and whether it is admitted at all, before any WebSocket exists.
package protocol Admission: Sendable {
    /// Called on `eventLoop`; the result is delivered there too.
    ///
    /// Fails with an ``HTTPRefusal``.
    func admit(
        _ request: AdmissionRequest, policy: Policy, on eventLoop: any EventLoop
    ) -> EventLoopFuture<AdmittedClient>
}
