import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import Wasmnet
import WasmnetIdentity
import WasmnetNet
import WasmnetPolicy
import WasmnetPolicyFile
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting

/// A node that knows tokens, with the mint that makes them.
struct TokenNode {
    let node: TestNode
    let mint: TokenMint
    let directory: URL
    let log: LogLines

    static let staticToken = "a-static-token-of-32-characters-or-so"
    /// Of the client `odd`: it cannot be a subprotocol's name as it is.
    static let oddToken = "odd/token+in=base64=="

    /// A body against a node with all three kinds of keys and one static token (client `ci`, tier `pro`).
    static func run(
        _ policy: String = "", configure: (inout ServerConfiguration) -> Void = { _ in },
        _ body: (TokenNode) async throws -> Void
    ) async throws {
        let mint = TokenMint()
        let directory = FileManager.default.temporaryDirectory.appending(path: "wasmnet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        func file(_ name: String, _ text: String) throws -> String {
            let url = directory.appending(path: name)
            try Data(text.utf8).write(to: url)
            return url.path
        }
        var tokens = ServerConfiguration.TokenFiles()
        tokens.tokenFile = try file(
            "tokens",
            try StaticTokens.line(token: Self.staticToken, client: "ci", tier: "pro") + "\n"
                + StaticTokens.line(token: Self.oddToken, client: "odd", tier: nil) + "\n")
        tokens.jwtKeyFiles = [
            "HS256:" + (try file("secret", String(decoding: mint.secret, as: UTF8.self) + "\n")),
            try file("p256.pem", mint.p256PEM), "EdDSA:" + (try file("ed25519.pem", mint.ed25519PEM)),
        ]
        let log = LogLines()
        let text = Self.openPolicy + policy
        let node = try await TestNode.start(policy: try PolicyFile.parse(text, file: "test.toml")) {
            $0.tokens = tokens
            $0.logger = Logger(label: "test") { _ in log.handler() }
            configure(&$0)
        }
        do {
            try await body(TokenNode(node: node, mint: mint, directory: directory, log: log))
            await node.stop()
        } catch {
            await node.stop()
            throw error
        }
    }

    static let openPolicy = """
        network.allow = ["*", "127.0.0.0/8", "::1"]
        network.bind_ports = "1-65535"
        network.max_connections = 2
        tiers.pro.max_connections = 3
        tiers.pro.max_sessions = 2

        """

    func token(_ claims: String = "", sub: String = "amy") throws -> String {
        let exp = Int(Date().timeIntervalSince1970) + 600
        return try self.mint.token(#"{"sub":"\#(sub)","exp":\#(exp)\#(claims.isEmpty ? "" : ",")\#(claims)}"#)
    }

    func connect(
        token: String? = nil, path: String = "/", headers: HTTPHeaders = [:], version: WireVersion = .v2,
        preface: [UInt8] = []
    ) async throws -> TestClient {
        try await self.connect(
            offer: token.map { ["wasmnet.bearer.\($0)"] } ?? [], path: path, headers: headers, version: version,
            preface: preface)
    }

    /// - Parameter offer: the offered names beside the version.
    func connect(
        offer: [String], path: String = "/", headers: HTTPHeaders = [:], version: WireVersion = .v2,
        preface: [UInt8] = []
    ) async throws -> TestClient {
        let name = version == .v2 ? "wasmnet.v2" : "wasmnet.v1"
        return try await TestClient.connect(
            port: self.node.port, version: version, subprotocols: [name] + offer, path: path, headers: headers,
            preface: preface)
    }

    /// A session that has received hello.
    func session(
        token: String? = nil, path: String = "/", headers: HTTPHeaders = [:], preface: [UInt8] = []
    ) async throws -> TestClient {
        let client = try await self.connect(token: token, path: path, headers: headers, preface: preface)
        try await client.expect(.hello)
        return client
    }

    /// The client's identity in the node's log.
    func name(
        token: String? = nil, path: String = "/", headers: HTTPHeaders = [:], preface: [UInt8] = []
    ) async throws -> String? {
        let client = try await self.session(token: token, path: path, headers: headers, preface: preface)
        await client.close()
        let line = self.log.all.split(separator: "\n").last { $0.hasPrefix("session opened") }
        return line?.split(separator: " ").first { $0.hasPrefix("client=") }.map { String($0.dropFirst(7)) }
    }

    /// The refusal of a request that must not become a session.
    func refusal(
        token: String? = nil, path: String = "/", headers: HTTPHeaders = [:]
    ) async throws -> TestClient.UpgradeRefused? {
        do {
            await (try await self.connect(token: token, path: path, headers: headers)).close()
            return nil
        } catch let refusal as TestClient.UpgradeRefused {
            return refusal
        }
    }
}

/// Every log line, at any level.
final class LogLines: Sendable {
    private let lines = NIOLockedValueBox<[String]>([])

    var all: String { self.lines.withLockedValue { $0.joined(separator: "\n") } }

    func handler() -> any LogHandler { Handler(lines: self) }

    private func add(_ line: String) { self.lines.withLockedValue { $0.append(line) } }

    private struct Handler: LogHandler {
        var logLevel = Logger.Level.trace
        var metadata = Logger.Metadata()
        let lines: LogLines

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = self.metadata.merging(event.metadata ?? [:]) { $1 }.map { "\($0)=\($1)" }.sorted()
            self.lines.add(([event.message.description] + fields).joined(separator: " "))
        }
    }
}

/// Finds nothing, and records the requests.
final class CountingResolver: NameResolver {
    private let asked = NIOLockedValueBox<[String]>([])

    var names: [String] { self.asked.withLockedValue { $0 } }

    func resolve(_ name: HostName, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]> {
        self.asked.withLockedValue { $0.append(name.text) }
        return eventLoop.makeFailedFuture(Refusal(.nameNotFound, "no such name"))
    }
}
