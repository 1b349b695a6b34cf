import RedisClient
import WasmnetNet

/// What a node requires of a Redis before relying on it, and what it recommends.
struct RedisCheck {
    /// Logged at start; the node serves anyway.
    private(set) var warnings: [String] = []
    /// Its replicas, which hold the same data.
    private(set) var replicas: [RedisEndpoint] = []

    /// How many seconds a server has run, at most one too many; nil if that cannot be read.
    static func uptime(info: String) -> Int? {
        Self.fields(info)["uptime_in_seconds"]?.decimal(as: Int.self)
    }

    private static func fields(_ info: String) -> [ByteText: ByteText] {
        var fields: [ByteText: ByteText] = [:]
        for line in ByteText(info).lines {
            guard let (name, value) = line.cut(at: ":") else { continue }
            fields[name] = value
        }
        return fields
    }

    /// - Parameter info: the answer to `INFO`.
    /// - Throws: if the limits could not be kept there.
    init(info: String, isSingle: Bool) throws(ConfigurationError) {
        let fields = Self.fields(info)
        if let version = fields["redis_version"], !Self.isSupported(version) {
            throw ConfigurationError("Redis is version \(version.text.shown()); 6.2 or later is needed")
        }
        self.replicas = fields.compactMap { $0.key.dropping(prefix: "slave") == nil ? nil : Self.replica($0.value) }
        if isSingle, fields["role"] == "slave" {
            throw ConfigurationError("Redis is a read-only replica; give its master, or redis+sentinel://")
        }
        if let policy = fields["maxmemory_policy"], policy != "noeviction" {
            self.warnings.append(
                "Redis evicts keys when its memory is full (maxmemory-policy \(policy.text.shown())), and limits with them; set noeviction"
            )
        }
    }

    /// Reads `ip=10.0.0.7,port=6379,state=online,…`.
    private static func replica(_ text: ByteText) -> RedisEndpoint? {
        let fields = text.split(at: ",")
        func field(_ name: ByteText) -> ByteText? {
            for field in fields {
                if let value = field.dropping(prefix: name) { return value }
            }
            return nil
        }
        guard let host = field("ip="), !host.isEmpty, let port = field("port=")?.decimal(as: UInt16.self), port > 0
        else { return nil }
        return .host(host.text, port: Int(port))
    }

    private static func isSupported(_ version: ByteText) -> Bool {
        let numbers = version.split(at: ".").compactMap { $0.decimal(as: Int.self) }
        guard numbers.count >= 2 else { return true }
        return (numbers[0], numbers[1]) >= (6, 2)
    }
}
