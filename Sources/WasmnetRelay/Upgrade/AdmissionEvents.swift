import WasmnetNet

/// Events counted by admission: a closed list, fit for a metric label.
package enum AdmissionEvent: String, Sendable, CaseIterable {
    /// A PROXY header from a peer that is not a trusted proxy, or such a peer where every connection must use one.
    case untrustedProxyHeader = "untrusted_proxy_header"
    /// A connection closed since its PROXY header was malformed, missing or late.
    case badProxyHeader = "bad_proxy_header"
    /// `X-Forwarded-For` or `Forwarded` from a peer that is not a trusted proxy; ignored.
    case untrustedForwarding = "untrusted_forwarding"
    /// An unreadable `Forwarded`, or one that names another client than `X-Forwarded-For`; the request is refused.
    case badForwarding = "bad_forwarding"
    case originRefused = "origin_refused"
    case tokenMissing = "token_missing"
    case tokenRefused = "token_refused"
}

/// The number of each event since the start. Any thread.
package final class AdmissionCounters: Sendable {
    private let counts = Guarded<[AdmissionEvent: UInt64]>([:])

    package init() {}

    package func count(_ event: AdmissionEvent) {
        self.counts.withLock { $0[event, default: 0] &+= 1 }
    }

    package func total(_ event: AdmissionEvent) -> UInt64 {
        self.counts.withLock { $0[event, default: 0] }
    }
}
