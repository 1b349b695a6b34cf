import ArgumentParser
import WasmnetNet

/// Environment variables that seem meant for the node but have no effect.
enum UnknownVariables {
    private static let prefix: ByteText = "WASMNET_"

    /// Those of the project's scripts, tests and balancer configurations.
    private static let others: [ByteText] = [
        "NODE", "ADMIN_PORT_", "LB_", "CLUSTER_", "TEST_", "BROWSERS", "STRATEGIES", "SCENARIOS", "WALK", "LIBC",
    ]

    /// Every flag of serve has one.
    private static let known: [String] = {
        let groups: [Any] = [ServeOptions(), AdminArguments(), AdminTokenArguments(), RedisArguments()]
        let flags = groups.flatMap { Mirror(reflecting: $0).children }.filter {
            !($0.value is OptionGroup<AdminArguments> || $0.value is OptionGroup<RedisArguments>)
        }
        // The group of the admin server's token has the same name as the variable that contains one: ADMIN_TOKEN.
        return flags.compactMap(\.label).map { Self.variable($0) }
    }()

    /// `_adminPort` as `ADMIN_PORT`.
    private static func variable(_ label: String) -> String {
        let bytes = label.utf8.dropFirst().flatMap { byte -> [UInt8] in
            (0x41...0x5A).contains(byte) ? [0x5F, byte] : [byte - 0x20]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A sentence for each that is empty or unknown to the node.
    static func warnings(_ environment: [String: String]) -> [String] {
        environment.keys.sorted().compactMap { key in
            guard let written = ByteText(key).dropping(prefix: Self.prefix) else { return nil }
            let name = written.text
            if Self.known.contains(name) {
                return environment[key] == "" ? "\(key) is empty, which counts as not set" : nil
            }
            guard !Self.others.contains(where: { written.starts(with: $0) }) else { return nil }
            let nearest = Spelling.nearest(to: name, among: Self.known)
            let advice = nearest.map { "; did you mean WASMNET_\($0)?" } ?? ""
            return "\(key.shown()) is not a variable of the node and has no effect\(advice)"
        }
    }
}
