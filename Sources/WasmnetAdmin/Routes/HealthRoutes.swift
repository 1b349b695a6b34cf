import NIOHTTP1
import PrometheusMetrics

extension AdminRoutes {
    /// The routes of probes and scrapers.
    var health: [Route] {
        let metricsAccess: Route.Access = self.configuration.metricsNeedToken ? .token : .open
        return [
            // Scrapers may add parameters, such as Prometheus' `params`.
            Route(.GET, "/metrics", "metrics", access: metricsAccess, parameters: nil) { call in
                let format = ExpositionFormat(accept: call.headers.first(name: "Accept"))
                var reply = Reply.bytes(self.registry.exposition(format), type: format.contentType)
                reply.headers.add(name: "Vary", value: "Accept")
                return reply
            },
            Route(.GET, "/livez", "livez", access: .probe, parameters: nil) { _ in try .json(Liveness(alive: true)) },
            Route(.GET, "/readyz", "readyz", access: .probe, parameters: nil) { _ in
                let checks = try await self.backend.readiness()
                let isReady = checks.allSatisfy(\.isWell)
                return try .json(
                    Readiness(ready: isReady, checks: checks.map(Readiness.Check.init)),
                    status: isReady ? .ok : .serviceUnavailable)
            },
            Route(.GET, "/version", "version") { _ in try .json(try await self.backend.version()) },
            Route(.GET, "/openapi.json", "openapi", access: .open) { _ in
                .bytes(Self.openAPI, type: "application/json")
            },
        ]
    }

    private struct Liveness: Encodable {
        let alive: Bool
    }

    private struct Readiness: Encodable {
        struct Check: Encodable {
            let name: String
            let ok: Bool
            let reason: String?
            let detail: String?

            init(_ check: ReadinessCheck) {
                self.name = check.name
                self.ok = check.isWell
                self.reason = check.problem
                self.detail = check.detail
            }
        }
        let ready: Bool
        let checks: [Check]
    }
}
