import NIOConcurrencyHelpers
import RedisClient
import Testing
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

extension OnRedis {
    /// Redis' data is gone or old: no node gets more until all nodes have declared again what they hold.
    @Suite struct LedgerLossTests {
        /// Three nodes of one client, of which two hold 3 and 2 of 6 slots.
        private func withHolders(
            _ body: (ManualClock, [LedgerNode], [NodeClient]) async throws -> Void
        ) async throws {
            try await withNodes(3) { _, clock, nodes in
                for node in nodes { node.peers.withLockedValue { $0 = nodes.map(\.id) } }
                let clients = nodes.map { $0.client(ClientLimits.only(maxConnections: 6)) }
                for _ in 0..<3 { #expect(await clients[0].open() == nil) }
                for _ in 0..<2 { #expect(await clients[1].open() == nil) }
                clock.advance(.seconds(1))
                try await body(clock, nodes, clients)
            }
        }

        /// Opens one while time passes and these nodes do their scheduled work.
        ///
        /// - Returns: the refusal, and how long it took.
        private func open(
            _ client: NodeClient, _ clock: ManualClock, _ nodes: [LedgerNode]
        ) async throws -> (refusal: QuotaRefusal?, time: QuotaDuration) {
            let answer = NIOLockedValueBox<Result<QuotaSlot?, QuotaRefusal>?>(nil)
            let began = clock.now()
            let atOnce = client.allowance.reserve(.socket, now: began) { late in
                answer.withLockedValue { $0 = late }
            }
            while true {
                if let result = atOnce ?? answer.withLockedValue({ $0 }) {
                    switch result {
                    case .success(let slot):
                        if let slot { client.sockets.append(slot) }
                        return (nil, clock.now() - began)
                    case .failure(let refusal): return (refusal, clock.now() - began)
                    }
                }
                clock.advance(.milliseconds(50))
                for node in nodes { try await node.tick() }
            }
        }

        private func expectFull(_ clients: [NodeClient], _ clock: ManualClock, _ nodes: [LedgerNode]) async throws {
            #expect(clients.reduce(0) { $0 + $1.sockets.count } == 6)
            for client in clients {
                #expect(try await self.open(client, clock, nodes).refusal == QuotaRefusal(kind: .sockets))
            }
            for _ in 0..<20 {
                clock.advance(.seconds(1))
                for node in nodes { try await node.tick() }
            }
            #expect(nodes.allSatisfy { $0.excess.withLockedValue { $0 }.isEmpty })
        }

        @Test func withAllNodesAliveGrowthIsBackInTwoSeconds() async throws {
            try await self.withHolders { clock, nodes, clients in
                try await nodes[0].redis.send(["FLUSHALL"])
                // The first to ask knew the data.
                var (refusal, time) = try await self.open(clients[2], clock, nodes)
                while refusal == .unanswered {
                    let (again, more) = try await self.open(clients[2], clock, nodes)
                    (refusal, time) = (again, .microseconds(time.microseconds + more.microseconds))
                }
                #expect(refusal == nil && time <= .seconds(2))
                try await self.expectFull(clients, clock, nodes)
                for node in nodes {
                    #expect(node.losses.withLockedValue { $0 } == 1)
                    #expect(node.longRollCalls.withLockedValue { $0 } == [])
                    #expect(node.ledger.rollCalls == 0)
                }
            }
        }

        @Test func aNodeThatIsGoneIsWaitedFor() async throws {
            try await self.withHolders { clock, nodes, clients in
                let alive = [nodes[0], nodes[2]]
                for node in alive {
                    node.ledger.registered(nodes.map(\.id))
                    // From now on the registry lists only those that returned to it.
                    node.peers.withLockedValue { $0 = alive.map(\.id) }
                }
                try await nodes[0].redis.send(["FLUSHALL"])
                let lost = clock.now()
                while clock.now() - lost < .seconds(12) {
                    #expect(try await self.open(clients[2], clock, alive).refusal == .unanswered)
                }
                while clock.now() - lost < .seconds(20) {
                    if try await self.open(clients[2], clock, alive).refusal == nil { break }
                }
                let time = clock.now() - lost
                #expect(nodes[0].longRollCalls.withLockedValue { $0 } == [[nodes[1].id]])
                #expect(time > .seconds(15) && time < .seconds(19), "\(time)")
            }
        }

        /// An old snapshot: the data is there, and another process.
        @Test func dataOfAnotherProcessCountsForNothing() async throws {
            try await self.withHolders { clock, nodes, clients in
                for bucket in 0..<RedisKeys.bucketCount {
                    try await nodes[0].redis.send(["HSET", .string(RedisKeys.generation(bucket)), "process", 12])
                }
                let key = RedisArgument.string(RedisKeys.leases(.socket, of: ClientID(text: "t:someone")))
                let fields = try await nodes[0].redis.send(["HKEYS", key]).array?.compactMap(\.string) ?? []
                for field in fields { try await nodes[0].redis.send(["HSET", key, .string(field), "9000 0"]) }
                var refusal: QuotaRefusal? = .unanswered
                while refusal == .unanswered { refusal = try await self.open(clients[2], clock, nodes).refusal }
                #expect(refusal == nil)
                try await self.expectFull(clients, clock, nodes)
            }
        }

        /// A node that starts before others have noticed waits until they have.
        @Test func whoStartsAfterALossTakesNothingThatOthersHold() async throws {
            try await self.withHolders { clock, nodes, clients in
                try await nodes[0].redis.send(["FLUSHALL"])
                let fresh = try await LedgerNode(nodes[0].server, clock: { clock.now() }, isAlone: false)
                let client = fresh.client(ClientLimits.only(maxConnections: 6))
                let all = nodes + [fresh]
                for node in all { node.peers.withLockedValue { $0 = all.map(\.id) } }
                let began = clock.now()
                var refusal: QuotaRefusal? = .unanswered
                while refusal == .unanswered {
                    refusal = try await self.open(client, clock, all).refusal
                }
                #expect(refusal == nil && clock.now() - began < .seconds(4))
                try await self.expectFull(clients + [client], clock, all)
                await fresh.redis.close()
            }
        }

        /// It opens slots that others hold, and their newest end when they learn about it.
        @Test func aNodeThatTookItselfForAloneIsMadeRoomFor() async throws {
            try await self.withHolders { clock, nodes, clients in
                try await nodes[0].redis.send(["FLUSHALL"])
                let fresh = try await LedgerNode(nodes[0].server, clock: { clock.now() }, isAlone: true)
                let client = fresh.client(ClientLimits.only(maxConnections: 6))
                for _ in 0..<6 { #expect(await client.open() == nil) }
                for _ in 0..<20 {
                    clock.advance(.milliseconds(500))
                    for node in nodes + [fresh] { try await node.tick() }
                }
                let excess = (nodes + [fresh]).map { $0.excess.withLockedValue { $0["t:someone"] ?? 0 } }
                #expect(excess[0] >= 3 && excess[1] >= 2 && excess[3] == 0, "\(excess)")
                await fresh.redis.close()
            }
        }

        /// Redis was suspended for longer than a lease: the first to ask takes nothing from the others.
        @Test func aRedisThatStoodStillTakesNoLeaseAway() async throws {
            try await self.withHolders { clock, nodes, clients in
                clock.advance(.seconds(20))
                #expect(try await self.open(clients[2], clock, nodes).refusal == nil)
                try await self.expectFull(clients, clock, nodes)
            }
        }
    }
}
