import WasmnetCluster
import WasmnetPolicyFile
import WasmnetQuota

/// What a client uses of each limit, for people and for scripts.
struct QuotaReport: Encodable {
    enum Source: String, Encodable { case policy, override }

    /// A number that may be in use at once, or in a day.
    struct Amount: Encodable {
        var used: UInt64
        /// Nil: unlimited.
        var limit: UInt64?
        var from: Source
    }

    /// Something a second, with a burst.
    struct Rate: Encodable {
        /// What may pass at this moment; nil where nothing limits it.
        var available: Int64?
        var perSecond: Double?
        var burst: Int64?
        var from: Source

        enum CodingKeys: String, CodingKey {
            case available, burst, from
            case perSecond = "per_second"
        }
    }

    struct Limits: Encodable {
        var maxSessions, maxConnections, bytesPerDay: Amount
        var connects, resolves, bandwidth: Rate

        enum CodingKeys: String, CodingKey {
            case connects, resolves
            case maxSessions = "max_sessions"
            case maxConnections = "max_connections"
            case bytesPerDay = "bytes_per_day"
            case bandwidth = "bandwidth_bytes"
        }
    }

    struct Holder: Encodable {
        var node: String
        /// Nil for a node that is not in the registry.
        var name: String?
        var address: String?
        var sessions: Int
        var sockets: Int
    }

    var client: String
    /// The policy's file that the limits are from; nil: the default policy.
    var policy: String?
    var now: String
    var dayEnds: String
    var overridesEnd: String?
    var limits: Limits
    var holders: [Holder]

    enum CodingKeys: String, CodingKey {
        case client, policy, now, limits, holders
        case dayEnds = "day_ends"
        case overridesEnd = "overrides_end"
    }

    private let dayLeft: TimeSpan
    private let overridesLeft: TimeSpan?

    init(
        client: ClientID, account: ClientAccount, limits: QuotaLimits, policy: QuotaCommand.PolicyArguments,
        nodes: [NodeEntry]
    ) {
        let (now, own) = (account.now, account.overrides)
        self.client = client.text
        self.policy = policy.file
        self.now = Timestamp.text(milliseconds: now.microseconds / 1000)
        self.dayEnds = Timestamp.text(milliseconds: account.dayEnds.microseconds / 1000)
        self.dayLeft = TimeSpan(seconds: (account.dayEnds - now).microseconds / 1_000_000)
        self.overridesEnd = account.overridesEnd.map { Timestamp.text(milliseconds: $0.microseconds / 1000) }
        self.overridesLeft = account.overridesEnd.map {
            TimeSpan(seconds: (($0 - now).microseconds + 999_999) / 1_000_000)
        }
        self.limits = Limits(
            maxSessions: Self.amount(
                UInt64(account.sessions), UInt64(limits.maxSessions), own.maxSessions.map(UInt64.init)),
            maxConnections: Self.amount(
                UInt64(account.sockets), UInt64(limits.maxSockets), own.maxSockets.map(UInt64.init)),
            bytesPerDay: Self.amount(account.dayBytes, limits.bytesPerDay, own.bytesPerDay),
            connects: Self.rate(
                account.connects, now, GCRA.Pace(perSecond: limits.connectsPerSecond, burst: limits.connectBurst),
                own.connects),
            resolves: Self.rate(
                account.resolves, now, GCRA.Pace(perSecond: limits.resolvesPerSecond, burst: limits.resolveBurst),
                own.resolves),
            bandwidth: Self.rate(
                account.bandwidth, now,
                TokenBucket.Rate(bytesPerSecond: limits.bytesPerSecond, burst: limits.byteBurst), own.bandwidth))
        let known = Dictionary(nodes.map { ($0.id, $0) }) { first, _ in first }
        self.holders = account.holdings.map { holding in
            Holder(
                node: holding.node, name: known[holding.node]?.name, address: known[holding.node]?.address,
                sessions: holding.sessions, sockets: holding.sockets)
        }
    }

    /// What the policy does not limit no override limits either: nodes do not ask.
    private static func amount(_ used: UInt64, _ policy: UInt64, _ own: UInt64?) -> Amount {
        guard policy > 0 else { return Amount(used: used, limit: nil, from: .policy) }
        return Amount(used: used, limit: own ?? policy, from: own == nil ? .policy : .override)
    }

