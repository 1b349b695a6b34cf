import NIOCore
import NIOPosix
import Testing
import WasmnetProtocol
import WasmnetTesting

extension PeersTests {
    /// Ports that a client binds on the node, and real programs that connect to them.
    @Suite struct ListenTests {
        private func listen(_ client: TestClient, _ id: SocketID, host: String = "127.0.0.1") async throws -> Int {
            client.send(.bind(id, host: host, port: 0))
            let event = try await client.nextEvent()
            guard case .listening(id, let port) = event else { throw UnexpectedEvent(event: event) }
            return Int(port)
        }

        private func accept(
            _ client: TestClient, _ listener: SocketID
        ) async throws -> (id: SocketID, remote: String) {
            let event = try await client.answer()
            guard case .accepted(listener, let id, let remote) = event else { throw UnexpectedEvent(event: event) }
            return (id, remote)
        }

        @Test(.enabled(if: PeerProcess.isInstalled("curl")), arguments: [WireVersion.v1, .v2])
        func curlIsAnsweredOverTheSession(version: WireVersion) async throws {
            let body = String(repeating: "line of text\n", count: 20_000)
            try await PeersTests.withClient(version: version) { node, _, client in
                let port = try await self.listen(client, 1)
                let arguments = ["-sS", "--noproxy", "*", "-i", "http://127.0.0.1:\(port)/some/path?a=b"]
                try await PeerProcess.with("curl", arguments) { curl in
                    let (connection, remote) = try await self.accept(client, 1)
                    #expect(remote.hasPrefix("127.0.0.1:"))
                    #expect((1 << 52..<1 << 53).contains(connection))
                    let (request, _) = try await client.read(connection) {
                        String(buffer: $0).hasSuffix("\r\n\r\n")
                    }
                    #expect(String(buffer: request).hasPrefix("GET /some/path?a=b HTTP/1.1\r\n"))
                    #expect(String(buffer: request).contains("Host: 127.0.0.1:\(port)\r\n"))
                    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
                    client.send(.send(connection, ByteBuffer(string: head)))
                    for piece in body.utf8.chunks(of: 10_000) {
                        client.send(.send(connection, ByteBuffer(bytes: piece)))
                    }
                    client.send(version == .v2 ? .shutdown(connection) : .close(connection))
                    #expect(try await curl.wholeOutput() == head + body)
                    #expect(await curl.exitStatus() == 0)
                    if version == .v2 { #expect(try await client.answer() == .end(connection)) }
                    let event = try await client.answer()
                    guard case .closed(connection, let reason, _) = event else { throw UnexpectedEvent(event: event) }
                    if version == .v2 { #expect(reason == .normal) }
                    #expect(try await node.settles(sockets: 1, sessions: 1))
                }
            }
        }

        @Test(.enabled(if: PeerProcess.isInstalled("nc")))
        func netcatTalksBothWaysAndHalfCloses() async throws {
            try await PeersTests.withClient { node, _, client in
                let port = try await self.listen(client, 1)
                try await PeerProcess.with("nc", ["-N", "127.0.0.1", "\(port)"]) { netcat in
                    let (connection, _) = try await self.accept(client, 1)
                    client.send(.send(connection, ByteBuffer(string: "hello from the browser\n")))
                    try await netcat.output(until: "hello from the browser\n")
                    try netcat.write("hello from netcat\n")
                    let (said, _) = try await client.read(connection) { $0.readableBytes >= 18 }
                    #expect(String(buffer: said) == "hello from netcat\n")
                    netcat.closeInput()
                    #expect(try await client.answer() == .end(connection))
                    client.send(.send(connection, ByteBuffer(string: "still heard\n")))
                    client.send(.shutdown(connection))
                    #expect(try await netcat.wholeOutput() == "hello from the browser\nstill heard\n")
                    #expect(try await client.answer() == .closed(connection, .normal, message: ""))
                    #expect(try await node.settles(sockets: 1, sessions: 1))
                }
            }
        }

        @Test func connectionsAreToldInTheOrderInWhichTheyCame() async throws {
            try await PeersTests.withClient { node, _, client in
                let port = try await self.listen(client, 1)
                var channels: [any Channel] = []
                for _ in 0..<20 { channels.append(try await Self.connect(port)) }
                var ids: [SocketID] = []
                for channel in channels {
                    let (id, remote) = try await self.accept(client, 1)
                    #expect(remote == "127.0.0.1:\(channel.localAddress?.port ?? 0)")
                    ids.append(id)
                }
                #expect(Set(ids).count == ids.count)
                #expect(try await node.settles(sockets: 21, sessions: 1))
                for channel in channels { try await channel.close() }
            }
        }

        @Test func aClosedListenerAcceptsNoMoreAndLeavesItsConnections() async throws {
            try await PeersTests.withClient { node, _, client in
                let port = try await self.listen(client, 1)
                let old = try await Self.connect(port)
                let (connection, _) = try await self.accept(client, 1)
                client.send(.close(1))
                #expect(try await client.nextEvent() == .closed(1, .clientClosed, message: ""))
                await #expect(throws: (any Error).self) { try await Self.connect(port) }
                try await old.writeAndFlush(ByteBuffer(string: "still open"))
                let (bytes, _) = try await client.read(connection) { $0.readableBytes >= 10 }
                #expect(String(buffer: bytes) == "still open")
                #expect(try await node.settles(sockets: 1, sessions: 1))
                try await old.close()
                #expect(try await client.answer() == .end(connection))
                // The port is free again, and the id too.
                client.send(.bind(1, host: "127.0.0.1", port: UInt16(port)))
                #expect(try await client.nextEvent() == .listening(1, port: UInt16(port)))
            }
        }

        @Test func listenTellsThePortOnceMoreAndNothingForAStranger() async throws {
            try await PeersTests.withClient { _, _, client in
                let port = try await self.listen(client, 1)
                client.send(.listen(1, backlog: 5))
                #expect(try await client.nextEvent() == .listening(1, port: UInt16(port)))
                #expect(try await client.refusal(of: .listen(2, backlog: 5)).code == .unknownSocket)
                let taken = try await client.refusal(of: .bind(3, host: "127.0.0.1", port: UInt16(port)))
                #expect(taken.code == .addressInUse)
            }
        }

        @Test func theSessionsEndClosesItsListener() async throws {
            try await PeersTests.withClient { node, _, client in
                let port = try await self.listen(client, 1)
                await client.close()
                #expect(try await node.settles(sockets: 0, sessions: 0))
                await #expect(throws: (any Error).self) { try await Self.connect(port) }
            }
        }

        private static func connect(_ port: Int) async throws -> any Channel {
            try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelOption(.allowRemoteHalfClosure, value: true)
                .connect(host: "127.0.0.1", port: port).get()
        }
    }
}

extension Collection {
    /// The collection in pieces of `count`; the last one may be shorter.
    fileprivate func chunks(of count: Int) -> [SubSequence] {
        var rest = self[...]
        var pieces: [SubSequence] = []
        while !rest.isEmpty {
            pieces.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        return pieces
    }
}
