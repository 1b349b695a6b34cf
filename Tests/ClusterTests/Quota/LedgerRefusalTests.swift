import Foundation
import NIOConcurrencyHelpers
import RedisClient
import Synchronization
import Testing
import WasmnetPolicy
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

/// What each error of Redis means for the ledger.
@Suite struct LedgerRefusalTests {
    /// Of Redis itself, in the words of Redis 7.
    static let refusals = [
        "OOM command not allowed when used memory > 'maxmemory'. script: 1f2e, on @user_script:1.",
        "READONLY You can't write against a read only replica. script: 1f2e, on @user_script:1.",
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error. script: 1f2e, on @user_script:1.",
        "LOADING Redis is loading the dataset in memory",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "NOREPLICAS Not enough good replicas to write. script: 1f2e, on @user_script:1.",
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        "NOPERM User node has no permissions to run the 'evalsha' command",
    ]

    /// Of the keys: also as Redis 6 says it, which puts ERR before the words.
    static let errorsOfKeys = [
        "WRONGTYPE Operation against a key holding the wrong kind of value script: 1f2e, on @user_script:1.",
        "ERR Error running script (call to f_1f2e): @user_script:1: WRONGTYPE Operation against a key holding the wrong kind of value",
        "ERR user_script:1: attempt to compare number with nil script: 1f2e, on @user_script:1.",
        "ERR user_script:1: bad argument #1 to 'floor' (number expected, got nil) script: 1f2e, on @user_script:1.",
        "ERR value is not an integer or out of range script: 1f2e, on @user_script:1.",
        "ERR min or max is not a float, or a score is not a valid float script: 1f2e, on @user_script:1.",
    ]

    private let clock = ManualClock()

    private func ledger(_ carrier: RefusingCarrier, modes: OutageModes = OutageModes()) -> RedisLedger {
        var settings = ClusterSettings { [clock] in clock.now() }
        settings.modes = modes
        return RedisLedger(redis: carrier, settings: settings)
    }

    /// Ten seconds.
    private func letTimePass(_ ledger: RedisLedger) {
        for _ in 0..<40 {
            self.clock.advance(.milliseconds(250))
            ledger.tick()
        }
    }

    @Test(arguments: Self.refusals) func aRefusalOfRedisItselfIsAnOutageWithItsCode(line: String) {
        let carrier = RefusingCarrier(.server(RedisServerError(line: line)))
        let ledger = self.ledger(carrier)
        self.letTimePass(ledger)
        #expect(ledger.outages == 1)
        #expect(ledger.refusalCode == line.split(separator: " ").first.map(String.init))
        #expect(carrier.repairs == 0)
    }

    @Test(arguments: Self.errorsOfKeys) func anErrorAboutKeysIsNoOutageAndIsRepaired(line: String) {
        let carrier = RefusingCarrier(.server(RedisServerError(line: line)))
        let ledger = self.ledger(carrier)
        self.letTimePass(ledger)
        #expect(ledger.outages == 0)
        #expect(carrier.repairs > 0)
    }

    @Test func anOutageIsProbedAsSoonAsThereIsAConnection() {
        let ledger = self.ledger(RefusingCarrier(.connectionRefused(.host("127.0.0.1", port: 1))))
        ledger.reconnected()
        #expect(ledger.counters.calls.load(ordering: .relaxed) == 0)
        ledger.disconnected(.unavailable("refused"))
        self.letTimePass(ledger)
        let before = ledger.counters.calls.load(ordering: .relaxed)
        ledger.tick()
        #expect(ledger.counters.calls.load(ordering: .relaxed) == before)
        ledger.reconnected()
        #expect(ledger.counters.calls.load(ordering: .relaxed) == before + 1)
    }

    /// It knows no other node: its part is the whole of each limit.
    @Test(arguments: [(OutageMode.static, 6), (.open, 9), (.closed, 0), (.fence, 0)])
    func aNodeThatNeverReachedRedisCountsOnlyItself(mode: OutageMode, admitted: Int) async {
        let carrier = RefusingCarrier(.connectionRefused(.host("127.0.0.1", port: 1)))
        let ledger = self.ledger(carrier, modes: OutageModes(all: mode))
        ledger.disconnected(.unavailable("refused"))
        self.letTimePass(ledger)
        #expect(ledger.outages == 1 && ledger.refusalCode == nil)
        let client = NodeClient(
            allowance: ledger.allowance(
                for: ClientID(text: "t:someone"), limits: ClientLimits.only(maxConnections: 6, maxSessions: 6)),
            clock: { [clock] in clock.now() })
        for what in [Reservation.socket, .session] {
            var refusals: [QuotaRefusal] = []
            for _ in 0..<9 {
                if let refusal = await client.open(what) { refusals.append(refusal) }
            }
            #expect(9 - refusals.count == admitted)
            let full = QuotaRefusal(kind: what == .socket ? .sockets : .sessions, retryAfterMilliseconds: 1000)
            let expected = mode == .static ? full : QuotaRefusal.unanswered
            #expect(refusals.allSatisfy { $0 == expected }, "\(refusals)")
        }
    }
}

extension OnRedis {
    @Suite struct SnapshotTests {
        /// MISCONF refuses every write, and PING with them.
        @Test func aRedisWhoseSnapshotsFailMeansAnOutage() async throws {
            try await withNodes(1) { server, clock, nodes in
                let node = nodes[0]
                let client = node.client(ClientLimits.only(maxConnections: 6))
                for _ in 0..<2 { #expect(await client.open() == nil) }
                try await node.redis.send(["CONFIG", "SET", "save", "3600 1000000"])
                try FileManager.default.removeItem(atPath: server.directory)
                try await node.redis.send(["BGSAVE"])
                while try await node.redis.send(["INFO", "persistence"]).string?
                    .contains("rdb_last_bgsave_status:err") != true
                {
                    try await Task.sleep(for: .milliseconds(10))
                }
                for _ in 0..<40 where node.ledger.outages == 0 {
                    clock.advance(.milliseconds(250))
                    try await node.tick()
                }
                #expect(node.modes.withLockedValue { $0 } == [1])
                #expect(node.ledger.refusalCode == "MISCONF")
                #expect(node.repaired.withLockedValue { $0.isEmpty })
                #expect(client.sockets.count == 2)
                try await node.redis.send(["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"])
                clock.advance(.seconds(1))
                try await node.tick()
                #expect(node.modes.withLockedValue { $0 } == [1, 0])
                for _ in 0..<4 { #expect(await client.open() == nil) }
                #expect(await client.open() == QuotaRefusal(kind: .sockets))
            }
        }
    }
}
