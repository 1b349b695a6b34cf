import ArgumentParser
import Wasmnet
import WasmnetNet

/// The flags that name the cluster's Redis, for every command that needs it. Each may also come from the environment
/// (`WASMNET_REDIS`, `WASMNET_REDIS_CA_FILE`); a flag takes precedence.
struct RedisArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "URL of the Redis that counts limits for all nodes together: redis://, rediss://, redis+unix://, redis+sentinel:// or redis+cluster://. If it has a password, use WASMNET_REDIS instead.",
            valueName: "url"))
    var redis: String?

    @Option(help: ArgumentHelp("Authorities (PEM) that rediss:// trusts besides the system's.", valueName: "file"))
    var redisCaFile: [String] = []

    /// What ArgumentParser fills in.
    init() {}

    /// Nil if no Redis is named.
    func options(environment: [String: String]) -> RedisOptions? {
        guard let url = self.redis ?? Self.variable("REDIS", environment) else { return nil }
        var options = RedisOptions(url: url)
        if self.redis == nil { options.name = "WASMNET_REDIS" }
        if self.redisCaFile.isEmpty { options.authoritiesName = "WASMNET_REDIS_CA_FILE" }
        options.authorities = self.authorities(environment)
        return options
    }

    private func authorities(_ environment: [String: String]) -> [String] {
        guard self.redisCaFile.isEmpty else { return self.redisCaFile }
        return Self.variable("REDIS_CA_FILE", environment).map { ByteText($0).list().map(\.text) } ?? []
    }

    private static func variable(_ name: String, _ environment: [String: String]) -> String? {
        environment["WASMNET_\(name)"].flatMap { $0.isEmpty ? nil : $0 }
    }
}
