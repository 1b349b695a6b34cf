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

        private func withNode(
            warnings: Int = 1, _ body: (_ port: Int, _ admin: String) async throws -> Void
        ) async throws {
            let node = try NodeProcess(["--port", "0", "--no-policy"], descriptors: Self.limit)
            let port = try #require(await node.port())
            let admin = try #require(await node.admin())
            try await body(port, admin)
            node.signal(SIGTERM)
            #expect(await node.wait() == 0)
            let log = await node.wholeLog()
            #expect(log.split(separator: "\n").count { $0.contains("file descriptors run out") } == warnings, "\(log)")
        }

        private func openDescriptors(_ admin: String) async throws -> Int {
            let metrics = try await ChildProgram.run("/usr/bin/curl", ["-s", "--max-time", "5", "\(admin)/metrics"])
            let line = metrics.output.split(separator: "\n").first { $0.hasPrefix("process_open_fds ") }
            let value = try #require(line?.split(separator: " ").last)
            return Int(try #require(Double(value)))
        }

        /// The next event other than credit and hello.
        /// A socket of each kind is refused with a reason, open ones continue, and closed ones can be reopened.
        @Test func socketsAreRefusedBeforeTheLastDescriptor() async throws {
            let target = try await TestTarget.start(.echo)
            let port = UInt16(target.port)
            try await self.withNode { node, admin in
                let client = try await TestClient.connect(port: node)
                try await client.expect(.hello)
                var last: SocketID = 0
                while last < SocketID(Self.limit) {
                    client.send(.connect(last + 1, host: "127.0.0.1", port: port))
                    guard case .connected = try await client.answer() else { break }
                    last += 1
                }
                #expect(last > 30 && last < SocketID(Self.limit))
                for request in [
                    Request.connect(1000, host: "127.0.0.1", port: port), .bind(1000, host: "127.0.0.1", port: 0),
                    .connectUDP(1000, host: "127.0.0.1", port: 9), .bindUDP(1000, host: "127.0.0.1", port: 0),
                ] {
                    client.send(request)
                    let refusal = try await client.answer(.refused(1000))
                    #expect(refusal.code == .overloaded, "\(request)")
                }
                client.send(.resolve(1001, name: "localhost"))
                try await client.answer(.resolved(1001))
                #expect(try await self.openDescriptors(admin) < Self.limit)
                client.send(.close(1))
                try await client.answer(.closed(1))
                // Its descriptor is free when its target has closed as well.
                var isOpen = false
                for id in SocketID(2000)...2200 where !isOpen {
                    client.send(.connect(id, host: "127.0.0.1", port: port))
                    if case .connected = try await client.answer() { isOpen = true }
                    if !isOpen { try await Task.sleep(for: .milliseconds(25)) }
                }
                #expect(isOpen)
                await client.close()
            }
            await target.stop()
        }

        /// Silent connections have a quarter of the clients' descriptors: the oldest are closed, and the node has time for the others.
        @Test func connectionsAreClosedBeforeTheLastDescriptor() async throws {
            try await self.withNode(warnings: 0) { node, admin in
                let client = try await TestClient.connect(port: node)
                try await client.expect(.hello)
                var visitors: [any Channel] = []
                for _ in 0..<(2 * Self.limit) {
                    visitors.append(
                        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                            .connect(host: "127.0.0.1", port: node).get())
                }
                #expect(try await self.openDescriptors(admin) < Self.limit)
                client.send(.resolve(1, name: "127.0.0.1"))
                try await client.answer(.resolved(1))
                // The first was closed by the node, the last is open still.
                try await visitors.first?.closeFuture.get()
                #expect(visitors.last?.isActive == true)
                #expect(try await self.openDescriptors(admin) < Self.limit / 2)
                for visitor in visitors { try? await visitor.close() }
                let another = try await TestClient.connectWhenPossible(port: node)
                await another.close()
                await client.close()
            }
        }

        /// A bind that fails, of any kind, leaves no descriptor behind.
        @Test func bindsThatFailCostNoDescriptor() async throws {
            let node = try NodeProcess(["--port", "0", "--no-policy"])
            let admin = try #require(await node.admin())
            let client = try await TestClient.connect(port: try #require(await node.port()))
            try await client.expect(.hello)
            let taken = try await TestTarget.start(.echo)
            let port = try await client.ask(.bindUDP(1, host: "127.0.0.1", port: 0), for: .udpBound(1))
            let before = try await self.openDescriptors(admin)
            for number in 0..<100 {
                let id = SocketID(10 + number)
                let request =
                    number % 2 == 0
                    ? Request.bindUDP(id, host: "127.0.0.1", port: port)
                    : .bind(id, host: "127.0.0.1", port: UInt16(taken.port))
                let refusal = try await client.ask(request, for: .refused())
                #expect(refusal.code == .addressInUse)
            }
            #expect(try await self.openDescriptors(admin) < before + 10)
            await client.close()
            await taken.stop()
            node.signal(SIGTERM)
            #expect(await node.wait() == 0)
        }

        private func residentBytes(_ process: Int32) throws -> Int {
            let pages = try String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8).split(separator: " ")
            return (Int(try #require(pages.dropFirst().first)) ?? 0) * 4096
        }

        /// 300 requests with unfinished heads, each of the maximum size and larger.
        @Test(arguments: [false, true]) func unfinishedHeadsCostLittle(isLargerThanAllowed: Bool) async throws {
            let node = try NodeProcess(["--port", "0", "--no-policy", "--threads", "1"])
            let port = try #require(await node.port())
            let first = try await TestClient.connect(port: port)
            let before = try self.residentBytes(node.id)
            let head = "GET / HTTP/1.1\r\nHost: x\r\nA: " + String(repeating: "x", count: (15 << 10) - 40)
            var clients: [RawClient] = []
            for number in 0..<300 {
                let client = try await RawClient.connect(port: port, from: "127.0.0.\(10 + number / 60)")
                try await client.send(head)
                // 70 KiB are the usual read size of HTTP libraries.
                if isLargerThanAllowed { try? await client.send(String(repeating: "y", count: 55 << 10)) }
                clients.append(client)
            }
            if isLargerThanAllowed {
                var statuses: [Int?] = []
                for client in clients { try await statuses.append(client.status()) }
                #expect(Set(statuses) == [431])
            }
            // The node has read all of it once it answers another.
            let second = try await TestClient.connect(port: port)
            let growth = try self.residentBytes(node.id) - before
            #expect(growth < 20 << 20, "\(growth >> 10) KiB")
            for client in clients { await client.close() }
            await first.close()
            await second.close()
            node.signal(SIGTERM)
            #expect(await node.wait() == 0)
        }
    }
}
