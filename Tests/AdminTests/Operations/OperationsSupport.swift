import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import Synchronization
import Testing
import Wasmnet
import WasmnetPolicy
import WasmnetPolicyFile
import WasmnetProtocol
import WasmnetTesting

/// Tests of operators' functions, each on real nodes with an admin server; one after the other, since each keeps the machine busy.
@Suite(.serialized, .timeLimit(.minutes(2))) struct Operations {}

/// A node's admin server, used as by an operator.
struct Admin: Sendable {
    let base: String
    var token: String?

    init(_ node: TestNode, token: String? = nil) throws {
        self.base = "http://\(try #require(node.server.adminAddress))"
        self.token = token
    }

    @discardableResult
    func ask(
        _ method: HTTPMethod, _ path: String, _ body: String? = nil, status: UInt = 200
    ) async throws -> [String: Any] {
        let (code, bytes) = try await self.exchange(method, path, body)
        #expect(code == status, "\(method) \(path): \(code) \(String(decoding: bytes, as: UTF8.self))")
        return (try? JSONSerialization.jsonObject(with: bytes) as? [String: Any]) ?? [:]
    }

    func text(_ path: String) async throws -> String {
        String(decoding: try await self.exchange(.GET, path, nil).1, as: UTF8.self)
    }

    /// A sample of /metrics; nil if none has that name and labels.
    func metric(_ series: String) async throws -> Double? {
        try await self.text("/metrics").split(separator: "\n").first { $0.hasPrefix(series + " ") }
            .flatMap { Double($0.dropFirst(series.count + 1)) }
    }

    /// Waits until a sample has the expected value.
    func shows(_ series: String, _ value: Double) async throws {
        let end = ContinuousClock.now + .seconds(20)
        var last: Double?
        repeat {
            last = try await self.metric(series)
            if last == value { return }
            try await Task.sleep(for: .milliseconds(20))
        } while ContinuousClock.now < end
        Issue.record("\(series) is \(last.map { "\($0)" } ?? "missing"), not \(value)")
    }

    func exchange(_ method: HTTPMethod, _ path: String, _ body: String?) async throws -> (UInt, Data) {
        var request = HTTPClientRequest(url: self.base + path)
        request.method = method
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: body))
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        return (response.status.code, Data(buffer: try await response.body.collect(upTo: 16 << 20)))
    }
}

extension TestNode {
    /// Runs a body with a node that has an admin server, and ends it.
    static func withAdmin(
        policy: Policy = .unrestricted, configure: (inout ServerConfiguration) -> Void = { _ in },
        _ body: (TestNode, Admin) async throws -> Void
    ) async throws {
        let node = try await TestNode.start(policy: policy) {
            $0.admin = AdminOptions(port: 0)
            configure(&$0)
        }
        do {
            try await body(node, try Admin(node))
        } catch {
            await node.stop()
            throw error
        }
        await node.stop()
    }

    static func policy(_ text: String) throws -> Policy { try PolicyFile.parse(text, file: "test.toml") }
}

extension TestClient {
    /// A session that has received hello.
    static func open(_ node: TestNode, headers: HTTPHeaders = [:]) async throws -> TestClient {
        let client = try await TestClient.connect(port: node.port, headers: headers)
        _ = try await client.next()
        return client
    }

    /// Opens a TCP socket and waits until it is connected.
    func connect(_ id: SocketID, to target: TestTarget) async throws {
        self.send(.connect(id, host: "127.0.0.1", port: UInt16(target.port)))
        try await self.expect(.connected(id))
    }

    /// Why the next socket or open ends.
    func nextEnd() async throws -> (SocketID, ReasonCode) {
        while true {
            switch try await self.nextEvent() {
            case .closed(let id, let reason, _): return (id, reason)
            case .refused(let id, let refusal): return (id, refusal.code)
            default: continue
            }
        }
    }
}

/// Lines of a log, for tests.
final class LogLines: Sendable {
    struct Line: Sendable {
        let level: Logger.Level
        let message: String
        let metadata: [String: String]
    }
    private let lines = Mutex<[Line]>([])

    var all: [Line] { self.lines.withLock { $0 } }

    func lines(_ message: String) -> [Line] { self.all.filter { $0.message == message } }

    /// Waits for a line.
    func line(_ message: String) async throws -> Line {
        for _ in 0..<2000 {
            if let line = self.lines(message).first { return line }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("no line \"\(message)\" came")
        throw ChannelError.eof
    }

    func logger(_ level: Logger.Level = .info) -> Logger {
        var logger = Logger(label: "test") { _ in Handler(lines: self) }
        logger.logLevel = level
        return logger
    }

    private struct Handler: LogHandler {
        let lines: LogLines
        var logLevel = Logger.Level.info
        var metadata = Logger.Metadata()

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = self.metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
            self.lines.lines.withLock {
                $0.append(Line(level: event.level, message: "\(event.message)", metadata: fields))
            }
        }
    }
}
