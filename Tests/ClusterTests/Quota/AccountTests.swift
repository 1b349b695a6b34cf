import RedisClient
import Testing
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

extension OnRedis {
    /// A client's data that operators see and set.
    @Suite struct AccountTests {
        private let client = ClientID(text: "t:someone")
        private let limits = ClientLimits.only(
            maxConnections: 8, maxSessions: 4, connectsPerSecond: 0.01, connectBurst: 20, bytesPerSecond: 1000,
            byteBurst: 100_000, bytesPerDay: 1 << 30)

        /// Nodes on Redis' own clock, since accounts use it.
        private func onNodes(_ count: Int, _ body: ([LedgerNode], ClientAccounts) async throws -> Void) async throws {
            try await withServer { server in
                var nodes: [LedgerNode] = []
                for _ in 0..<count {
                    let start = ContinuousClock.now
                    nodes.append(
                        try await LedgerNode(
                            server,
                            clock: {
                                let elapsed = (ContinuousClock.now - start).components
                                return QuotaInstant(
                                    microseconds: 1_000_000_000 + elapsed.seconds * 1_000_000
                                        + elapsed.attoseconds / 1_000_000_000_000)
                            }, sharesClock: false))
                }
                try await body(nodes, ClientAccounts(redis: nodes[0].redis))
                for node in nodes { await node.redis.close() }
            }
        }

        @Test func anAccountSaysWhoHoldsWhatAndWhatIsSpent() async throws {
            try await self.onNodes(2) { nodes, accounts in
                let fresh = try await accounts.account(of: self.client)
                #expect(fresh.holdings.isEmpty && fresh.dayBytes == 0 && fresh.bandwidth == nil)
                #expect(fresh.overrides.isEmpty && fresh.overridesEnd == nil)
                #expect(fresh.dayEnds > fresh.now && (fresh.dayEnds - fresh.now).microseconds <= 86_400_000_000)

                let clients = nodes.map { $0.client(self.limits, named: self.client.text) }
                for client in clients {
                    #expect(await client.open(.session) == nil)
                    #expect(await client.open(.socket) == nil)
                }
                #expect(await clients[0].open(.socket) == nil)
                clients[0].allowance.charge(bytes: 70_000, now: nodes[0].clock())
                for node in nodes { try await node.settle() }

                let account = try await accounts.account(of: self.client)
                #expect(account.holdings.count == 2)
                #expect(account.sessions >= 2 && account.sessions <= 4)
                #expect(account.sockets >= 3 && account.sockets <= 8)
                let pace = try #require(GCRA.Pace(perSecond: 0.01, burst: 20))
                #expect(account.connects.available(at: account.now, pace: pace) <= 17)
                #expect(account.dayBytes >= 70_000)
                #expect(account.bandwidth != nil)

                // The slots of a node that is gone are free.
                await nodes[1].ledger.retire()
                #expect(try await accounts.account(of: self.client).holdings.count == 1)
            }
        }

        @Test func overridesHoldForTheirTimeAndAreAddedUp() async throws {
            try await self.onNodes(1) { nodes, accounts in
                var sockets = QuotaOverrides()
                sockets.maxConnections = 1
                try await accounts.set(sockets, for: .seconds(60), of: self.client)
                var paces = QuotaOverrides()
                paces.connects = GCRA.Pace(perSecond: 3, burst: 5)
                paces.bandwidth = TokenBucket.Rate(bytesPerSecond: 5000, burst: 0)
                paces.bytesPerDay = 12_345
                try await accounts.set(paces, for: .seconds(7200), of: self.client)
                let account = try await accounts.account(of: self.client)
                paces.maxConnections = 1
                #expect(account.overrides == paces)
                let left = try #require(account.overridesEnd) - account.now
                #expect(left > .seconds(7100) && left <= .seconds(7200))

                let client = nodes[0].client(self.limits, named: self.client.text)
                #expect(await client.open(.socket) == nil)
                #expect(await client.open(.socket)?.kind == .sockets)

                try await accounts.clearOverrides(of: self.client)
                #expect(try await accounts.account(of: self.client).overrides.isEmpty)
            }
        }

        @Test func anOverrideEndsByItself() async throws {
            try await withRedis { _, redis in
                let accounts = ClientAccounts(redis: redis)
                var overrides = QuotaOverrides()
                overrides.maxSessions = 7
                try await accounts.set(overrides, for: .microseconds(1), of: self.client)
                while try await !accounts.account(of: self.client).overrides.isEmpty {}
                let left = try await redis.send(["PTTL", .string(RedisKeys.overrides(of: self.client))]).int64
                #expect(left == -2)
            }
        }

        @Test func aResetForgetsUseAndKeepsWhatIsOpen() async throws {
            try await self.onNodes(1) { nodes, accounts in
                let client = nodes[0].client(self.limits, named: self.client.text)
                for _ in 0..<8 { #expect(await client.open(.socket) == nil) }
                client.allowance.charge(bytes: 1_000_000, now: nodes[0].clock())
                try await nodes[0].settle()
                #expect(try await accounts.account(of: self.client).bandwidth != nil)
                try await accounts.reset(self.client)
                let account = try await accounts.account(of: self.client)
                #expect(account.sockets == 8)
                #expect(account.connects.isAtRest(at: account.now))
                #expect(account.bandwidth == nil && account.dayBytes == 0)
            }
        }

        /// With any content of the keys, reading them ends in an account.
        @Test func garbageInTheKeysIsNoAccount() async throws {
            try await withRedis { _, redis in
                let key = RedisKeys.overrides(of: self.client)
                let garbage: [RedisCommand] = [
                    ["HSET", .string(key), "max_sessions", "-1", "max_connections", "x", "connects_interval", "1e99"],
                    ["HSET", .string(key), "bytes_per_day", "99999999999999999999", "byte_burst", ""],
                    ["SET", .string(RedisKeys.bandwidth(of: self.client)), "9223372036854775807 -9223372036854775808"],
                    ["SET", .string(RedisKeys.requests(.connect, of: self.client)), "-9223372036854775808"],
                    ["HSET", .string(RedisKeys.day(of: self.client)), "day", "x", "used", "y"],
                    ["HSET", .string(RedisKeys.leases(.socket, of: self.client)), "e.1", "9 99999999999999999999"],
                ]
                for command in garbage { try await redis.send(command) }
                let account = try await ClientAccounts(redis: redis).account(of: self.client)
                #expect(account.overrides.isEmpty && account.holdings.isEmpty && account.dayBytes == 0)
            }
        }
    }
}
