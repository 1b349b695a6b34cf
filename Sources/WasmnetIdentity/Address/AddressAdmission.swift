package import NIOCore
import NIOHTTP1
import WasmnetNet
package import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota
package import WasmnetRelay

/// The client is an address: IPv4 by itself, IPv6 by its /64; origins by the policy. Decides at once.
package struct AddressAdmission: Admission {
    private let counters: AdmissionCounters

    package init(counters: AdmissionCounters = AdmissionCounters()) {
        self.counters = counters
    }

    package func admit(
        _ request: AdmissionRequest, policy: Policy, on eventLoop: any EventLoop
    ) -> EventLoopFuture<AdmittedClient> {
        eventLoop.makeCompletedFuture {
            let address = try self.address(of: request, policy: policy).get()
            // The policy was changed to require tokens, on a node without a key to verify them.
            guard !policy.clients.requireToken else {
                self.counters.count(.tokenMissing)
                throw HTTPRefusal.tokenNeeded
            }
            return AdmittedClient(
                client: ClientID(peer: address), address: address, limits: policy.limits)
        }
    }

    /// Whether the request's page is allowed, and the address it connects from.
    func address(of request: AdmissionRequest, policy: Policy) -> Result<IPAddress?, HTTPRefusal> {
        let clients = policy.clients
        guard OriginRule.allows(request.head.headers, clients.allowedOrigins) else {
            self.counters.count(.originRefused)
            return .failure(HTTPRefusal(.forbidden, "This origin may not open a session here.", code: .policyDenied))
        }
        let address = ClientAddress.find(
            request.head.headers, peer: request.proxiedAddress ?? request.peer, trusted: clients.trustedProxies
        ) { self.counters.count(.untrustedForwarding) }
        switch address {
        case .of(let address): return .success(address)
        case .unclear:
            self.counters.count(.badForwarding)
            return .failure(
                HTTPRefusal(.badRequest, "X-Forwarded-For and Forwarded contradict each other or cannot be read."))
        }
    }
}
