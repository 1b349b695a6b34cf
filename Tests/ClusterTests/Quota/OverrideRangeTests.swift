import NIOConcurrencyHelpers
import RedisClient
import Testing
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

extension OnRedis {
    /// Any content in the key of a client's own limits stops no node.
    @Suite(.timeLimit(.minutes(1))) struct OverrideRangeTests {
        private let client = ClientID(text: "t:someone")

        @Test(arguments: [
            "9223372036854775807", "9007199254740993", "1e300", "inf", "nan", "-1", "0", "0.5", "words", "",
        ]) func aLimitOutOfItsRangeIsAnsweredAtOnce(value: String) async throws {
            try await withNodes(1) { _, _, nodes in
                let key = RedisArgument.string(RedisKeys.overrides(of: self.client))
                let names = QuotaOverrides.names
                for name in names { try await nodes[0].redis.send(["HSET", key, .string(name), .string(value)]) }
                let client = nodes[0].client(
                    ClientLimits.only(
                        maxConnections: 50, maxSessions: 5, connectsPerSecond: 100, resolvesPerSecond: 100,
                        bytesPerSecond: 1_000_000, bytesPerDay: 1 << 40), named: self.client.text)
                for what in [Reservation.session, .socket, .accepted, .resolve] {
                    #expect(await client.open(what) == nil, "\(what)")
                }
                client.allowance.charge(bytes: 1000, now: nodes[0].clock())
                try await nodes[0].settle()
                #expect(nodes[0].calls < 20)
                #expect(nodes[0].modes.withLockedValue { $0 }.isEmpty, "every script was answered")

                // It can be removed, though it cannot be read.
                let accounts = ClientAccounts(redis: nodes[0].redis)
                #expect(try await accounts.clearOverrides(of: self.client))
                #expect(try await !accounts.clearOverrides(of: self.client))
            }
        }

        /// Of a program that embeds the node: the scripts' numbers end at 2^53.
        @Test(arguments: [UInt64(1 << 53) + 1, UInt64(1 << 62), UInt64.max])
        func moreBytesADayThanRedisCountsAreTheMostOfIt(
            bytes: UInt64
        ) async throws {
            try await withNodes(1) { _, _, nodes in
                let client = nodes[0].client(
                    ClientLimits.only(maxConnections: 5, connectsPerSecond: 100, bytesPerDay: bytes),
                    named: self.client.text)
                #expect(await client.open() == nil)
                _ = client.allowance.pause(now: nodes[0].clock())
                try await nodes[0].settle()
                #expect(client.allowance.pause(now: nodes[0].clock()) == nil)
                #expect(nodes[0].modes.withLockedValue { $0 }.isEmpty, "every script was answered")
            }
        }

        @Test func whatIsSetIsInForceWhereverItIsRead() async throws {
            try await withRedis { _, redis in
                var overrides = QuotaOverrides()
                (overrides.maxSessions, overrides.maxConnections, overrides.bytesPerDay) = (.max, 1 << 60, .max)
                let accounts = ClientAccounts(redis: redis)
                try await accounts.set(overrides, for: .seconds(60), of: self.client)
                let read = try await accounts.account(of: self.client).overrides
                #expect(read.maxSessions == 1 << 53 && read.maxConnections == 1 << 53 && read.bytesPerDay == 1 << 53)
            }
        }

        /// As with a slow Redis: each answer arrives when its grant has expired.
        @Test func grantsThatAreNoneWhenTheyComeAreRefusedAfterTheSecond() async throws {
            try await withServer { server in
                let clock = ManualClock()
                let node = try await LedgerNode(
                    server,
                    // No two reads return the same moment, from any threads.
                    clock: { clock.advance(.milliseconds(400)) }, sharesClock: false, answerTime: .seconds(3600))
                let client = node.client(ClientLimits.only(connectsPerSecond: 1000, connectBurst: 1000))
                let before = node.calls
                for _ in 0..<5 {
                    let refusal = await client.open()
                    #expect(refusal?.kind == .connectRate && refusal?.retryAfterMilliseconds == 250)
                }
                try await node.settle()
                #expect(node.calls - before <= 10)
                await node.redis.close()
            }
        }

        @Test func whoeverGaveUpIsRefusedForAMomentWithoutAQuestion() throws {
            let start = QuotaInstant(microseconds: 1_000_000_000)
            var resource = LocalGrant(slots: .sockets, requests: .connectRate)
            resource.apply(slotLimit: 10)
            resource.pace = GCRA.Pace(perSecond: 10, burst: 0)
            let (slot, request) = (
                LocalGrant.Need(slot: true, request: false), LocalGrant.Need(slot: false, request: true)
            )
            #expect(resource.refuse(slot, now: start, isLeaseValid: true) == QuotaRefusal(kind: .sockets))
            #expect(resource.refuse(request, now: start, isLeaseValid: true).kind == .connectRate)
            for milliseconds in [Int64(0), 249] {
                let now = start + .milliseconds(milliseconds)
                for need in [slot, request] {
                    guard case .refused = resource.take(need, now: now, isLeaseValid: true) else {
                        Issue.record("\(need) after \(milliseconds) ms")
                        return
                    }
                }
            }
            #expect(resource.take(slot, now: start + .milliseconds(250), isLeaseValid: true) == .unknown)
            #expect(resource.take(request, now: start + .milliseconds(250), isLeaseValid: true) == .unknown)
        }
    }
}

extension QuotaOverrides {
    /// Of all fields.
    fileprivate static var names: [String] {
        var all = QuotaOverrides()
        (all.maxSessions, all.maxConnections, all.bytesPerDay) = (1, 1, 1)
        (all.connects, all.resolves) = (GCRA.Pace(perSecond: 1, burst: 1), GCRA.Pace(perSecond: 1, burst: 1))
        all.bandwidth = TokenBucket.Rate(bytesPerSecond: 1, burst: 1)
        return all.fields.map(\.0)
    }
}
