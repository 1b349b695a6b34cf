import ArgumentParser
import Foundation
import Testing
import Wasmnet
@testable import wasmnet_node
import WasmnetPolicy
import WasmnetRelay

/// Flags and environment of tokens and proxies, and the errors for an embedder.
@Suite struct ConfigurationTests {
    private func resolve(_ arguments: [String], _ environment: [String: String] = [:]) throws -> NodeConfiguration {
        try ServeOptions.parse(arguments).resolve(environment: environment)
    }

    @Test func flagsAndTheirTwins() throws {
        let flags = try self.resolve([
            "--token-file", "t", "--jwt-key-file", "a.pem", "--jwt-key-file", "HS256:b", "--jwks-file", "j",
            "--jwt-issuer", "i", "--jwt-audience", "n", "--proxy-protocol", "required",
        ]).server
        let twins = try self.resolve(
            [],
            [
                "WASMNET_TOKEN_FILE": "t", "WASMNET_JWT_KEY_FILE": "a.pem,HS256:b", "WASMNET_JWKS_FILE": "j",
                "WASMNET_JWT_ISSUER": "i", "WASMNET_JWT_AUDIENCE": "n", "WASMNET_PROXY_PROTOCOL": "required",
            ]
        ).server
        #expect(flags.tokens == twins.tokens)
        #expect(flags.tokens.jwtKeyFiles == ["a.pem", "HS256:b"])
        #expect(flags.tokens.issuer == "i" && flags.tokens.audience == "n")
        #expect(flags.proxyProtocol == .required && twins.proxyProtocol == .required)
        #expect(try self.resolve([]).server.tokens.isEmpty)
        #expect(try self.resolve([]).server.proxyProtocol == .off)
        #expect(
            try self.resolve(["--token-file", "flag"], ["WASMNET_TOKEN_FILE": "twin"]).server.tokens.tokenFile == "flag"
        )
    }

    @Test func theTimesOfRedisAreFlagsAndTwins() throws {
        let flags = ["--redis", "redis://127.0.0.1", "--redis-timeout", "250", "--redis-outage", "9"]
        let twins = [
            "WASMNET_REDIS": "redis://127.0.0.1", "WASMNET_REDIS_TIMEOUT": "250", "WASMNET_REDIS_OUTAGE": "9",
        ]
        for options in try [self.resolve(flags), self.resolve([], twins)] {
            #expect(options.server.redis?.timeoutMilliseconds == 250)
            #expect(options.server.redis?.outageSeconds == 9)
        }
        let defaults = try self.resolve(["--redis", "redis://127.0.0.1"]).server.redis
        #expect(defaults?.timeoutMilliseconds == 50 && defaults?.outageSeconds == 5)
    }

    /// A list is split at its commas, whatever follows them.
    @Test func aListInAVariableIsCutByBytes() throws {
        let files = try self.resolve([], ["WASMNET_JWT_KEY_FILE": " a.pem,\u{301}b.pem ,,HS256:c"]).server.tokens
            .jwtKeyFiles
        #expect(files.map { Array($0.utf8) } == ["a.pem", "\u{301}b.pem", "HS256:c"].map { Array($0.utf8) })
    }

    @Test func loopbackIsAnAddressOrLocalhost() throws {
        for host in ["127.example.com", "127.0.0.1.example.com", "::2", "localhost.example"] {
            #expect(try self.resolve(["--host", host]).warnings.contains { $0.contains("open proxy") }, "\(host)")
            #expect(throws: ConfigurationError.self) { try self.resolve(["--admin-host", host]) }
        }
        for host in ["127.0.0.1", "127.9.9.9", "::1", "localhost"] {
            #expect(try self.resolve(["--host", host, "--admin-host", host]).warnings.isEmpty)
        }
    }

    @Test(arguments: [("", "\n"), ("", "\r\n"), ("\u{FEFF}", ""), ("\r\n ", "\t\r\n\r\n")])
    func anAdminTokensFileMayBeOfWindows(start: String, end: String) throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "wasmnet-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        let token = "a-token-of-the-operator"
        try Data((start + token + end).utf8).write(to: file)
        #expect(try self.resolve(["--admin-token-file", file.path]).server.admin?.token == token)
        for bad in ["\(token)\n\(token)\n", "\(token)\u{0}\n", "\(token)\u{9B}"] {
            try Data(bad.utf8).write(to: file)
            #expect(throws: ConfigurationError.self) { try self.resolve(["--admin-token-file", file.path]) }
        }
    }

    @Test func anOpenProxyIsWarnedOfUnlessTokensAreNeeded() throws {
        #expect(try self.resolve(["--host", "0.0.0.0"]).warnings.contains { $0.contains("open proxy") })
        // Keys alone keep no client out.
        let keys = try self.resolve(["--host", "0.0.0.0", "--token-file", "t"])
        #expect(keys.warnings.contains { $0.contains("open proxy") })
        #expect(try self.resolve(["--host", "127.0.0.1"]).warnings.isEmpty)
        let policy = FileManager.default.temporaryDirectory.appending(path: "wasmnet-\(UUID().uuidString).toml")
        try Data("clients.require_token = true\n".utf8).write(to: policy)
        defer { try? FileManager.default.removeItem(at: policy) }
        #expect(try self.resolve(["--host", "0.0.0.0", "--policy", policy.path]).warnings.isEmpty)
    }

    @Test func aServerIsNotMadeOfWhatCannotBe() throws {
        var configuration = ServerConfiguration()
        configuration.proxyProtocol = .optional
        #expect(throws: ConfigurationError.self) { try Server(configuration: configuration) }
        configuration.proxyProtocol = .off
        configuration.tokens.audience = "n"
        #expect(throws: ConfigurationError.self) { try Server(configuration: configuration) }
        configuration.tokens.audience = nil
        configuration.tokens.jwksFile = "no-such-file"
        #expect(throws: ConfigurationError.self) { try Server(configuration: configuration) }
        configuration.tokens = ServerConfiguration.TokenFiles()
        #expect(throws: Never.self) { try Server(configuration: configuration) }
        #expect(throws: ConfigurationError.self) {
            var files = ServerConfiguration.TokenFiles()
            files.tokenFile = "no-such-file"
            _ = try Server.builder().tokens(files).proxyProtocol(.off).build()
        }
    }
}
