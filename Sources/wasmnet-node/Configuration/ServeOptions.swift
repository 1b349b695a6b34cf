import ArgumentParser
import Logging

/// The flags of `wasmnet-node serve`. Each may also come from the environment, as `WASMNET_` and the flag's name in capitals with
/// underscores; a flag takes precedence.
struct ServeOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Address to listen on.", discussion: "Default 127.0.0.1."))
    var host: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Port to listen on; 0 lets the system choose one, which is logged.", discussion: "Default 9000."))
    var port: Int?

    @Option(help: ArgumentHelp("Policy file (TOML).", valueName: "file"))
    var policy: String?

    @Flag(help: "No policy at all: clients reach everything the node reaches. Only for trusted clients.")
    var noPolicy = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Megabits a second for each client, both directions together; 0 is unlimited. Overrides the policy.",
            valueName: "n"))
    var maxBandwidthMbps: Double?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Event loop threads; 0 is one for each core.", discussion: "Default 0.", valueName: "n"))
    var threads: Int?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Seconds that open sockets have to finish after SIGTERM.", discussion: "Default 30.", valueName: "seconds"))
    var drainTimeout: Double?

    @Option(help: ArgumentHelp("Authorities (PEM) that connect_tls trusts besides the system's.", valueName: "file"))
    var caFile: [String] = []

    @Option(help: ArgumentHelp("Certificate chain (PEM) to serve wss:// with.", valueName: "file"))
    var tlsCert: String?

    @Option(help: ArgumentHelp("Key (PEM) of the certificate.", valueName: "file"))
    var tlsKey: String?

    @Option(
        help: ArgumentHelp(
            "File with the hashes of clients' tokens, one a line; \"wasmnet-node token\" makes the lines.",
            valueName: "file"))
    var tokenFile: String?

    @Option(
        help: ArgumentHelp(
            "Key for JWTs: a key in PEM (ES256, EdDSA), or HS256:FILE for a secret. May be repeated.",
            valueName: "file"))
    var jwtKeyFile: [String] = []

    @Option(help: ArgumentHelp("JSON Web Key Set with keys for JWTs.", valueName: "file"))
    var jwksFile: String?

    @Option(help: ArgumentHelp("The iss that a JWT must have.", valueName: "name"))
    var jwtIssuer: String?

    @Option(help: ArgumentHelp("The name that must be in a JWT's aud.", valueName: "name"))
    var jwtAudience: String?

    @Option(
        help: ArgumentHelp(
            "PROXY protocol headers from the policy's trusted_proxies: off, optional or required.",
            discussion: "Default off.", valueName: "mode"))
    var proxyProtocol: String?

    @OptionGroup var clusterRedis: RedisArguments

    @Flag(help: "Start even if Redis is out of reach: serve by redis_failure, and without the cluster's denylist.")
    var redisOptional = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Milliseconds that connects, lookups and bytes wait for an answer of Redis, 10 to 1000; then they go on, up to this node's part of their limits.",
            discussion: "Default 50. Sockets and sessions wait up to a second, and are then refused.", valueName: "ms"))
    var redisTimeout: Int?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Seconds for which Redis is silent before limits go by the policy's redis_failure, 1 to 60.",
            discussion: "Default 5.", valueName: "seconds"))
    var redisOutage: Int?

    @Option(
        help: ArgumentHelp(
            "Policy file to try out: decisions that would differ from the policy's are counted and logged.",
            valueName: "file"))
    var shadowPolicy: String?

    @Flag(help: "Serve the browser client at /client/ and a page for trying programs at /playground/.")
    var serveClient = false

    @Option(
        help: ArgumentHelp(
            "Folder of the browser client.",
            discussion: "Default share/wasmnet/client beside the program's folder, else client in the current one.",
            valueName: "folder"))
    var clientDir: String?

    @OptionGroup(title: "Operating") var admin: AdminArguments

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The share of sessions whose sockets are logged, 0 to 1; denials are logged for all.",
            discussion: "Default 1.", valueName: "part"))
    var accessLogSample: Double?

    @Option(
        help: ArgumentHelp(
            "trace, debug, info, notice, warning, error or critical.", discussion: "Default info.", valueName: "level"))
    var logLevel: String?

    @Option(help: ArgumentHelp("text or json.", discussion: "Default text.", valueName: "format"))
    var logFormat: String?

    /// What ArgumentParser fills in.
    init() {}
}
