import Foundation
import WasmnetAdmin
import WasmnetPolicyFile
import WasmnetQuota

extension QuotaReport {
    func print(json: Bool) throws {
        guard !json else { return try JSONOutput.print(self) }
        Terminal.say(self.text)
    }

    /// Two tables and their notes.
    var text: String {
        var table = TextTable([("LIMIT", .left), ("USED", .right), ("OF", .right), ("FROM", .left)])
        table.add(Self.row("max_sessions", self.limits.maxSessions) { "\($0)" })
        table.add(Self.row("max_connections", self.limits.maxConnections) { "\($0)" })
        table.add(Self.row("connects_per_sec", self.limits.connectsPerSec))
        table.add(Self.row("resolves_per_sec", self.limits.resolvesPerSec))
        table.add(Self.bandwidthRow(self.limits.maxBandwidthMbps))
        table.add(Self.row("bytes_per_day", self.limits.bytesPerDay, ByteCount.text))
        var lines = [
            ClientID(text: self.client).commandText, "", table.text, "",
            "The day ends in \(self.left(to: self.dayEnds)) (\(self.dayEnds.text)).",
        ]
        if let end = self.overridesEnd {
            lines.append("The limits set for this client end in \(self.left(to: end)) (\(end.text)).")
        }
        if self.policy == nil {
            lines.append(
                "Limits from \"policy\" are the default policy's: where the nodes have another, name it by --policy or WASMNET_POLICY."
            )
        }
        lines.append("")
        guard !self.holders.isEmpty else {
            return (lines + ["No node holds anything for this client."]).joined(separator: "\n")
        }
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

    /// To the second, rounded up.
    private func left(to end: QuotaInstant) -> String {
        TimeSpan(seconds: ((end - self.now).microseconds + 999_999) / 1_000_000).text
    }

    private static func row(_ name: String, _ amount: Amount, _ text: (UInt64) -> String) -> [String] {
        guard let limit = amount.limit else { return [name, text(amount.used), "unlimited", amount.from.rawValue] }
        return [name, text(amount.used), text(limit), amount.from.rawValue]
    }

    private static func row(_ name: String, _ rate: Rate) -> [String] {
        guard let burst = rate.burst, let available = rate.available, let limit = rate.limit else {
            return [name, "-", "unlimited", rate.from.rawValue]
        }
        let pace = Self.number(limit)
        return [name, "\(burst - available)", "\(burst), then \(pace)/s", rate.from.rawValue]
    }

    /// With at most two decimals.
    private static func number(_ value: Double) -> String {
        let rounded = (value * 100).rounded() / 100
        return rounded == rounded.rounded() ? "\(Int64(rounded))" : "\(rounded)"
    }

    private static func bandwidthRow(_ rate: Rate) -> [String] {
        guard let burst = rate.burst, let available = rate.available, let limit = rate.limit else {
            return ["max_bandwidth_mbps", "-", "unlimited", rate.from.rawValue]
        }
        let used = UInt64(max(burst - available, 0))
        let megabits = Self.number(limit)
        return [
            "max_bandwidth_mbps", ByteCount.text(used), "\(ByteCount.text(UInt64(burst))), then \(megabits) Mbit/s",
            rate.from.rawValue,
        ]
    }
}
