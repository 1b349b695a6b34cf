import Foundation
import Logging
import Wasmnet
import WasmnetNet
import WasmnetPolicy
import WasmnetRelay
import WasmnetQuota

/// The settings of `wasmnet-node serve`, with flags and environment parsed and checked: a plain value.
struct NodeConfiguration: Sendable {
    /// What the node serves, and how.
    var server: ServerConfiguration
    /// Which policy is in force, for the first log line.
    var policyName: String
    /// Default `info`.
    var logLevel: Logger.Level
    /// Default `text`.
    var logFormat: LogFormat
    /// Logged at start, prominently.
    var warnings: [String]

    /// One line per message, for people or for machines.
    enum LogFormat: String, Sendable, CaseIterable {
        case text
        case json
    }
}

extension ServeOptions {
    /// Resolves flag, then environment, then default.
    ///
    /// - Throws: ``Wasmnet/ConfigurationError`` with one sentence for each error.
    func resolve(environment: [String: String]) throws -> NodeConfiguration {
        var source = OptionSource(environment: environment)
        var server = ServerConfiguration()
        server.host = source.text(self.host, "HOST") ?? server.host
        server.port = source.number(self.port, "PORT", in: 0...65_535) ?? server.port
        server.threads = source.number(self.threads, "THREADS", in: 0...1024) ?? server.threads
        server.drainTimeoutSeconds =
            source.number(self.drainTimeout, "DRAIN_TIMEOUT", in: 0...86_400) ?? server.drainTimeoutSeconds
        server.extraAuthorities = self.caFile.isEmpty ? source.list("CA_FILE") : self.caFile
        server.tls = source.tls(self.tlsCert, self.tlsKey)
        server.tokens = self.tokens(source)
        server.proxyProtocol =
            source.choice(
                self.proxyProtocol, "PROXY_PROTOCOL", ProxyProtocolMode.allCases.map { ($0.rawValue, $0) }) ?? .off
        let level = source.choice(self.logLevel, "LOG_LEVEL", Logger.Level.allCases.map { ($0.rawValue, $0) }) ?? .info
        let format =
            source.choice(self.logFormat, "LOG_FORMAT", NodeConfiguration.LogFormat.allCases.map { ($0.rawValue, $0) })
            ?? .text
        server.accessLogSample =
            source.number(self.accessLogSample, "ACCESS_LOG_SAMPLE", in: 0...1) ?? server.accessLogSample
        server.shadowPolicyFile = source.text(self.shadowPolicy, "SHADOW_POLICY")
        server.admin = self.admin.options(&source)
        server.redis = self.redis(&source, needsRedis: server.admin?.readyNeedsRedis == true)
        server.clientDirectory = self.clientDirectory(&source)
        let bandwidth = source.number(self.maxBandwidthMbps, "MAX_BANDWIDTH_MBPS", in: ClientLimits.megabits)
        let noPolicy = self.noPolicy || source.flag("NO_POLICY")
        let file = source.text(self.policy, "POLICY")
        if noPolicy, self.policy != nil || (file != nil && !self.noPolicy) {
            let names = [source.given(self.policy != nil, "POLICY"), source.given(self.noPolicy, "NO_POLICY")]
            source.problems.append(
                "\(names.compactMap { $0 }.joined(separator: " and ")) exclude each other; give one of them")
        }
        var warnings = UnknownVariables.warnings(environment)
        var name = "default policy (addresses only, nothing may be bound)"
        if noPolicy {
            server.policy = .unrestricted
            name = "no policy"
            warnings.append(
                "\(source.given(self.noPolicy, "NO_POLICY") ?? ""): every client reaches everything this machine reaches, private and loopback addresses too"
            )
        } else if let file {
            let policyFile = ServerConfiguration.PolicySource(path: file, maxBandwidthMbps: bandwidth)
            server.policyFile = policyFile
            name = "policy \(file)"
            do {
                server.policy = try policyFile.load()
            } catch {
                source.problems.append("\(error)")
            }
        } else if let bandwidth {
            server.policy = server.policy.limitingBandwidth(megabitsPerSecond: bandwidth)
        }
        if noPolicy, let bandwidth { server.policy = server.policy.limitingBandwidth(megabitsPerSecond: bandwidth) }
        guard source.problems.isEmpty else { throw ConfigurationError(source.problems.joined(separator: "\n")) }
        let clients = server.policy.clients
        if !Self.isLoopback(server.host), clients.allowedOrigins.isEmpty, !clients.requireToken {
            warnings.append(
                "listening on \(server.host) with neither require_token nor allowed_origins: this is an open proxy for everyone who reaches the port"
            )
        }
        if let admin = server.admin, admin.token == nil, !Self.isLoopback(admin.host) {
            throw ConfigurationError(
                "the admin server on \(admin.host) can be reached by other machines: give --admin-token-file")
        }
        return NodeConfiguration(
            server: server, policyName: name, logLevel: level, logFormat: format, warnings: warnings)
    }

