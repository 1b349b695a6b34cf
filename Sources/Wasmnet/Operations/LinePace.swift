import WasmnetNet
import WasmnetQuota

/// How many lines of the log one client may have: a number a second, and some at once after a rest. Suppressed lines are counted, by
/// client, for the next line.
///
/// **Bound**: at most ``maxClients`` clients are tracked at once; those beyond share one allowance.
final class LinePace: Sendable {
    static let maxClients = 4096
    private static let others = ClientID(text: "others")

    private struct Entry {
        var pace = GCRA()
        var suppressed = 0
    }

    private let pace: GCRA.Pace?
    private let entries = Guarded<[ClientID: Entry]>([:])

    init(perSecond: Double, burst: Int) {
        self.pace = GCRA.Pace(perSecond: perSecond, burst: burst)
    }

    /// - Returns: nil if this line is suppressed; otherwise how many were since the client's last one.
    func admit(_ client: ClientID, at now: QuotaInstant) -> Int? {
        guard let pace = self.pace else { return 0 }
        return self.entries.withLock { entries in
            if entries[client] == nil, entries.count >= Self.maxClients {
                entries = entries.filter { $0.value.suppressed > 0 || !$0.value.pace.isAtRest(at: now) }
            }
            let isKnown = entries[client] != nil || entries.count < Self.maxClients
            var entry = entries[isKnown ? client : Self.others] ?? Entry()
            defer { entries[isKnown ? client : Self.others] = entry }
            guard entry.pace.request(at: now, pace: pace) == nil else {
                entry.suppressed += 1
                return nil
            }
            defer { entry.suppressed = 0 }
            return entry.suppressed
        }
    }

    /// Clients that may have a line again after some were suppressed, and how many. Their counts restart.
    func leftOut(at now: QuotaInstant) -> [(client: ClientID, suppressed: Int)] {
        guard let pace = self.pace else { return [] }
        return self.entries.withLock { entries in
            var result: [(client: ClientID, suppressed: Int)] = []
            for (client, entry) in entries {
                guard entry.suppressed > 0 else {
                    if entry.pace.isAtRest(at: now) { entries[client] = nil }
                    continue
                }
                guard entries[client]?.pace.request(at: now, pace: pace) == nil else { continue }
                entries[client]?.suppressed = 0
                result.append((client, entry.suppressed))
            }
            return result
        }
    }
}
