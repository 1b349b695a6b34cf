package import NIOCore
package import NIOHTTP1
package import WasmnetPolicy
package import WasmnetProtocol
package import WasmnetQuota
import WasmnetText

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

extension DenylistView {
    /// The entry that denies a client by any of its identities: who pays, its address (with every network around it), its token's subject.
    func entry(forClient client: ClientID, at address: IPAddress?, subject: ClientID?) -> DenylistEntry? {
        // An address is looked up as such; without one a client is `a:local`.
        var ids = address == nil ? [client, ClientID(peer: nil)] : [client]
        if let subject, subject != client { ids.append(subject) }
        for id in ids {
            if let entry = self.entry(forClient: id.text, at: address) { return entry }
        }
        return nil
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

extension ClientID {
    /// IPv4 by address, mapped into IPv6 (RFC 4291, section 2.5.5.2) or not; IPv6 by /64: what one subscriber usually has.
    package init(peer: IPAddress?) {
        guard let peer = peer?.withoutV4Mapping else {
            self.init(text: "a:local")
            return
        }
        if peer.isIPv4 {
            self.init(text: "a:\(peer)")
        } else {
            let high = peer.bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            self.init(text: "a:\(IPAddress(v6: high, low: 0))/64")
        }
    }
}

extension ClientID {
    /// As operators write it: an address, alone or after `a:`, of IPv6 its /64 as well, `a:local`, or `t:NAME`; nil for what no client can be.
    package init?(written text: String) {
        let written = ByteText(text)
        if let name = written.dropping(prefix: "t:") {
            guard ClientName.isName(name.text) else { return nil }
            self.init(text: text)
            return
        }
        if written == "a:local" {
            self.init(peer: nil)
            return
        }
        let place = written.dropping(prefix: "a:") ?? written
        let network = place.dropping(suffix: "/64")
        guard let address = IPAddress((network ?? place).text)?.withoutV4Mapping else { return nil }
        if network != nil, address.isIPv4 { return nil }
        self.init(peer: address)
    }
}