    private func tokens(_ source: OptionSource) -> ServerConfiguration.TokenFiles {
        var files = ServerConfiguration.TokenFiles()
        files.tokenFile = source.text(self.tokenFile, "TOKEN_FILE")
        files.jwtKeyFiles = self.jwtKeyFile.isEmpty ? source.list("JWT_KEY_FILE") : self.jwtKeyFile
        files.jwksFile = source.text(self.jwksFile, "JWKS_FILE")
        files.issuer = source.text(self.jwtIssuer, "JWT_ISSUER")
        files.audience = source.text(self.jwtAudience, "JWT_AUDIENCE")
        return files
    }

    private func redis(_ source: inout OptionSource, needsRedis: Bool) -> RedisOptions? {
        let isOptional = self.redisOptional || source.flag("REDIS_OPTIONAL")
        let timeout = source.number(self.redisTimeout, "REDIS_TIMEOUT", in: RedisOptions.timeouts)
        let outage = source.number(self.redisOutage, "REDIS_OUTAGE", in: RedisOptions.outages)
        guard var options = self.clusterRedis.options(environment: source.environment) else {
            let dependents = [
                source.given(!self.clusterRedis.redisCaFile.isEmpty, "REDIS_CA_FILE"),
                isOptional ? source.given(self.redisOptional, "REDIS_OPTIONAL") : nil,
                source.given(self.redisTimeout != nil, "REDIS_TIMEOUT"),
                source.given(self.redisOutage != nil, "REDIS_OUTAGE"),
                needsRedis ? source.given(self.admin.readyNeedsRedis, "READY_NEEDS_REDIS") : nil,
            ]
            for name in dependents.compactMap({ $0 }) {
                source.problems.append(
                    "\(name) needs a Redis: name it by --redis or WASMNET_REDIS, or leave \(name) out")
            }
            return nil
        }
        options.isOptional = isOptional
        options.timeoutMilliseconds = timeout ?? options.timeoutMilliseconds
        options.outageSeconds = outage ?? options.outageSeconds
        return options
    }

    private func clientDirectory(_ source: inout OptionSource) -> String? {
        let named = source.text(self.clientDir, "CLIENT_DIR")
        guard self.serveClient || source.flag("SERVE_CLIENT") else {
            if self.clientDir != nil { source.problems.append("--client-dir needs --serve-client") }
            return nil
        }
        if let named { return named }
        let program = Bundle.main.executableURL?.resolvingSymlinksInPath().deletingLastPathComponent()
        let installed = program?.deletingLastPathComponent().appending(path: "share/wasmnet/client").path
        let found = [installed, "client"].compactMap { $0 }
            .first { FileManager.default.fileExists(atPath: "\($0)/wasmnet-client.js") }
        if found == nil {
            let name = source.given(self.serveClient, "SERVE_CLIENT") ?? ""
            source.problems.append("\(name): the browser client was not found; name its folder by --client-dir")
        }
        return found
    }

    static func isLoopback(_ host: String) -> Bool {
        // Any other name, even 127.example, may resolve to anything.
        host == "localhost" || IPAddress(host)?.isLoopback == true
    }
}
