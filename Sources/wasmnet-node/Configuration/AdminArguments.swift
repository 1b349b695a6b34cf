import ArgumentParser
import Wasmnet

/// The flags of the operator's HTTP server. Each may also come from the environment, as for ``ServeOptions``.
struct AdminArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Address of the admin server: metrics, health, API, dashboard.",
            discussion: "Default 127.0.0.1. Any other than loopback needs a token."))
    var adminHost: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Port of the admin server; 0 lets the system choose one, which is logged.", discussion: "Default 9100.",
            valueName: "port"))
    var adminPort: Int?

    @Flag(help: "Start no admin server.") var noAdmin = false

    @OptionGroup var adminToken: AdminTokenArguments

    @Flag(help: "Serve /metrics of the admin server without the token.") var openMetrics = false

    @Flag(help: "/readyz says not ready while Redis does not answer.") var readyNeedsRedis = false

    @Option(
        help: ArgumentHelp(
            "Host name that an admin server on loopback accepts besides its own, such as the name of a proxy before it. May be repeated.",
            valueName: "name"))
    var adminAllowedHost: [String] = []

    /// What ArgumentParser fills in.
    init() {}

    /// Nil if there is no admin server.
    func options(_ source: inout OptionSource) -> AdminOptions? {
        guard !self.noAdmin, !source.flag("NO_ADMIN") else { return nil }
        var options = AdminOptions()
        options.host = source.text(self.adminHost, "ADMIN_HOST") ?? options.host
        options.port = source.number(self.adminPort, "ADMIN_PORT", in: 0...65_535) ?? options.port
        do {
            options.token = try self.adminToken.token(environment: source.environment)
        } catch {
            source.problems.append(error.description)
        }
        options.metricsNeedToken = !(self.openMetrics || source.flag("OPEN_METRICS"))
        options.readyNeedsRedis = self.readyNeedsRedis || source.flag("READY_NEEDS_REDIS")
        options.allowedHosts =
            self.adminAllowedHost.isEmpty ? source.list("ADMIN_ALLOWED_HOST") : self.adminAllowedHost
        return options
    }
}
