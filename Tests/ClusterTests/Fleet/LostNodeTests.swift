import Foundation
import NIOCore
import RedisClient
import Testing
import WasmnetProtocol
import WasmnetTesting

extension Cluster {
    /// A node's slots when the node is gone, or was away.
    @Suite struct LostNodeTests {
        private static let limit = 6
        private static let policy = "[network]\nallow = [\"127.0.0.1\"]\nmax_connections = \(limit)"

        /// Two real programs on one Redis, the first of which holds all slots.
        private func withHolder(
            _ arguments: [String] = [],
            _ body: (_ holder: NodeProgram, _ held: TestClient, _ other: TestClient, Meter) async throws -> Void
        ) async throws {
            try await withServer { redis in
                let meter = try await Meter.start()
                let arguments = ["--redis", "redis://127.0.0.1:\(redis.port)"] + arguments
                let holder = try await NodeProgram.start(policy: Self.policy, arguments)
                let node = try await NodeProgram.start(policy: Self.policy, arguments)
                let held = try await TestClient.connect(port: holder.port)
                for id in 1...Self.limit { #expect(try await self.open(SocketID(id), held, meter)) }
                let other = try await TestClient.connect(port: node.port)
                #expect(try await !self.open(1, other, meter))
                try await body(holder, held, other, meter)
                await other.close()
                await holder.process.kill()
                await node.process.kill()
                await meter.stop()
            }
        }

        /// - Returns: false if the socket is refused because there are too many.
        private func open(_ id: SocketID, _ client: TestClient, _ meter: Meter) async throws -> Bool {
            client.send(.connect(id, host: "127.0.0.1", port: UInt16(meter.port)))
            while true {
                switch try await client.nextEvent() {
                case .connected(id, _, _, _): return true
                case .refused(id, let refusal):
                    #expect(refusal.code == .maxConnections)
                    return false
                default: continue
                }
            }
        }

        /// Retries until the slots are free; returns how long that took.
        private func openAll(_ client: TestClient, _ meter: Meter) async throws -> TimeAmount {
            let start = NIODeadline.now()
            var id: SocketID = 100
            var opened = 0
            while opened < Self.limit {
                id += 1
                if try await self.open(id, client, meter) {
                    opened += 1
                } else {
                    try await Task.sleep(for: .milliseconds(100))
                }
            }
            return .now() - start
        }

        @Test func aKilledNodesSlotsAreFreeWithinTheLeaseTime() async throws {
            try await self.withHolder { holder, _, other, meter in
                await holder.process.kill()
                let time = try await self.openAll(other, meter)
                #expect(time <= .seconds(16))
                await meter.shows(open: Self.limit)
            }
        }

        @Test func aNodeThatSleptLongerThanItsLeaseGivesWayWhenItWakes() async throws {
            try await self.withHolder { holder, held, other, meter in
                holder.process.signal(SIGSTOP)
                #expect(try await self.openAll(other, meter) >= .seconds(8))
                holder.process.signal(SIGCONT)
                for _ in 0..<Self.limit {
                    let reason = try await held.expect(.closed()).reason
                    #expect(reason == .maxConnections)
                }
                await meter.shows(open: Self.limit)
                #expect(try await !self.open(50, held, meter))
                #expect(holder.process.isRunning)
            }
        }

        /// No other node is connected to Redis when it starts, and yet one holds all slots.
        @Test func aNodeThatStartsOnAnEmptiedRedisLearnsWhatOthersHold() async throws {
            try await withServer { redis in
                let meter = try await Meter.start()
                let arguments = ["--redis", "redis://127.0.0.1:\(redis.port)"]
                let holder = try await NodeProgram.start(policy: Self.policy, arguments)
                let held = try await TestClient.connect(port: holder.port)
                for id in 1...Self.limit { #expect(try await self.open(SocketID(id), held, meter)) }
                holder.process.signal(SIGSTOP)
                await redis.kill()
                try await redis.launch()
                async let starting = NodeProgram.start(policy: Self.policy, arguments)
                // It writes after it has checked whether it is alone.
                while try await redis.command("DBSIZE").int == 0 { try await Task.sleep(for: .milliseconds(10)) }
                holder.process.signal(SIGCONT)
                let node = try await starting
                let other = try await TestClient.connect(port: node.port)
                #expect(try await !self.open(1, other, meter))
                #expect(meter.reading.open == Self.limit)
                await other.close()
                await holder.process.kill()
                await node.process.kill()
                await meter.stop()
            }
        }

        @Test func aDrainedNodesSlotsAreFreeAtOnce() async throws {
            try await self.withHolder(["--drain-timeout", "1"]) { holder, _, other, meter in
                holder.process.signal(SIGTERM)
                #expect(await holder.process.end() == 0)
                let time = try await self.openAll(other, meter)
                #expect(time <= .seconds(2))
            }
        }
    }
}
