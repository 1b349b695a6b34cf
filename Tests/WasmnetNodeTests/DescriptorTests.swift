import Foundation
import NIOCore
import NIOPosix
import Testing
import WasmnetProtocol
import WasmnetTesting

extension NodeTests {
    /// A node that may have few descriptors, of which clients want more.
    @Suite struct DescriptorTests {
        private static let limit = 160

        private func withNode(_ body: (_ port: Int, _ admin: String) async throws -> Void) async throws {
            let node = try NodeProcess(["--port", "0", "--no-policy"], descriptors: Self.limit)
            let port = try #require(await node.port())
            let admin = try #require(await node.admin())
            try await body(port, admin)
            node.signal(SIGTERM)
            #expect(await node.wait() == 0)
            let log = await node.wholeLog()
            #expect(log.split(separator: "\n").count { $0.contains("file descriptors run out") } == 1, "\(log)")
        }

        private func openDescriptors(_ admin: String) async throws -> Int {
            let metrics = try await ChildProgram.run("/usr/bin/curl", ["-s", "--max-time", "5", "\(admin)/metrics"])
            let line = metrics.output.split(separator: "\n").first { $0.hasPrefix("process_open_fds ") }
            let value = try #require(line?.split(separator: " ").last)
            return Int(try #require(Double(value)))
        }

        /// The next event that is no credit and no greeting.
        private func answer(_ client: TestClient) async throws -> Event {
            while true {
                let event = try await client.nextEvent()
                switch event {
                case .window, .hello: continue
                default: return event
                }
            }
        }

        /// A socket of each kind is refused with a reason, what is open goes on, and what closes can be opened again.
        @Test func socketsAreRefusedBeforeTheLastDescriptor() async throws {
            let target = try await TestTarget.start(.echo)
            let port = UInt16(target.port)
            try await self.withNode { node, admin in
                let client = try await TestClient.connect(port: node)
                var last: SocketID = 0
                while last < SocketID(Self.limit) {
                    client.send(.connect(last + 1, host: "127.0.0.1", port: port))
                    guard case .connected = try await self.answer(client) else { break }
                    last += 1
                }
                #expect(last > 30 && last < SocketID(Self.limit))
                for request in [
                    Request.connect(1000, host: "127.0.0.1", port: port), .bind(1000, host: "127.0.0.1", port: 0),
                    .connectUDP(1000, host: "127.0.0.1", port: 9), .bindUDP(1000, host: "127.0.0.1", port: 0),
                ] {
                    client.send(request)
                    guard case .refused(1000, let refusal) = try await self.answer(client) else {
                        throw ChannelError.eof
                    }
                    #expect(refusal.code == .overloaded, "\(request)")
                }
                client.send(.resolve(1001, name: "localhost"))
                guard case .resolved(1001, _) = try await self.answer(client) else { throw ChannelError.eof }
                #expect(try await self.openDescriptors(admin) < Self.limit)
                client.send(.close(1))
                guard case .closed(1, _, _) = try await self.answer(client) else { throw ChannelError.eof }
                // Its descriptor is free when its target has closed as well.
                var isOpen = false
                for id in SocketID(2000)...2200 where !isOpen {
                    client.send(.connect(id, host: "127.0.0.1", port: port))
                    if case .connected = try await self.answer(client) { isOpen = true }
                    if !isOpen { try await Task.sleep(for: .milliseconds(25)) }
                }
                #expect(isOpen)
                await client.close()
            }
            await target.stop()
        }

        /// Connections that say nothing: those too many are closed at once, and the node has time for the others.
        @Test func connectionsAreClosedBeforeTheLastDescriptor() async throws {
            try await self.withNode { node, admin in
                let client = try await TestClient.connect(port: node)
                var visitors: [any Channel] = []
                for _ in 0..<(2 * Self.limit) {
                    visitors.append(
                        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                            .connect(host: "127.0.0.1", port: node).get())
                }
                #expect(try await self.openDescriptors(admin) < Self.limit)
                client.send(.resolve(1, name: "127.0.0.1"))
                guard case .resolved(1, _) = try await self.answer(client) else { throw ChannelError.eof }
                // The last was closed by the node, the first is open still.
                try await visitors.last?.closeFuture.get()
                #expect(visitors.first?.isActive == true)
                for visitor in visitors { try? await visitor.close() }
                let another = try await TestClient.connectWhenPossible(port: node)
                await another.close()
                await client.close()
            }
        }
    }
}
