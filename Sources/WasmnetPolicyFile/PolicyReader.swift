import TOMLKit
import WasmnetPolicy
import WasmnetNet
import WasmnetQuota

/// Reads the tables of a policy, collecting errors.
struct PolicyReader {
    private let file: String
    private let locator: TOMLLocator
    var problems: [PolicyFileError.Problem] = []

    static let networkKeys = [
        "deny", "allow", "bind_ports", "bind_addresses", "max_connections", "connection_timeout_secs",
        "max_bandwidth_mbps", "show_local",
    ]
    static let limitKeys = [
        "max_sessions", "sessions_per_sec", "session_burst", "connects_per_sec", "connect_burst", "resolves_per_sec",
        "resolve_burst", "bytes_per_day",
        "idle_timeout_secs", "refusals_per_sec", "refusal_burst",
    ]
    static let clientKeys = ["identify_by", "trusted_proxies", "allowed_origins", "require_token"]
    static let tierKeys = ["max_connections", "connection_timeout_secs", "max_bandwidth_mbps"] + limitKeys
    static let outageKeys: [(key: String, mode: any WritableKeyPath<OutageModes, OutageMode> & Sendable)] = [
        ("max_sessions", \.sessions), ("max_connections", \.sockets), ("connects_per_sec", \.connects),
        ("resolves_per_sec", \.resolves), ("max_bandwidth_mbps", \.bandwidth), ("bytes_per_day", \.dayBytes),
    ]
    static let tables = ["network", "limits", "clients", "tiers", "redis_failure"]

    init(file: String, text: ByteText) {
        self.file = file
        self.locator = TOMLLocator(text)
    }

    mutating func read(_ root: TOMLTable) -> Policy.Rules {
        var rules = Policy.Rules()
        for key in root.keys where !Self.tables.contains(key) {
            self.unknown(key, among: Self.tables, table: "", line: self.locator.line(table: key, key: nil))
        }
        if let network = self.table(root, "network", keys: Self.networkKeys) { self.network(network, &rules) }
        if let limits = self.table(root, "limits", keys: Self.limitKeys) {
            self.limits(limits, "limits", &rules.limits)
        }
        if let clients = self.table(root, "clients", keys: Self.clientKeys) { self.clients(clients, &rules.clients) }
        if let table = self.table(root, "redis_failure", keys: ["default", "excess"] + Self.outageKeys.map(\.key)) {
            rules.outage = self.outage(table)
        }
        if let tiers = self.table(root, "tiers", keys: nil) {
            for name in tiers.keys {
                var limits = rules.limits
                if let tier = self.table(tiers, name, path: "tiers.\(name)", keys: Self.tierKeys) {
                    self.networkLimits(tier, "tiers.\(name)", &limits)
                    self.limits(tier, "tiers.\(name)", &limits)
                }
                if Policy.isTierName(name) {
                    rules.tiers[name] = limits
                } else {
                    self.problem("tiers.\(name)", nil, "\(Policy.tierNameRule), so no token can name this one")
                }
            }
        }
        return rules
    }

    private mutating func network(_ table: TOMLTable, _ rules: inout Policy.Rules) {
        rules.deny = self.list(table, "network", "deny") { text throws(DestinationError) in try PolicyEntry(text) }
        rules.allow = self.list(table, "network", "allow") { text throws(DestinationError) in try PolicyEntry(text) }
        if let text = self.string(table, "network", "bind_ports") {
            do throws(DestinationError) {
                for part in ByteText(text).list() { try TransportProtocol.refuse(in: part) }
                rules.bindPorts = try PortSet(text)
            } catch {
                self.problem("network", "bind_ports", error.description)
            }
        }
        if table.contains(key: "bind_addresses") {
            rules.bindAddresses = self.list(table, "network", "bind_addresses") { text throws(DestinationError) in
                try TransportProtocol.refuse(in: ByteText(text))
                guard let address = IPAddress(text) else { throw DestinationError("\"\(text)\" is not an address") }
                return address
            }
        }
        if let value = table["show_local"] {
            if let bool = value.bool {
                rules.showLocal = bool
            } else {
                self.problem("network", "show_local", "true or false is needed, not \(Self.words(value))")
            }
        }
        self.networkLimits(table, "network", &rules.limits)
    }

