import NIOConcurrencyHelpers
import NIOCore
import RedisClient
import Synchronization
import Testing
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

extension OnRedis {
    /// Slots, through the ledger's interface.
    @Suite struct LedgerLeaseTests {
        @Test func reservesAndReleases() async throws {
            try await withNodes(1) { _, clock, nodes in
                let client = nodes[0].client(ClientLimits.only(maxConnections: 3))
                for _ in 0..<3 { #expect(await client.open() == nil) }
                #expect(await client.open() == QuotaRefusal(kind: .sockets))
                #expect(nodes[0].ledger.counts.sockets == 3)
                client.close(1)
                #expect(await client.open() == nil)
                client.close()
                #expect(nodes[0].ledger.counts.sockets == 0)
                // Idle slots are returned, and then the client is forgotten.
                clock.advance(.seconds(2))
                try await nodes[0].tick()
                let other = try await LedgerNode(server(of: nodes), clock: { clock.now() })
                let elsewhere = other.client(ClientLimits.only(maxConnections: 3))
                for _ in 0..<3 { #expect(await elsewhere.open() == nil) }
                await other.redis.close()
            }
        }

        private func server(of nodes: [LedgerNode]) throws -> RedisServer { try #require(nodes.first?.server) }

        @Test(arguments: [1, 2, 3] as [UInt64]) func manyNodesNeverExceedTheLimit(seed: UInt64) async throws {
            try await withNodes(4) { _, clock, nodes in
                var random = SeededRandom(seed)
                let limit = 12
                let clients = nodes.map { $0.client(ClientLimits.only(maxConnections: limit, maxSessions: 0)) }
                var (peak, refused) = (0, 0)
                for _ in 0..<400 {
                    let index = Int.random(in: 0..<4, using: &random)
                    if Int.random(in: 0..<3, using: &random) < 2 {
                        // Many at once: they wait for the same answer.
                        let allowance = clients[index].allowance
                        let now = clock.now()
                        let answers = await withTaskGroup(of: Result<QuotaSlot?, QuotaRefusal>.self) { group in
                            for _ in 0..<10 { group.addTask { await allowance.reserve(.socket, now: now) } }
                            return await group.reduce(into: []) { $0.append($1) }
                        }
                        for case .success(let slot?) in answers { clients[index].sockets.append(slot) }
                        refused += answers.count { if case .failure = $0 { true } else { false } }
                    } else {
                        clients[index].close(.random(in: 1...4, using: &random))
                    }
                    let open = clients.reduce(0) { $0 + $1.sockets.count }
                    peak = max(peak, open)
                    #expect(open <= limit, "seed \(seed)")
                    clock.advance(.milliseconds(.random(in: 0...400, using: &random)))
                    if Bool.random(using: &random) { for node in nodes { try await node.tick() } }
                }
                #expect(peak == limit && refused > 100, "seed \(seed): \(peak), \(refused)")
            }
        }

        @Test func aNodeThatStopsLosesItsSlotsAfterTheLeaseAndGivesWayWhenItComesBack() async throws {
            try await withNodes(2) { _, clock, nodes in
                let clients = nodes.map { $0.client(ClientLimits.only(maxConnections: 6)) }
                for _ in 0..<6 { #expect(await clients[0].open() == nil) }
                let gone = clock.now()
                while clock.now() - gone < .milliseconds(14_900) {
                    #expect(await clients[1].open() == QuotaRefusal(kind: .sockets))
                    clock.advance(.milliseconds(100))
                    try await nodes[1].tick()
                }
                clock.advance(.milliseconds(100))
                for _ in 0..<6 { #expect(await clients[1].open() == nil) }
                // Once back it admits nothing, and closes the slots that others have.
                #expect(await clients[0].open() == QuotaRefusal(kind: .sockets))
                try await nodes[0].tick()
                #expect(nodes[0].excess.withLockedValue { $0 } == ["t:someone": 6])
                clients[0].close()
                #expect(await clients[0].open() == QuotaRefusal(kind: .sockets))
                #expect(nodes[1].excess.withLockedValue { $0 }.isEmpty)
            }
        }

        @Test func aNodeThatBeatsKeepsItsSlots() async throws {
            try await withNodes(2) { _, clock, nodes in
                let clients = nodes.map { $0.client(ClientLimits.only(maxConnections: 6)) }
                for _ in 0..<6 { #expect(await clients[0].open() == nil) }
                for _ in 0..<60 {
                    clock.advance(.seconds(1))
                    try await nodes[0].tick()
                }
                #expect(await clients[1].open() == QuotaRefusal(kind: .sockets))
                #expect(nodes[0].ledger.counters.fences.load(ordering: .relaxed) == 0)
                // One heartbeat in five seconds, a check of the data each fourth tick, and the declaration of each minute.
                #expect(nodes[0].calls < 36)
            }
        }

        @Test func slotsOutliveTheirKey() async throws {
            try await withNodes(2) { _, clock, nodes in
                let clients = nodes.map { $0.client(ClientLimits.only(maxConnections: 2)) }
                for _ in 0..<2 { #expect(await clients[0].open() == nil) }
                let key = RedisArgument.string(RedisKeys.leases(.socket, of: ClientID(text: "t:someone")))
                try await nodes[0].redis.send(["PEXPIRE", key, 100_000_000])
                for _ in 0..<7 {
                    clock.advance(.seconds(10))
                    try await nodes[0].tick()
                }
                // Declared again after a minute: the key's lifetime is unchanged.
                let left = try await nodes[0].redis.send(["PTTL", key]).int ?? 0
                #expect(left > 100_000_000)
            }
        }

        /// The holder's slots are declared again, and the newest without room end.
        @Test func aLeaseKeyThatIsDeletedIsNoticed() async throws {
            try await withNodes(2) { _, clock, nodes in
                let clients = nodes.map { $0.client(ClientLimits.only(maxConnections: 6)) }
                for _ in 0..<6 { #expect(await clients[0].open() == nil) }
                let key = RedisArgument.string(RedisKeys.leases(.socket, of: ClientID(text: "t:someone")))
                try await nodes[0].redis.send(["DEL", key])
                for _ in 0..<4 { #expect(await clients[1].open() == nil) }
                // The holder's next heartbeat comes within five seconds.
                for _ in 0..<6 {
                    clock.advance(.seconds(1))
                    for node in nodes { try await node.tick() }
                    if nodes[0].excess.withLockedValue({ !$0.isEmpty }), clients[0].sockets.count == 6 {
                        clients[0].close(4)
                    }
                }
                #expect(nodes[0].excess.withLockedValue { $0 } == ["t:someone": 4])
                #expect(nodes[1].excess.withLockedValue { $0 }.isEmpty)
            }
        }

        /// A heartbeat checks 32 leases of a bucket, the next one the next 32.
        @Test func manyLeaseKeysThatAreDeletedAreNoticed() async throws {
            try await withNodes(1) { _, clock, nodes in
                let bucket = RedisKeys.bucket(of: ClientID(text: "t:0"))
                let names = (0...).lazy.map { ClientID(text: "t:\($0)") }
                    .filter { RedisKeys.bucket(of: $0) == bucket }.prefix(70)
                let clients = names.map { nodes[0].client(ClientLimits.only(maxConnections: 6), named: $0.text) }
                for client in clients { #expect(await client.open() == nil) }
                // Spare slots are returned before.
                clock.advance(.seconds(2))
                try await nodes[0].tick()
                let keys = names.map { RedisArgument.string(RedisKeys.leases(.socket, of: $0)) }
                func count() async throws -> Int? { try await nodes[0].redis.send(RedisCommand(["EXISTS"] + keys)).int }
                #expect(try await count() == 70)
                try await nodes[0].redis.send(RedisCommand(["DEL"] + keys))
                for _ in 0..<70 {
                    clock.advance(.milliseconds(250))
                    try await nodes[0].tick()
                }
                #expect(try await count() == 70)
            }
        }

        @Test func retiringFreesSlotsAndBytesAtOnce() async throws {
            try await withNodes(2) { _, clock, nodes in
                let limits = ClientLimits.only(maxConnections: 6, bytesPerDay: 100_000)
                let clients = nodes.map { $0.client(limits) }
                for _ in 0..<6 { #expect(await clients[0].open() == nil) }
                clients[0].allowance.charge(bytes: 1000, now: clock.now())
                try await nodes[0].settle()
                #expect(await clients[1].open()?.kind == .dayBytes)
                clients[0].close()
                await nodes[0].ledger.retire()
                try await nodes[0].settle()
                for _ in 0..<6 { #expect(await clients[1].open() == nil) }
            }
        }

        @Test func aForgottenClientComesBackUnderTheSameEpoch() async throws {
            try await withNodes(1) { _, clock, nodes in
                let node = nodes[0]
                let stays = node.client(ClientLimits.only(maxConnections: 50), named: "t:a")
                let name = try #require(
                    (0...).lazy.map { "t:\($0)" }.first {
                        RedisKeys.bucket(of: ClientID(text: $0)) == RedisKeys.bucket(of: ClientID(text: "t:a"))
                    })
                #expect(await stays.open() == nil)
                for _ in 0..<5 {
                    let client = node.client(ClientLimits.only(maxConnections: 50), named: name)
                    for _ in 0..<40 { #expect(await client.open() == nil) }
                    client.close()
                    clock.advance(.seconds(2))
                    try await node.tick()
                }
                clock.advance(.seconds(1))
                try await node.tick()
                #expect(node.ledger.counts.clients == 1)
                let before = node.calls
                #expect(await node.client(ClientLimits.only(maxConnections: 50), named: name).open() == nil)
                #expect(node.calls == before + 1)
            }
        }

        /// The in-process ledger and the Redis ledger of one node, slot by slot.
        @Test(arguments: [21, 22] as [UInt64]) func slotsAreAdmittedAsInOneProcess(seed: UInt64) async throws {
            try await withNodes(1) { _, clock, nodes in
                var random = SeededRandom(seed)
                let limits = ClientLimits.only(maxConnections: 7, maxSessions: 3)
                let model = InProcessLedger { clock.now() }.allowance(for: ClientID(text: "t:someone"), limits: limits)
                let client = nodes[0].client(limits)
                var slots: [(ours: QuotaSlot, models: QuotaSlot)] = []
                var refused = 0
                for step in 0..<3000 {
                    clock.advance(.milliseconds(.random(in: 0...300, using: &random)))
                    if Int.random(in: 0..<4, using: &random) == 0 { try await nodes[0].tick() }
                    if Bool.random(using: &random), !slots.isEmpty {
                        let pair = slots.remove(at: .random(in: 0..<slots.count, using: &random))
                        pair.ours.release()
                        pair.models.release()
                        continue
                    }
                    let what = [Reservation.session, .socket, .accepted].randomElement(using: &random) ?? .socket
                    let ours = await client.allowance.reserve(what, now: clock.now())
                    let models = model.reserve(what, now: clock.now()) { _ in }
                    switch (ours, models) {
                    case (.success(let one?), .success(let other?)): slots.append((one, other))
                    case (.failure(let one), .failure(let other)) where one == other: refused += 1
                    default: Issue.record("seed \(seed), step \(step): \(ours) and \(String(describing: models))")
                    }
                }
                #expect(refused > 50, "seed \(seed)")
            }
        }
    }
}
