import NIOConcurrencyHelpers
import RedisClient
import Synchronization
import Testing
import WasmnetPolicy
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

extension OnRedis {
    /// A ledger while Redis is slow or away, and afterwards.
    @Suite struct LedgerOutageTests {
        /// Requested sockets that wait for a stopped server.
        private final class Opening: Sendable {
            private let outcomes: AsyncStream<QuotaRefusal?>
            private let slot = NIOLockedValueBox<QuotaSlot?>(nil)

            init(_ client: NodeClient, now: QuotaInstant, _ what: Reservation = .socket) {
                let (outcomes, continuation) = AsyncStream.makeStream(of: QuotaRefusal?.self)
                self.outcomes = outcomes
                let answer: @Sendable (Result<QuotaSlot?, QuotaRefusal>) -> Void = { [slot] result in
                    switch result {
                    case .success(let taken):
                        slot.withLockedValue { $0 = taken }
                        continuation.yield(nil)
                    case .failure(let refusal): continuation.yield(refusal)
                    }
                }
                if let atOnce = client.allowance.reserve(what, now: now, later: answer) { answer(atOnce) }
            }

            /// Nil: admitted.
            var value: QuotaRefusal? {
                get async { await self.outcomes.first { _ in true } ?? nil }
            }
        }

        private func opening(_ client: NodeClient, _ count: Int, now: QuotaInstant) -> [Opening] {
            (0..<count).map { _ in Opening(client, now: now) }
        }