    private mutating func networkLimits(_ table: TOMLTable, _ path: String, _ limits: inout ClientLimits) {
        if let value = self.integer(table, path, "max_connections", in: ClientLimits.counts) {
            limits.maxConnections = value
        }
        if let value = self.number(table, path, "connection_timeout_secs", in: ClientLimits.connectionTimeouts) {
            limits.connectionTimeoutSeconds = value
        }
        if let value = self.number(table, path, "max_bandwidth_mbps", in: ClientLimits.megabits) {
            limits.maxBandwidthBitsPerSecond = value * 1_000_000
        }
    }

    private mutating func limits(_ table: TOMLTable, _ path: String, _ limits: inout ClientLimits) {
        if let value = self.integer(table, path, "max_sessions", in: ClientLimits.counts) { limits.maxSessions = value }
        if let value = self.number(table, path, "sessions_per_sec", in: ClientLimits.perSecond) {
            limits.sessionsPerSecond = value
        }
        if let value = self.integer(table, path, "session_burst", in: ClientLimits.counts) {
            limits.sessionBurst = value
        }
        if let value = self.number(table, path, "connects_per_sec", in: ClientLimits.perSecond) {
            limits.connectsPerSecond = value
        }
        if let value = self.integer(table, path, "connect_burst", in: ClientLimits.counts) {
            limits.connectBurst = value
        }
        if let value = self.number(table, path, "resolves_per_sec", in: ClientLimits.perSecond) {
            limits.resolvesPerSecond = value
        }
        if let value = self.integer(table, path, "resolve_burst", in: ClientLimits.counts) {
            limits.resolveBurst = value
        }
        if let value = self.number(table, path, "refusals_per_sec", in: ClientLimits.perSecond) {
            limits.refusalsPerSecond = value
        }
        if let value = self.integer(table, path, "refusal_burst", in: ClientLimits.counts) {
            limits.refusalBurst = value
        }
        if let value = self.number(table, path, "idle_timeout_secs", in: ClientLimits.idleTimeouts) {
            limits.idleTimeoutSeconds = value
        }
        if let value = table["bytes_per_day"] {
            let bytes = value.int.flatMap(UInt64.init(exactly:)) ?? value.string.flatMap(ByteCount.parse)
            if let bytes, ClientLimits.dayBytes.contains(bytes) {
                limits.bytesPerDay = bytes
            } else {
                self.problem(
                    path, "bytes_per_day",
                    "a number of bytes, or text such as \"20GiB\" or \"500MB\", from 0 to 8192TiB is needed, not \(Self.words(value))"
                )
            }
        }
    }

    private mutating func outage(_ table: TOMLTable) -> OutageModes {
        var modes = OutageModes(all: self.outageMode(table, "default") ?? .static)
        for (key, path) in Self.outageKeys {
            guard let mode = self.outageMode(table, key) else { continue }
            if mode == .fence, !Self.fenceKeys.contains(key) {
                self.problem(
                    "redis_failure", key,
                    "\"fence\" is for max_sessions and max_connections; use \"closed\" here")
            } else {
                modes[keyPath: path] = mode
            }
        }
        if let text = self.string(table, "redis_failure", "excess") {
            if text == "keep" || text == "end" {
                modes.keepsExcess = text == "keep"
            } else {
                self.problem("redis_failure", "excess", "\"end\" or \"keep\" is needed, not \"\(text)\"")
            }
        }
        return modes
    }

    private static let fenceKeys = ["max_sessions", "max_connections"]

    private mutating func outageMode(_ table: TOMLTable, _ key: String) -> OutageMode? {
        guard let text = self.string(table, "redis_failure", key) else { return nil }
        if let mode = OutageMode(rawValue: text) { return mode }
        self.problem("redis_failure", key, "\"static\", \"open\", \"closed\" or \"fence\" is needed, not \"\(text)\"")
        return nil
    }

