import RedisClient
import WasmnetText

/// What must be true of a Redis before a node relies on it, and what should be.
struct RedisCheck {
    /// Told at start; the node serves all the same.
    private(set) var warnings: [String] = []

    /// - Parameter info: the answer to `INFO`.
    /// - Throws: when the limits could not be kept there.
    init(info: String, isSingle: Bool) throws(ConfigurationError) {
        var fields: [ByteText: ByteText] = [:]
        for line in ByteText(info).lines {
            guard let (name, value) = line.cut(at: ":") else { continue }
            fields[name] = value
        }
        if let version = fields["redis_version"], !Self.isSupported(version) {
            throw ConfigurationError("Redis is version \(version.text.shown()); 6.2 or later is needed")
        }
        if isSingle, fields["role"] == "slave" {
            throw ConfigurationError("Redis is a read-only replica; give its master, or redis+sentinel://")
        }
        if let policy = fields["maxmemory_policy"], policy != "noeviction" {
            self.warnings.append(
                "Redis evicts keys when its memory is full (maxmemory-policy \(policy.text.shown())), and limits with them; set noeviction"
            )
        }
    }

    private static func isSupported(_ version: ByteText) -> Bool {
        let numbers = version.split(at: ".").compactMap { $0.decimal(as: Int.self) }
        guard numbers.count >= 2 else { return true }
        return (numbers[0], numbers[1]) >= (6, 2)
    }
}
