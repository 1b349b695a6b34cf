import Foundation
import NIOCore
import Testing
import WasmnetProtocol
import WasmnetTesting

extension NodeTests {
    /// The program under signals, with live sockets.
    @Suite struct DrainTests {
        private func connected(_ node: NodeProcess, to target: TestTarget) async throws -> TestClient {
            let client = try await TestClient.connect(port: try #require(await node.port()))
            _ = try await client.next()
            client.send(.connect(1, host: "127.0.0.1", port: UInt16(target.port)))
            try await client.expect(.connected())
            return client
        }

        @Test func sigtermLetsLiveSocketsFinish() async throws {
            let target = try await TestTarget.start(.echo)
            let node = try NodeProcess(["--port", "0", "--no-policy"])
            let client = try await self.connected(node, to: target)
            node.signal(SIGTERM)
            try await client.expect(.goaway)
            client.send(.send(1, ByteBuffer(string: "still here")))
            var echoed = false
            while !echoed {
                if case .data(1, let data) = try await client.nextEvent() {
                    echoed = String(buffer: data) == "still here"
                }
            }
            client.send(.connect(2, host: "127.0.0.1", port: UInt16(target.port)))
            let refusal = try await client.expect(.refused(2))
            #expect(refusal.code == .draining)
            client.send(.close(1))
            try await client.expect(.closed(1))
            #expect(try await client.next() == .close(code: 1001, reason: "draining"))
            #expect(await node.wait() == 0)
            await target.stop()
        }

        /// v2 is sent `goaway`, with a time of at most half of the drain's; v1 learns about the drain from a refusal.
        @Test func eachVersionLearnsOfADrain() async throws {
            let target = try await TestTarget.start(.echo)
            let node = try NodeProcess(["--port", "0", "--no-policy", "--threads", "1", "--drain-timeout", "20"])
            let port = try #require(await node.port())
            let old = try await TestClient.connect(port: port, version: .v1)
            old.send(.connect(1, host: "127.0.0.1", port: UInt16(target.port)), as: .json)
            try await old.expect(.connected(1))
            let client = try await self.connected(node, to: target)
            node.signal(SIGTERM)
            #expect(try await client.expect(.goaway) <= 10_000)
            old.send(.connect(2, host: "127.0.0.1", port: UInt16(target.port)), as: .json)
            #expect(try await old.expect(.refused(2)).code == .draining)
            for session in [old, client] { await session.close() }
            #expect(await node.wait() == 0)
            await target.stop()
        }

        private static let handshake =
            "GET / HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"

        /// Neither a connection that was idle, nor one in the middle of its request.
        @Test func aConnectionFromBeforeSigtermGetsNoSession() async throws {
            let target = try await TestTarget.start(.echo)
            let node = try NodeProcess(["--port", "0", "--no-policy", "--threads", "1"])
            let port = try #require(await node.port())
            let idle = try await RawClient.connect(port: port)
            let underWay = try await RawClient.connect(port: port)
            try await underWay.send(String(Self.handshake.prefix(30)))
            // Arrives after the other two, and keeps the drain from ending.
            let client = try await self.connected(node, to: target)
            node.signal(SIGTERM)
            try await client.expect(.goaway)
            try? await idle.send(Self.handshake)
            #expect(try await idle.text() == "")
            try await underWay.send(String(Self.handshake.dropFirst(30)))
            let answer = try await underWay.text()
            #expect(answer.hasPrefix("HTTP/1.1 503 ") && answer.contains("Retry-After: "), "\(answer)")
            client.send(.close(1))
            try await client.expect(.closed(1))
            #expect(try await client.next() == .close(code: 1001, reason: "draining"))
            #expect(await node.wait() == 0)
            await target.stop()
        }

        /// A connection in the listening socket's queue at the signal is answered, not reset.
        @Test func whoWaitsToBeAcceptedAtSigtermIsAnswered() async throws {
            let node = try NodeProcess(["--port", "0", "--no-policy", "--threads", "1"])
            let port = try #require(await node.port())
            node.signal(SIGSTOP)
            var clients: [RawClient] = []
            for number in 0..<256 {
                let client = try await RawClient.connect(port: port, from: "127.0.0.\(1 + number % 8)")
                try await client.send(Self.handshake)
                clients.append(client)
            }
            node.signal(SIGTERM)
            node.signal(SIGCONT)
            // Some may have been admitted before the node received the signal.
            for client in clients { #expect([101, 503].contains(try await client.status())) }
            for client in clients { await client.close() }
            #expect(await node.wait() == 0)
        }

        @Test func theDrainTimeoutEndsWhatIsLeft() async throws {
            let target = try await TestTarget.start(.echo)
            let node = try NodeProcess(["--port", "0", "--no-policy", "--drain-timeout", "0.2"])
            let client = try await self.connected(node, to: target)
            node.signal(SIGTERM)
            try await client.expect(.goaway)
            #expect(try await client.next() == .close(code: 1001, reason: "draining"))
            #expect(await node.wait() == 0)
            await target.stop()
        }

        @Test func aSecondSigtermEndsAtOnce() async throws {
            let target = try await TestTarget.start(.echo)
            let node = try NodeProcess(["--port", "0", "--no-policy", "--drain-timeout", "600"])
            let client = try await self.connected(node, to: target)
            node.signal(SIGTERM)
            try await client.expect(.goaway)
            node.signal(SIGTERM)
            #expect(try await client.next() == .close(code: 1001, reason: "draining"))
            #expect(await node.wait() == 0)
            await target.stop()
        }
    }
}