    private mutating func clients(_ table: TOMLTable, _ clients: inout ClientsPolicy) {
        if let text = self.string(table, "clients", "identify_by") {
            if let identity = ClientsPolicy.Identity(rawValue: text) {
                clients.identifyBy = identity
            } else {
                self.problem("clients", "identify_by", "\"address\" or \"token\" is needed, not \"\(text)\"")
            }
        }
        clients.trustedProxies = self.list(table, "clients", "trusted_proxies") { text throws(DestinationError) in
            try TransportProtocol.refuse(in: ByteText(text))
            let entry = try PolicyEntry(text)
            guard let prefix = entry.network else {
                throw DestinationError("\"\(text)\" is not an address or a network")
            }
            return prefix
        }
        clients.allowedOrigins = self.list(table, "clients", "allowed_origins") { text throws(DestinationError) in
            try TransportProtocol.refuse(in: ByteText(text))
            return try WebOrigin(text).text
        }
        if let value = table["require_token"] {
            if let bool = value.bool {
                clients.requireToken = bool
            } else {
                self.problem("clients", "require_token", "true or false is needed, not \(Self.words(value))")
            }
        }
    }

    // MARK: Values

    private mutating func table(
        _ parent: TOMLTable, _ name: String, path: String? = nil, keys: [String]?
    ) -> TOMLTable? {
        guard let value = parent[name] else { return nil }
        let path = path ?? name
        guard let table = value.table else {
            self.problem(path, nil, "a table is needed")
            return nil
        }
        if let keys {
            for key in table.keys where !keys.contains(key) {
                self.unknown(key, among: keys, table: path, line: self.locator.line(table: path, key: key))
            }
        }
        return table
    }

    private mutating func list<Element>(
        _ table: TOMLTable, _ path: String, _ key: String, _ read: (String) throws(DestinationError) -> Element
    ) -> [Element] {
        guard let value = table[key] else { return [] }
        guard let array = value.array else {
            self.problem(path, key, "a list of strings is needed")
            return []
        }
        var result: [Element] = []
        for index in 0..<array.count {
            guard let text = array[index].string else {
                self.problem(path, key, "a string is needed", element: index)
                continue
            }
            do { result.append(try read(text)) } catch {
                self.problem(path, key, "\"\(text)\": \(error.description)", element: index)
            }
        }
        return result
    }

    private mutating func string(_ table: TOMLTable, _ path: String, _ key: String) -> String? {
        guard let value = table[key] else { return nil }
        if let text = value.string { return text }
        self.problem(path, key, "a string is needed")
        return nil
    }

    private mutating func integer(_ table: TOMLTable, _ path: String, _ key: String, in range: ClosedRange<Int>) -> Int?
    {
        guard let value = table[key] else { return nil }
        if let number = value.int, range.contains(number) { return number }
        self.problem(
            path, key,
            "a whole number from \(range.lowerBound) to \(range.upperBound) is needed, not \(Self.words(value))")
        return nil
    }

    private mutating func number(
        _ table: TOMLTable, _ path: String, _ key: String, in range: ClosedRange<Double>
    ) -> Double? {
        guard let value = table[key] else { return nil }
        if let number = value.double ?? value.int.map(Double.init), range.contains(number) { return number }
        self.problem(
            path, key, "a number from \(range.lowerBound) to \(range.upperBound) is needed, not \(Self.words(value))")
        return nil
    }

    /// A value as written, or its kind.
    private static func words(_ value: any TOMLValueConvertible) -> String {
        if let text = value.string { return "\"\(text)\"" }
        if let number = value.int { return "\(number)" }
        if let number = value.double { return "\(number)" }
        if let bool = value.bool { return "\(bool)" }
        return if value.array != nil { "a list" } else if value.table != nil { "a table" } else { "a time" }
    }

    // MARK: Problems

    private mutating func unknown(_ key: String, among keys: [String], table: String, line: Int) {
        let hint = Spelling.nearest(to: key, among: keys).map { "; did you mean \($0)?" } ?? ""
        let path = table.isEmpty ? key : "\(table).\(key)"
        self.problems.append(.init(line: line, path: path, message: "unknown key\(hint)", file: self.file))
    }

    private mutating func problem(_ table: String, _ key: String?, _ message: String, element: Int? = nil) {
        let line = self.locator.line(table: table, key: key, element: element)
        let path = key.map { "\(table).\($0)" } ?? table
        self.problems.append(
            .init(line: line, path: element.map { "\(path)[\($0)]" } ?? path, message: message, file: self.file))
    }
}
