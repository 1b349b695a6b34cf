import NIOHTTP1

extension AdminRoutes {
    /// A client's usage and limits. A client's id may contain slashes, which are written `%2F`.
    var quota: [Route] {
        [
            Route(.GET, "/v1/quota/{client}", "quota.read") { call in
                guard let report = try await self.backend.quota(of: call.parameter("client")) else {
                    throw AdminError.notFound("there is no such client")
                }
                return try .json(report)
            },
            Route(.PUT, "/v1/quota/{client}", "quota.override", body: .json) { call in
                let body = try JSONText.decode(QuotaBody.self, from: call.body)
                return try .json(
                    try await self.backend.overrideQuota(
                        of: call.parameter("client"), with: body.request, for: body.time))
            },
            Route(.DELETE, "/v1/quota/{client}", "quota.clear") { call in
                guard try await self.backend.clearQuotaOverride(of: call.parameter("client")) else {
                    throw AdminError.notFound("the client has no override")
                }
                return .noContent
            },
        ]
    }
}
