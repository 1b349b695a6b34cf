import Logging
import NIOConcurrencyHelpers
import NIOPosix
import PrometheusMetrics
import WasmnetAdmin

/// A server on a free port of loopback, for as long as the body runs.
struct LiveServer: Sendable {
    static let token = "a-token-of-sixteen-and-more"

    let address: AdminServer.Address
    let backend: FakeBackend
    let registry: PrometheusRegistry
    let audit: NIOLockedValueBox<[AuditRecord]>
    let server: AdminServer
    private let running: AdminServer.Running

    static func with<Value: Sendable>(
        _ configuration: AdminConfiguration = LiveServer.withToken, _ backend: FakeBackend = FakeBackend(),
        documents: [AdminDocument] = [], _ body: @escaping @Sendable (LiveServer) async throws -> Value
    ) async throws -> Value {
        let registry = try PrometheusRegistry()
        let audit = NIOLockedValueBox<[AuditRecord]>([])
        var logger = Logger(label: "admin")
        logger.logLevel = .critical
        var configuration = configuration
        configuration.port = 0
        let server = try AdminServer(
            configuration, backend: backend, registry: registry, documents: documents,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger,
            audit: { record in audit.withLockedValue { $0.append(record) } })
        let running = try await server.start()
        let live = LiveServer(
            address: running.address, backend: backend, registry: registry, audit: audit, server: server,
            running: running)
        let result: Result<Value, any Error>
        do { result = .success(try await body(live)) } catch { result = .failure(error) }
        backend.letGo()
        await running.stop()
        return try result.get()
    }

    static var withToken: AdminConfiguration { AdminConfiguration(port: 0, token: Self.token) }

    /// Limits that end slow requests soon.
    static func impatient(_ change: (inout AdminConfiguration.Limits) -> Void = { _ in }) -> AdminConfiguration {
        var configuration = Self.withToken
        configuration.limits.requestTime = .milliseconds(200)
        change(&configuration.limits)
        return configuration
    }

    func shutDown() async { await self.running.stop() }

    /// Sends a request with the token and reads the answer to its end.
    func send(
        _ method: String, _ path: String, body: String? = nil, headers: [String: String?] = [:]
    ) async throws -> Answer {
        let text = self.request(method, path, body: body, headers: headers)
        return try Answer(try await Connection.exchange(text, port: self.address.port))
    }

    /// - Parameter headers: in addition to or instead of the usual ones; nil leaves one out.
    func request(_ method: String, _ path: String, body: String? = nil, headers: [String: String?] = [:]) -> String {
        var fields: [String: String?] = [
            "Host": "127.0.0.1:\(self.address.port)", "Connection": "close", "Authorization": "Bearer \(Self.token)",
        ]
        if let body {
            fields["Content-Type"] = "application/json"
            fields["Content-Length"] = "\(body.utf8.count)"
        }
        for (name, value) in headers { fields[name] = .some(value) }
        let lines = fields.sorted { $0.key < $1.key }.compactMap { name, value in value.map { "\(name): \($0)\r\n" } }
        return "\(method) \(path) HTTP/1.1\r\n" + lines.joined() + "\r\n" + (body ?? "")
    }
}

/// A parsed HTTP answer.
struct Answer: Sendable {
    struct Malformed: Error {
        let text: String
    }

    let status: Int
    /// By names in small letters.
    let headers: [String: String]
    let body: String

    init(_ text: String) throws {
        guard let end = text.firstRange(of: "\r\n\r\n") else { throw Malformed(text: text) }
        let lines = text[..<end.lowerBound].split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count >= 2, let status = Int(words[1]) else { throw Malformed(text: text) }
        self.status = status
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let pair = line.split(separator: ":", maxSplits: 1)
            guard pair.count == 2 else { throw Malformed(text: text) }
            headers[pair[0].lowercased()] = pair[1].drop { $0 == " " }.description
        }
        self.headers = headers
        self.body = String(text[end.upperBound...])
    }

    var json: JSONValue? { JSONValue(self.body) }
    /// The code of an error.
    var code: String? { self.json?["error"]?["code"]?.string }
}
