import NIOHTTP1
import WasmnetNet

extension AdminRoutes {
    var policy: [Route] {
        [
            Route(.GET, "/v1/policy", "policy.read") { _ in try .json(try await self.backend.policy()) },
            Route(.POST, "/v1/policy/reload", "policy.reload") { _ in
                let report = try await self.backend.reloadPolicy()
                return try .json(report, subject: "generation \(report.generation)")
            },
            Route(.GET, "/v1/policy/explain", "policy.explain", parameters: ["destination", "udp"]) { call in
                guard let destination = call.query.text("destination") else {
                    throw AdminError.badRequest("bad_parameter", "destination is missing; it is host:port")
                }
                let (host, port) = try HostAndPort.parse(destination)
                return try .json(
                    try await self.backend.explain(host: host, port: port, udp: try call.query.flag("udp")))
            },
        ]
    }
}

enum HostAndPort {
    /// `host:port`, an IPv6 address in brackets, which are not part of the host.
    static func parse(_ text: String) throws(AdminError) -> (host: String, port: UInt16) {
        let wrong = AdminError.badRequest(
            "bad_parameter", "destination is host:port with a port of 1 to 65535, an IPv6 address in brackets")
        guard let place = try? HostPort(ByteText(text)), let port = place.portNumber(),
            (1...255).contains(place.host.count)
        else { throw wrong }
        return (place.host.text, port)
    }
}