    private static func rate(_ state: GCRA, _ now: QuotaInstant, _ policy: GCRA.Pace?, _ own: GCRA.Pace?) -> Rate {
        guard let policy else { return Rate(from: .policy) }
        let pace = own ?? policy
        return Rate(
            available: Int64(state.available(at: now, pace: pace)), perSecond: 1_000_000 / Double(pace.interval),
            burst: pace.burst, from: own == nil ? .policy : .override)
    }

    private static func rate(
        _ state: TokenBucket?, _ now: QuotaInstant, _ policy: TokenBucket.Rate?, _ own: TokenBucket.Rate?
    ) -> Rate {
        guard let policy else { return Rate(from: .policy) }
        let rate = own ?? policy
        var bucket = state ?? TokenBucket()
        bucket.refill(at: now, rate: rate)
        return Rate(
            available: bucket.bytes, perSecond: Double(rate.bytesPerSecond), burst: rate.burst,
            from: own == nil ? .policy : .override)
    }
}

extension QuotaReport {
    func print(json: Bool) throws {
        guard !json else { return try JSONOutput.print(self) }
        Terminal.say(self.text)
    }

    /// Two tables and what there is to say beside them.
    var text: String {
        var table = TextTable([("LIMIT", .left), ("USED", .right), ("OF", .right), ("FROM", .left)])
        table.add(Self.row("max_sessions", self.limits.maxSessions) { "\($0)" })
        table.add(Self.row("max_connections", self.limits.maxConnections) { "\($0)" })
        table.add(Self.row("connects_per_sec", self.limits.connects))
        table.add(Self.row("resolves_per_sec", self.limits.resolves))
        table.add(Self.bandwidthRow(self.limits.bandwidth))
        table.add(Self.row("bytes_per_day", self.limits.bytesPerDay, ByteCount.text))
        var lines = [
            ClientID(text: self.client).commandText, "", table.text, "",
            "The day ends in \(self.dayLeft.text) (\(self.dayEnds)).",
        ]
        if let end = self.overridesEnd, let left = self.overridesLeft {
            lines.append("What was set for this client ends in \(left.text) (\(end)).")
        }
        if self.policy == nil {
            lines.append(
                "Limits from \"policy\" are the default policy's: where the nodes have another, name it by --policy or WASMNET_POLICY."
            )
        }
        lines.append("")
        guard !self.holders.isEmpty else { return (lines + ["No node holds anything of it."]).joined(separator: "\n") }
        var holders = TextTable([
            ("NODE", .left), ("ADDRESS", .left), ("SESSIONS", .right), ("SOCKETS", .right), ("ID", .left),
        ])
        for holder in self.holders {
            holders.add([
                holder.name ?? "(not registered)", holder.address ?? "-", "\(holder.sessions)", "\(holder.sockets)",
                holder.node,
            ])
        }
        return (lines + [holders.text]).joined(separator: "\n")
    }

    private static func row(_ name: String, _ amount: Amount, _ text: (UInt64) -> String) -> [String] {
        guard let limit = amount.limit else { return [name, text(amount.used), "unlimited", amount.from.rawValue] }
        return [name, text(amount.used), text(limit), amount.from.rawValue]
    }

    private static func row(_ name: String, _ rate: Rate) -> [String] {
        guard let burst = rate.burst, let available = rate.available, let perSecond = rate.perSecond else {
            return [name, "-", "unlimited", rate.from.rawValue]
        }
        let pace = Self.number(perSecond)
        return [name, "\(burst - available)", "\(burst), then \(pace)/s", rate.from.rawValue]
    }

    /// With two decimals at most.
    private static func number(_ value: Double) -> String {
        let rounded = (value * 100).rounded() / 100
        return rounded == rounded.rounded() ? "\(Int64(rounded))" : "\(rounded)"
    }

    private static func bandwidthRow(_ rate: Rate) -> [String] {
        guard let burst = rate.burst, let available = rate.available, let perSecond = rate.perSecond else {
            return ["max_bandwidth_mbps", "-", "unlimited", rate.from.rawValue]
        }
        let used = UInt64(max(burst - available, 0))
        let megabits = Self.number(perSecond / 125_000)
        return [
            "max_bandwidth_mbps", ByteCount.text(used), "\(ByteCount.text(UInt64(burst))), then \(megabits) Mbit/s",
            rate.from.rawValue,
        ]
    }
}
