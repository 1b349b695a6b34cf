import NIOCore
import NIOPosix
import Testing
import Wasmnet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting

extension Operations {
    /// Gauges show the current state, whatever happened before.
    @Suite struct GaugeTests {
        /// A gauge's value and the actual number, by kind of socket.
        private func compare(_ node: TestNode, _ admin: Admin) async throws -> (
            shown: [String: Double], true: [String: Double]
        ) {
            var counts: [String: Double] = ["sessions": Double(node.server.environment.registry.count)]
            for session in node.server.environment.registry.sessions {
                for socket in await session.sockets() where socket.state != .opening {
                    counts[socket.kind.rawValue, default: 0] += 1
                }
            }
            var shown: [String: Double] = ["sessions": try await admin.metric("wasmnet_sessions") ?? -1]
            for kind in SocketKind.allCases {
                shown[kind.rawValue] = try await admin.metric("wasmnet_sockets{kind=\"\(kind.rawValue)\"}") ?? -1
                counts[kind.rawValue] = counts[kind.rawValue] ?? 0
            }
            return (shown, counts)
        }

        private func agree(_ node: TestNode, _ admin: Admin, _ comment: String) async throws {
            var last = try await self.compare(node, admin)
            for _ in 0..<500 where last.shown != last.true {
                try await Task.sleep(for: .milliseconds(20))
                last = try await self.compare(node, admin)
            }
            #expect(last.shown == last.true, "\(comment)")
        }

        @Test func gaugesAreTrueAfterTenThousandOperations() async throws {
            let seed = UInt64.random(in: .min ... .max)
            var random = SeededRandom(seed)
            let target = try await TestTarget.start(.echo)
            let deaf = try await TestTarget.start(.deaf)
            try await TestNode.withAdmin(policy: .unrestricted) { node, admin in
                var clients: [TestClient] = []
                for _ in 0..<4 { clients.append(try await TestClient.open(node)) }
                for step in 1...10_000 {
                    let lane = Int.random(in: 0..<clients.count, using: &random)
                    let client = clients[lane]
                    let id = SocketID(Int.random(in: 1...12, using: &random))
                    let port = UInt16(Bool.random(using: &random) ? target.port : deaf.port)
                    switch Int.random(in: 0..<16, using: &random) {
                    case 0, 1, 2: client.send(.connect(id, host: "127.0.0.1", port: port))
                    case 3: client.send(.connect(id, host: "127.0.0.1", port: 1))
                    case 4: client.send(.connectTLS(id, host: "127.0.0.1", port: UInt16(deaf.port)))
                    case 5: client.send(.connect(id, host: "no-such-name.invalid", port: 1))
                    case 6: client.send(.connectUDP(id, host: "127.0.0.1", port: 9))
                    case 7: client.send(.bindUDP(id, host: "127.0.0.1", port: 0))
                    case 8: client.send(.bind(id, host: "127.0.0.1", port: 0))
                    case 9: client.send(.bind(id, host: "127.0.0.1", port: UInt16(target.port)))
                    case 10: client.send(.shutdown(id))
                    case 11: client.send(.send(id, ByteBuffer(string: "x")))
                    case 12: client.send(.reset(id))
                    default: client.send(.close(id))
                    }
                    if step % 500 == 0 {
                        await client.close()
                        clients[lane] = try await TestClient.open(node)
                    }
                    if step % 777 == 0 {
                        for session in node.server.environment.registry.sessions { _ = await session.endByOperator(id) }
                    }
                    if step % 2000 == 0 { try await self.agree(node, admin, "seed \(seed), step \(step)") }
                }
                node.server.replacePolicy(try TestNode.policy("[network]\ndeny = [\"*\"]"))
                try await self.agree(node, admin, "seed \(seed), after a policy that denies all")
                for client in clients { await client.close() }
                try await admin.shows("wasmnet_sessions", 0)
                for kind in SocketKind.allCases {
                    try await admin.shows("wasmnet_sockets{kind=\"\(kind.rawValue)\"}", 0)
                }
            }
            await target.stop()
            await deaf.stop()
        }
    }
}
