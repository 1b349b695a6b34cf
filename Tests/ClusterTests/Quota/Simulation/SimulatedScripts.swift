import RedisClient

@testable import WasmnetCluster

/// The shipped scripts, except for features that a real Redis has only in real time: the simulation provides the answering process and
/// the expiry of keys.
final class SimulatedScripts: @unchecked Sendable {
    /// A text of the shipped scripts and its replacement.
    struct Change: Sendable {
        var text: String
        var instead: String
        /// In the one script that has it, or in the common beginning of all.
        init(_ text: String, _ instead: String) {
            self.text = text
            self.instead = instead
        }
    }

    private let changes: [Change]
    private var made: [String: RedisScript] = [:]

    init(changes: [Change] = []) {
        self.changes = changes
    }

    /// The first argument is the time and the process. Keys expire by the server's clock. A script's publications, and the sum of its
    /// client's leases, are returned beside its answer.
    private static let beginning = """
        local published = {}
        local function tally()
            local all = { counted = 0, granted = 0, own = 0 }
            if #ARGV ~= 24 then return all end
            local ungranted = {}
            local beyond = redis.call('HGETALL', KEYS[7])
            for index = 1, #beyond, 2 do ungranted[beyond[index]] = tonumber(beyond[index + 1]) end
            local leases = redis.call('HGETALL', KEYS[3])
            for index = 1, #leases, 2 do
                local count = tonumber(string.match(leases[index + 1], ' (%d+)$'))
                local granted = count - (ungranted[leases[index]] or 0)
                all.counted, all.granted = all.counted + count, all.granted + granted
                if leases[index] == ARGV[4] then all.own = granted end
            end
            return all
        end
        local simulatedTime, simulatedProcess = string.match(ARGV[1], '^(%d+) (%d+)$')
        ARGV[1], simulatedProcess = simulatedTime, tonumber(simulatedProcess)
        for _, key in ipairs(redis.call('ZRANGEBYSCORE', 'simulated:ends', '-inf', '(' .. simulatedTime)) do
            redis.call('DEL', key)
            redis.call('ZREM', 'simulated:ends', key)
        end
        local before = tally()
        local answer = (function()

        """

    private static let end = """

        end)()
        local after = tally()
        return {answer, published, {before.granted, before.own, after.counted, after.granted, after.own}}
        """

    private static let seams = [
        Change(
            "local function process()\n", "local function process()\n    if true then return simulatedProcess end\n"),
        Change(
            "local function keep(key, micros)",
            "local function keep(key, micros) redis.call('ZADD', 'simulated:ends', text(now + micros + 1000000), key) end\nlocal function shippedKeep(key, micros)"
        ),
    ]
    /// Of the registry's script.
    private static let publishes = Change(
        "redis.pcall('PUBLISH', ARGV[4], change .. ' ' .. ARGV[2])", "published[1] = change .. ' ' .. ARGV[2]")

    func simulated(_ script: RedisScript) -> RedisScript {
        if let known = self.made[script.digest] { return known }
        var source = script.source
        for seam in Self.seams { source = Self.apply(seam, source, isNeeded: true) }
        if script == ClusterScripts.register { source = Self.apply(Self.publishes, source, isNeeded: true) }
        for change in self.changes where source.contains(change.text) {
            source = Self.apply(change, source, isNeeded: false)
        }
        let made = RedisScript(Self.beginning + source + Self.end)
        self.made[script.digest] = made
        return made
    }

    private static func apply(_ change: Change, _ source: String, isNeeded: Bool) -> String {
        let parts = source.split(separator: change.text, omittingEmptySubsequences: false)
        precondition(parts.count == 2 || !isNeeded, "the scripts have no longer once: \(change.text)")
        return parts.joined(separator: change.instead)
    }

    /// Copies all keys into another database.
    static let copyAll = RedisScript(
        "for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('COPY', key, key, 'DB', ARGV[1], 'REPLACE') end")
}
