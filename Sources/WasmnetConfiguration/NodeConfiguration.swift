public import Logging
public import Wasmnet
import WasmnetPolicy
import WasmnetPolicyFile
import WasmnetRelay

/// What `wasmnet-node serve` does, with flags and environment read and checked: a plain value.
public struct NodeConfiguration: Sendable {
    /// What the node serves, and how.
    public var server: ServerConfiguration
    /// Which policy is in force, for the first log line.
    public var policyName: String
    /// Default `info`.
    public var logLevel: Logger.Level
    /// Default `text`.
    public var logFormat: LogFormat
    /// Told at start, loudly.
    public var warnings: [String]

    /// One line a message, for people or for machines.
    public enum LogFormat: String, Sendable, CaseIterable {
        case text
        case json
    }
}

extension ServeOptions {
    /// Resolves flag, then environment, then default.
    ///
    /// - Throws: ``Wasmnet/ConfigurationError`` with one sentence for each thing that is wrong.
    public func resolve(environment: [String: String]) throws -> NodeConfiguration {
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
        server.redis = self.redis(&source)
        server.proxyProtocol =
            source.choice(
                self.proxyProtocol, "PROXY_PROTOCOL", ProxyProtocolMode.allCases.map { ($0.rawValue, $0) }) ?? .off
        let level = source.choice(self.logLevel, "LOG_LEVEL", Logger.Level.allCases.map { ($0.rawValue, $0) }) ?? .info
        let format =
            source.choice(self.logFormat, "LOG_FORMAT", NodeConfiguration.LogFormat.allCases.map { ($0.rawValue, $0) })
            ?? .text
        let bandwidth = source.number(self.maxBandwidthMbps, "MAX_BANDWIDTH_MBPS", in: 0...1_000_000)
        let noPolicy = self.noPolicy || source.flag("NO_POLICY")
        let file = source.text(self.policy, "POLICY")
        if noPolicy, self.policy != nil || (file != nil && !self.noPolicy) {
            source.problems.append("--policy and --no-policy exclude each other; give one of them")
        }
        var warnings: [String] = []
        var name = "default policy (public addresses only, nothing may be bound)"
        if noPolicy {
            server.policy = .unrestricted
            name = "no policy"
            warnings.append(
                "--no-policy: every client reaches everything this machine reaches, private and loopback addresses too")
        } else if let file {
            do {
                server.policy = try PolicyFile.load(path: file)
                name = "policy \(file)"
            } catch {
                source.problems.append("\(error)")
            }
        }
        if let bandwidth { server.policy = server.policy.limitingBandwidth(megabitsPerSecond: bandwidth) }
        guard source.problems.isEmpty else { throw ConfigurationError(source.problems.joined(separator: "\n")) }
        let clients = server.policy.clients
        if !Self.isLoopback(server.host), clients.allowedOrigins.isEmpty, !clients.requireToken {
            warnings.append(
                "listening on \(server.host) with neither require_token nor allowed_origins: this is an open proxy for everyone who reaches the port"
            )
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

    private func redis(_ source: inout OptionSource) -> RedisOptions? {
        let isOptional = self.redisOptional || source.flag("REDIS_OPTIONAL")
        guard var options = self.clusterRedis.options(environment: source.environment) else {
            if self.clusterRedis.hasAuthorities(environment: source.environment) || isOptional {
                source.problems.append("--redis-ca-file and --redis-optional need --redis")
            }
            return nil
        }
        options.isOptional = isOptional
        return options
    }

    private static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }
}

/// Reads options from flags first and the environment second, and gathers what is wrong with them.
private struct OptionSource {
    let environment: [String: String]
    var problems: [String] = []

    init(environment: [String: String]) {
        self.environment = environment
    }

    private func variable(_ name: String) -> String? {
        self.environment["WASMNET_\(name)"].flatMap { $0.isEmpty ? nil : $0 }
    }

    func text(_ flag: String?, _ name: String) -> String? { flag ?? self.variable(name) }

    func list(_ name: String) -> [String] {
        self.variable(name)?.split(separator: ",").map(String.init) ?? []
    }

    mutating func flag(_ name: String) -> Bool {
        switch self.variable(name)?.lowercased() {
        case nil, "0", "false", "no": return false
        case "1", "true", "yes": return true
        case .some(let other):
            self.problems.append("WASMNET_\(name) is true or false, not \"\(other)\"")
            return false
        }
    }

    mutating func number<N: LosslessStringConvertible & Comparable>(
        _ flag: N?, _ name: String, in range: ClosedRange<N>
    ) -> N? {
        let value: N
        if let flag {
            value = flag
        } else if let text = self.variable(name) {
            guard let number = N(text) else {
                self.problems.append("WASMNET_\(name) is a number, not \"\(text)\"")
                return nil
            }
            value = number
        } else {
            return nil
        }
        guard range.contains(value) else {
            let flagName = name.lowercased().split(separator: "_").joined(separator: "-")
            self.problems.append("--\(flagName) is \(range.lowerBound) to \(range.upperBound), not \(value)")
            return nil
        }
        return value
    }

    mutating func choice<Value>(_ flag: String?, _ name: String, _ choices: [(String, Value)]) -> Value? {
        guard let text = self.text(flag, name) else { return nil }
        if let choice = choices.first(where: { $0.0 == text.lowercased() }) { return choice.1 }
        let flagName = name.lowercased().split(separator: "_").joined(separator: "-")
        self.problems.append("--\(flagName) is one of \(choices.map(\.0).joined(separator: ", ")), not \"\(text)\"")
        return nil
    }

    mutating func tls(_ certificate: String?, _ key: String?) -> ServerConfiguration.TLSFiles? {
        switch (self.text(certificate, "TLS_CERT"), self.text(key, "TLS_KEY")) {
        case (nil, nil): return nil
        case (let certificate?, let key?): return .init(certificate: certificate, key: key)
        default:
            self.problems.append("--tls-cert and --tls-key go together")
            return nil
        }
    }
}