        /// Redis stalls repeatedly: sockets without a grant are not opened, whatever waits.
        @Test func aPauseLoosensNoSlot() async throws {
            try await withNodes(3) { server, clock, nodes in
                let clients = nodes.map { $0.client(ClientLimits.only(maxConnections: 30)) }
                while nodes.reduce(0, { $0 + $1.ledger.counts.sockets }) < 30 {
                    for client in clients where client.sockets.count < 10 { await client.open() }
                    try await self.settle(nodes, clock, for: .milliseconds(250))
                }
                server.pause()
                let waiting = clients.flatMap { self.opening($0, 10, now: clock.now()) }
                clock.advance(.milliseconds(999))
                for node in nodes { node.ledger.tick() }
                clock.advance(.milliseconds(1))
                for task in waiting { #expect(await task.value == .unanswered) }
                #expect(nodes.allSatisfy { $0.ledger.outages == 0 })
                server.resume()
                for node in nodes { try await node.tick() }
                #expect(nodes.reduce(0) { $0 + $1.ledger.counts.sockets } == 30)
                for client in clients { #expect(await client.open() == QuotaRefusal(kind: .sockets)) }
                clients[0].close(1)
                clock.advance(.seconds(2))
                for node in nodes { try await node.tick() }
                clock.advance(.milliseconds(250))
                #expect(await clients[1].open() == nil)
            }
        }

        /// They join the request that is sent when it answers again.
        @Test func whoWaitsIsAnsweredWhenThePauseEnds() async throws {
            try await withNodes(1) { server, clock, nodes in
                let client = nodes[0].client(ClientLimits.only(maxConnections: 9))
                server.pause()
                let waiting = self.opening(client, 9, now: clock.now())
                clock.advance(.milliseconds(500))
                server.resume()
                for task in waiting { #expect(await task.value == nil) }
            }
        }

        @Test func whileNothingIsAnsweredThoseWhoWaitAreBounded() async throws {
            try await withNodes(1) { server, clock, nodes in
                let client = nodes[0].client(ClientLimits.only(maxConnections: 900))
                server.pause()
                let first = self.opening(client, 1, now: clock.now())
                clock.advance(.milliseconds(50))
                let refused = NIOLockedValueBox(0)
                let (allowance, now) = (client.allowance, clock.now())
                for _ in 0..<100 {
                    let atOnce = allowance.reserve(.socket, now: now) {
                        if case .success(let slot?) = $0 { slot.release() }
                    }
                    if case .failure(.unanswered)? = atOnce { refused.withLockedValue { $0 += 1 } }
                }
                #expect(refused.withLockedValue { $0 } == 37)
                server.resume()
                for task in first { #expect(await task.value == nil) }
            }
        }

        /// 64 clients that wait for as much as one client may fill the node: one more client must not wait.
        @Test func whileNothingIsAnsweredANodeBoundsTheWaitingOfAllClientsTogether() async throws {
            try await withNodes(1) { server, clock, nodes in
                let limits = ClientLimits.only(maxConnections: 900)
                let clients = (0...64).map { nodes[0].client(limits, named: "t:\($0)") }
                let (answers, answer) = AsyncStream.makeStream(of: Void.self)
                var iterator = answers.makeAsyncIterator()
                /// Nil: it waits.
                func refusal(_ client: NodeClient) -> QuotaRefusal? {
                    let atOnce = client.allowance.reserve(.socket, now: clock.now()) {
                        if case .success(let slot?) = $0 { slot.release() }
                        answer.yield()
                    }
                    if case .failure(let refusal)? = atOnce { return refusal }
                    return nil
                }
                server.pause()
                var waiting = refusal(clients[0]) == nil ? 1 : 0
                clock.advance(.milliseconds(50))
                for client in clients.dropLast() {
                    for _ in 0..<64 where refusal(client) == nil { waiting += 1 }
                }
                #expect(waiting == 4096)
                #expect(refusal(clients[64]) == .unanswered)
                server.resume()
                for _ in 0..<waiting { _ = await iterator.next() }
                // Whoever is answered waits no longer, so there is room again.
                server.pause()
                #expect(refusal(clients[64]) == nil)
                clock.advance(.milliseconds(50))
                #expect(refusal(clients[64]) == nil)
                server.resume()
                for _ in 0..<2 { _ = await iterator.next() }
            }
        }

        @Test func connectsGoOnFromTheBudgetAndAreChargedAfterwards() async throws {
            try await withNodes(2) { server, clock, nodes in
                let limits = ClientLimits.only(connectsPerSecond: 10, connectBurst: 12)
                let clients = nodes.map { $0.client(limits) }
                server.pause()
                let first = self.opening(clients[0], 1, now: clock.now())
                clock.advance(.milliseconds(50))
                #expect(await first[0].value == nil)
                // Half of the burst, and then half of the rate.
                for _ in 0..<5 { #expect(await clients[0].open() == nil) }
                #expect(await clients[0].open() == QuotaRefusal(kind: .connectRate, retryAfterMilliseconds: 200))
                clock.advance(.milliseconds(200))
                #expect(await clients[0].open() == nil)
                server.resume()
                for _ in 0..<2 {
                    try await nodes[0].tick()
                    clock.advance(.milliseconds(100))
                }
                // Seven are charged of twelve, and some were refilled since.
                var left = 0
                while await clients[1].open() == nil { left += 1 }
                #expect((3...7).contains(left), "\(left)")
            }
        }

        /// However often Redis fails and recovers, there is one budget.
        @Test func manyShortOutagesGiveNoMoreThanOneLongOne() async throws {
            try await withNodes(2) { server, clock, nodes in
                let rate = 4.0
                let burst = 8
                let client = nodes[0].client(ClientLimits.only(connectsPerSecond: rate, connectBurst: burst))
                let start = clock.now()
                var passed = 0
                for round in 0..<20 {
                    server.pause()
                    while true {
                        let waiting = self.opening(client, 1, now: clock.now())
                        clock.advance(.milliseconds(60))
                        guard await waiting[0].value == nil else { break }
                        passed += 1
                    }
                    server.resume()
                    for _ in 0..<3 {
                        try await nodes[0].tick()
                        clock.advance(.milliseconds(100))
                        if round % 2 == 0, await client.open() == nil { passed += 1 }
                    }
                }
                let seconds = Double((clock.now() - start).microseconds) / 1e6
                #expect(Double(passed) <= 2 * Double(burst) + rate * (seconds + 0.3), "\(passed) in \(seconds) s")
            }
        }

        /// Sockets opened on credit are declared, the excess ends, newest first, and the limit applies again.
        @Test func afterAnOutageWhatIsTooMuchEndsOnce() async throws {
            try await withNodes(2, counted: 1) { server, clock, nodes in
                let clients = nodes.map { $0.client(ClientLimits.only(maxConnections: 12)) }
                for _ in 0..<2 { #expect(await clients[1].open() == nil) }
                for _ in 0..<8 { #expect(await clients[0].open() == nil) }
                clock.advance(.seconds(1))
                // Each assumes that it is alone.
                for node in nodes { node.ledger.nodeCount = 1 }
                server.pause()
                self.goOut(nodes, clock)
                #expect(nodes.allSatisfy { $0.ledger.outages == 1 })
                for client in clients { while await client.open() == nil {} }
                let open = clients.map(\.sockets.count)
                // Each: its slots, and the room that it last received.
                #expect(open[0] + open[1] > 12 && open.allSatisfy { $0 <= 12 }, "\(open)")
                server.resume()
                try await self.settle(nodes, clock, for: .seconds(1))
                #expect(nodes.allSatisfy { $0.ledger.outages == 0 })
                let excess = nodes.map { $0.excess.withLockedValue { $0["t:someone"] ?? 0 } }
                #expect(open[0] + open[1] - excess[0] - excess[1] == 12, "\(open) \(excess)")
                #expect(nodes.map { $0.ledger.counters.excess.load(ordering: .relaxed) } == excess)
                for (client, count) in zip(clients, excess) { client.close(count) }
                try await self.settle(nodes, clock, for: .seconds(4))
                #expect(nodes.map { $0.excess.withLockedValue { $0["t:someone"] ?? 0 } } == excess)
                for client in clients { #expect(await client.open() == QuotaRefusal(kind: .sockets)) }
                // Closed sockets make room for others again.
                clients[0].close(3)
                try await self.settle(nodes, clock, for: .seconds(3))
                for _ in 0..<3 { #expect(await clients[1].open() == nil) }
                #expect(await clients[1].open() == QuotaRefusal(kind: .sockets))
            }
        }

        /// A session carries sockets that have room, so it stays; none is admitted until there is room again.
        @Test func afterAnOutageSessionsAboveTheLimitStay() async throws {
            try await withNodes(2, counted: 1) { server, clock, nodes in
                let clients = nodes.map { $0.client(ClientLimits.only(maxSessions: 4)) }
                for client in clients { #expect(await client.open(.session) == nil) }
                clock.advance(.seconds(1))
                for node in nodes { node.ledger.nodeCount = 1 }
                server.pause()
                self.goOut(nodes, clock)
                for client in clients { while await client.open(.session) == nil {} }
                let open = clients.map(\.sockets.count)
                #expect(open[0] + open[1] > 4 && open.allSatisfy { $0 <= 4 }, "\(open)")
                server.resume()
                try await self.settle(nodes, clock, for: .seconds(4))
                #expect(nodes.allSatisfy { $0.ledger.outages == 0 && $0.excess.withLockedValue(\.isEmpty) })
                for client in clients { #expect(await client.open(.session)?.kind == .sessions) }
                clients[0].close()
                clients[1].close(open[1] - 3)
                try await self.settle(nodes, clock, for: .seconds(3))
                #expect(await clients[0].open(.session) == nil)
                #expect(await clients[0].open(.session)?.kind == .sessions)
            }
        }

        @Test func whatIsTooMuchStaysWhereThePolicyKeepsIt() async throws {
            var modes = OutageModes()
            modes.keepsExcess = true
            try await withNodes(2, counted: 1, modes: modes) { server, clock, nodes in
                let clients = nodes.map { $0.client(ClientLimits.only(maxConnections: 6)) }
                #expect(await clients[0].open() == nil)
                clock.advance(.seconds(1))
                for node in nodes { node.ledger.nodeCount = 1 }
                await server.kill()
                for node in nodes {
                    node.ledger.disconnected(.unavailable("gone"))
                    try node.goesOut(clock)
                }
                for client in clients { while await client.open() == nil {} }
                #expect(clients.reduce(0) { $0 + $1.sockets.count } > 6)
                try await server.launch()
                for node in nodes {
                    while (try? await node.redis.connect()) == nil { try await Task.sleep(for: .milliseconds(5)) }
                }
                try await self.settle(nodes, clock, for: .seconds(25))
                #expect(nodes.allSatisfy { $0.excess.withLockedValue { $0 }.isEmpty })
                for client in clients { #expect(await client.open() == QuotaRefusal(kind: .sockets)) }
            }
        }

        /// Whatever splits the network: before others can have its slots, a node ends its sockets.
        @Test func inTheModeFenceWhatANodeHoldsEndsWithItsLease() async throws {
            try await withNodes(2, modes: OutageModes(all: .fence)) { server, clock, nodes in
                let clients = nodes.map { $0.client(ClientLimits.only(maxConnections: 6, maxSessions: 6)) }
                for _ in 0..<4 { #expect(await clients[0].open() == nil) }
                #expect(await clients[0].open(.session) == nil)
                await server.kill()
                let gone = clock.now()
                let fenced = nodes[0].fenced
                nodes[0].ledger.disconnected(.unavailable("gone"))
                while fenced.withLockedValue({ $0.isEmpty }), clock.now() - gone < .seconds(20) {
                    clock.advance(.milliseconds(250))
                    nodes[0].ledger.tick()
                }
                #expect(fenced.withLockedValue { $0 } == ["4 true"])
                #expect(clock.now() - gone < .seconds(15))
                for _ in 0..<3 { #expect(await clients[0].open() == .unanswered) }
            }
        }

        /// Lets time pass until it is an outage for all: the server is away.
        private func goOut(_ nodes: [LedgerNode], _ clock: ManualClock) {
            for _ in 0..<100 where nodes.contains(where: { $0.ledger.outages == 0 }) {
                clock.advance(.milliseconds(250))
                for node in nodes { node.ledger.tick() }
            }
        }

        private func settle(_ nodes: [LedgerNode], _ clock: ManualClock, for time: QuotaDuration) async throws {
            let end = clock.now() + time
            while clock.now() < end {
                clock.advance(.milliseconds(250))
                for node in nodes { try await node.tick() }
            }
        }

        /// No request is sent, and the outage is noticed all the same.
        @Test func aConnectionThatIsGoneIsSilence() async throws {
            try await withNodes(1) { server, clock, nodes in
                let node = nodes[0]
                await server.kill()
                node.ledger.disconnected(.unavailable("gone"))
                try node.goesOut(clock)
                #expect(node.modes.withLockedValue { $0 } == [1])
                #expect(
                    await node.client(ClientLimits.only(maxConnections: 6)).open()
                        == QuotaRefusal(kind: .sockets, retryAfterMilliseconds: 1000))
                try await server.launch()
                while (try? await node.redis.connect()) == nil { try await Task.sleep(for: .milliseconds(5)) }
                clock.advance(.seconds(1))
                try await node.tick()
                #expect(node.modes.withLockedValue { $0 } == [1, 0])
            }
        }

        @Test(arguments: [(OutageMode.closed, false), (.open, true)])
        func theModesHoldForWhatIsCountedByTheSecond(mode: OutageMode, passes: Bool) async throws {
            try await withNodes(1, modes: OutageModes(all: mode)) { server, clock, nodes in
                let limits = ClientLimits.only(
                    connectsPerSecond: 1, connectBurst: 1, resolvesPerSecond: 1, resolveBurst: 1, bytesPerSecond: 1000,
                    byteBurst: 1000)
                let client = nodes[0].client(limits)
                await server.kill()
                nodes[0].ledger.disconnected(.unavailable("gone"))
                try nodes[0].goesOut(clock)
                for _ in 0..<9 {
                    #expect((await client.open() == nil) == passes)
                    #expect((await client.open(.resolve) == nil) == passes)
                    client.allowance.charge(bytes: 100_000, now: clock.now())
                    #expect((client.allowance.pause(now: clock.now()) == nil) == passes)
                }
            }
        }

        /// A key of another type is not an outage, and is started anew.
        @Test(arguments: ["ls", "lc", "rc", "d", "o", "uc", "b"]) func aKeyOfAnotherTypeBeginsAnew(kind: String)
            async throws
        {
            try await withNodes(1) { _, clock, nodes in
                let node = nodes[0]
                let client = node.client(
                    ClientLimits.only(
                        maxConnections: 9, maxSessions: 9, connectsPerSecond: 5, bytesPerSecond: 1000,
                        bytesPerDay: 1 << 40)
                )
                let lease = RedisKeys.leases(.socket, of: ClientID(text: "t:someone"))
                let key = RedisArgument.string(lease.replacing(":lc:", with: ":\(kind):"))
                try await node.redis.send(["RPUSH", key, "nonsense"])
                let opening = [Reservation.session, .socket].map { Opening(client, now: clock.now(), $0) }
                for one in opening { #expect(await one.value == nil) }
                for _ in 0..<30 {
                    client.allowance.charge(bytes: 1000, now: clock.now())
                    clock.advance(.milliseconds(250))
                    try await node.tick()
                }
                #expect(try await node.redis.send(["TYPE", key]).string != "list")
                #expect(node.ledger.outages == 0)
            }
        }

        @Test func whatDoesNotParseBeginsAnew() async throws {
            try await withNodes(1) { _, clock, nodes in
                let node = nodes[0]
                let client = node.client(
                    ClientLimits.only(
                        maxConnections: 9, connectsPerSecond: 5, bytesPerSecond: 1000, bytesPerDay: 1 << 40))
                let id = ClientID(text: "t:someone")
                let commands: [RedisCommand] = [
                    ["HSET", .string(RedisKeys.leases(.socket, of: id)), "other.1", "nonsense"],
                    ["HSET", .string(RedisKeys.ungranted(.sockets, of: id)), "requests", "x", "other.1", "y"],
                    ["SET", .string(RedisKeys.requests(.connect, of: id)), "soon"],
                    ["SET", .string(RedisKeys.bandwidth(of: id)), "much"],
                    ["HSET", .string(RedisKeys.day(of: id)), "day", "monday", "used", "all"],
                ]
                for command in commands { try await node.redis.send(command) }
                #expect(await client.open() == nil)
                for _ in 0..<8 {
                    client.allowance.charge(bytes: 1000, now: clock.now())
                    clock.advance(.milliseconds(250))
                    try await node.tick()
                }
                #expect(node.ledger.counters.failures.load(ordering: .relaxed) == 0)
            }
        }
    }
}
