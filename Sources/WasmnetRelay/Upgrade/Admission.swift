package import NIOCore
package import NIOHTTP1
package import WasmnetPolicy
package import WasmnetProtocol
package import WasmnetQuota

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

/// Who asks for a session, and under which limits.
package struct Admitted: Sendable {
    package var client: ClientID
    package var limits: QuotaLimits

    package init(client: ClientID, limits: QuotaLimits) {
        self.client = client
        self.limits = limits
    }
}

/// Decides who a client is and whether it may come in at all, before any WebSocket stands.
package protocol Admission: Sendable {
    func admit(_ request: HTTPRequestHead, from peer: SocketAddress?, policy: Policy) -> Result<Admitted, HTTPRefusal>
}

/// The peer's address is the client: IPv4 by itself, IPv6 by its /64; origins as the policy says.
package struct AddressAdmission: Admission {
    package init() {}

    package func admit(
        _ request: HTTPRequestHead, from peer: SocketAddress?, policy: Policy
    ) -> Result<Admitted, HTTPRefusal> {
        let origins = policy.clients.allowedOrigins
        if !origins.isEmpty {
            let origin = request.headers.first(name: "Origin")?.lowercased()
            guard let origin, origins.contains(where: { $0.lowercased() == origin }) else {
                return .failure(
                    HTTPRefusal(.forbidden, "This origin may not open a session here.", code: .policyDenied))
            }
        }
        return .success(
            Admitted(client: ClientID(peer: peer?.bareAddress), limits: QuotaLimits(policy.limits)))
    }
}

extension ClientID {
    /// IPv4 by address, IPv6 by /64: what one subscriber usually has.
    package init(peer: IPAddress?) {
        guard let peer else {
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

extension QuotaLimits {
    package init(_ limits: ClientLimits) {
        self.init(
            maxSockets: limits.maxConnections,
            maxSessions: limits.maxSessions,
            connectsPerSecond: limits.connectsPerSecond,
            connectBurst: limits.connectBurst,
            resolvesPerSecond: limits.resolvesPerSecond,
            resolveBurst: limits.resolveBurst,
            bytesPerSecond: limits.maxBandwidthBitsPerSecond / 8,
            bytesPerDay: limits.bytesPerDay)
    }
}
