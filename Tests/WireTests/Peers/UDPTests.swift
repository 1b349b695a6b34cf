import NIOCore
import Testing
import WasmnetPolicy
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting

extension PeersTests {
    /// Datagrams, whole or not at all.
    @Suite struct UDPTests {
        private func bound(_ client: TestClient, _ request: Request) async throws -> UInt16 {
            client.send(request)
            let event = try await client.nextEvent()
            guard case .udpBound(request.id, let port) = event else { throw UnexpectedEvent(event: event) }
            return port
        }

        private func next(
            _ client: TestClient, _ id: SocketID
        ) async throws -> (data: ByteBuffer, host: String, port: UInt16) {
            let event = try await client.nextEvent()
            guard case .dataFrom(id, let data, let host, let port) = event else {
                throw UnexpectedEvent(event: event)
            }
            return (data, host, port)
        }

        /// A name server on each family, queried through the node.
        @Test(arguments: [WireVersion.v1, .v2], ["127.0.0.1", "::1"])
        func aNameServerAnswers(version: WireVersion, host: String) async throws {
            let address: [UInt8] = [192, 0, 2, 7]
            let server: @Sendable (ByteBuffer) -> ByteBuffer? = { DNSMessage.answer(to: $0, address: address) }
            try await DatagramPeer.with(host, answer: server) { server in
                try await PeersTests.withClient(version: version) { _, _, client in
                    _ = try await self.bound(client, .connectUDP(1, host: host, port: server.port))
                    for id in UInt16(1)...20 {
                        let query = DNSMessage.query(id: id, name: "www\(id).example.test")
                        client.send(.send(1, query))
                        let answer = try await self.next(client, 1)
                        #expect(DNSMessage.address(in: answer.data, to: query) == address)
                        #expect(answer.host == host)
                        #expect(answer.port == server.port)
                    }
                }
            }
        }

        @Test func datagramsSentBeforeUdpBoundGoOutInOrder() async throws {
            try await DatagramPeer.with { peer in
                try await PeersTests.withClient { _, _, client in
                    client.send(.connectUDP(1, host: "127.0.0.1", port: peer.port))
                    for number in UInt32(0)..<20 { client.send(.send(1, ByteBuffer(integer: number))) }
                    for number in UInt32(0)..<20 {
                        let data = try await peer.next().data
                        #expect(data == ByteBuffer(integer: number))
                    }
                }
            }
        }

        /// A connected socket receives only from its peer and the addresses it sent to.
        @Test func aConnectedSocketHearsOnlyThoseItSpokeTo() async throws {
            try await DatagramPeer.with { peer in
                try await DatagramPeer.with { other in
                    try await PeersTests.withClient { _, _, client in
                        let port = try await self.bound(
                            client, .connectUDP(1, host: "127.0.0.1", port: peer.port))
                        try await other.send(ByteBuffer(string: "unasked"), to: port)
                        try await peer.send(ByteBuffer(string: "from the peer"), to: port)
                        #expect(String(buffer: try await self.next(client, 1).data) == "from the peer")
                        client.send(.sendTo(1, host: "127.0.0.1", port: other.port, ByteBuffer(string: "you too")))
                        #expect(String(buffer: try await other.next().data) == "you too")
                        try await other.send(ByteBuffer(string: "asked"), to: port)
                        let answer = try await self.next(client, 1)
                        #expect(String(buffer: answer.data) == "asked")
                        #expect(answer.port == other.port)
                    }
                }
            }
        }

        /// A bound socket sends to many addresses and receives from any.
        @Test(arguments: ["127.0.0.1", "::1"])
        func aBoundSocketIsReachedFromOutsideAndAnswersEach(host: String) async throws {
            try await DatagramPeer.with(host) { first in
                try await DatagramPeer.with(host) { second in
                    try await PeersTests.withClient { _, _, client in
                        let port = try await self.bound(client, .bindUDP(1, host: host, port: 0))
                        for peer in [first, second, first] {
                            try await peer.send(ByteBuffer(string: "to \(port)"), to: port, host: host)
                            let (data, from, fromPort) = try await self.next(client, 1)
                            #expect(String(buffer: data) == "to \(port)")
                            #expect(from == host)
                            #expect(fromPort == peer.port)
                            client.send(.sendTo(1, host: from, port: fromPort, ByteBuffer(string: "back")))
                            let answer = try await peer.next()
                            #expect(String(buffer: answer.data) == "back")
                            #expect(answer.remoteAddress.port == Int(port))
                        }
                        #expect(try await client.refusal(of: .send(1, ByteBuffer())).code == .protocolError)
                    }
                }
            }
        }

        /// No size is joined, split or dropped, from nothing up to the most that IPv4 carries (65,507 bytes).
        @Test(arguments: [WireVersion.v1, .v2], ["127.0.0.1", "::1"])
        func datagramsKeepTheirBounds(version: WireVersion, host: String) async throws {
            try await DatagramPeer.with(host) { peer in
                try await PeersTests.withClient(version: version) { _, _, client in
                    let port = try await self.bound(client, .connectUDP(1, host: host, port: peer.port))
                    for size in [1, 0, 2, 0, 0, 1472, 1473, 65_507, 0, 9000] {
                        let data = Pattern.bytes(from: size, count: size)
                        client.send(.send(1, data))
                        #expect(try await peer.next().data == data, "\(size) bytes up")
                        try await peer.send(data, to: port, host: host)
                        #expect(try await self.next(client, 1).data == data, "\(size) bytes down")
                    }
                    // Without waiting between them.
                    for size in 0..<100 { client.send(.send(1, Pattern.bytes(from: size, count: size * 7))) }
                    for size in 0..<100 {
                        #expect(try await peer.next().data == Pattern.bytes(from: size, count: size * 7))
                    }
                }
            }
        }

        @Test func aLargerDatagramIsRefusedAndTheSocketGoesOn() async throws {
            try await DatagramPeer.with { peer in
                try await PeersTests.withClient { _, _, client in
                    _ = try await self.bound(client, .connectUDP(1, host: "127.0.0.1", port: peer.port))
                    let refusal = try await client.refusal(of: .send(1, Pattern.bytes(from: 0, count: 65_508)))
                    #expect(refusal.code == .messageTooLarge)
                    client.send(.send(1, ByteBuffer(string: "small")))
                    #expect(String(buffer: try await peer.next().data) == "small")
                }
            }
        }

        /// 250,000 bytes a second may pass after a burst of 65,536: the rest waits in the kernel. All of them fit there (25 of this size do,
        /// with Linux's buffer of 212,992 bytes), else a node that reads late would lose some.
        @Test func noDatagramIsLostToTheBandwidth() async throws {
            try await DatagramPeer.with { peer in
                let rules = Policy.unrestricted.limitingBandwidth(megabitsPerSecond: 2)
                try await PeersTests.withClient(policy: rules) { _, _, client in
                    let port = try await self.bound(client, .connectUDP(1, host: "127.0.0.1", port: peer.port))
                    for index in 0..<24 {
                        try await peer.send(Pattern.bytes(from: index, count: 4000), to: port)
                    }
                    for index in 0..<24 {
                        #expect(try await self.next(client, 1).data == Pattern.bytes(from: index, count: 4000))
                    }
                }
            }
        }

        /// A datagram larger than the node's limit is dropped, not truncated.
        @Test func aLargerDatagramFromOutsideIsNotCut() async throws {
            var settings = RelaySettings()
            settings.maxDatagramBytes = 1000
            try await DatagramPeer.with { peer in
                try await PeersTests.withClient(settings: settings) { _, _, client in
                    let port = try await self.bound(client, .connectUDP(1, host: "127.0.0.1", port: peer.port))
                    for size in [1000, 1001, 2000, 60_000] {
                        try await peer.send(Pattern.bytes(from: 0, count: size), to: port)
                    }
                    try await peer.send(ByteBuffer(string: "small"), to: port)
                    #expect(try await self.next(client, 1).data == Pattern.bytes(from: 0, count: 1000))
                    let data = try await self.next(client, 1).data
                    #expect(data == ByteBuffer(string: "small"), "\(data.readableBytes) bytes")
                }
            }
        }

        /// IPv6 carries 20 bytes more than IPv4; such a datagram may be dropped, but not truncated.
        @Test func theLargestDatagramOfIPv6IsNotCut() async throws {
            try await DatagramPeer.with("::1") { peer in
                try await PeersTests.withClient { _, _, client in
                    let port = try await self.bound(client, .connectUDP(1, host: "::1", port: peer.port))
                    try await peer.send(Pattern.bytes(from: 0, count: 65_527), to: port, host: "::1")
                    try await peer.send(ByteBuffer(string: "small"), to: port, host: "::1")
                    let count = try await self.next(client, 1).data.readableBytes
                    #expect(count == 65_527 || count == 5)
                }
            }
        }

        private func refusal(_ client: TestClient, _ id: SocketID) async throws -> Refusal {
            let event = try await client.nextEvent()
            guard case .refused(id, let refusal) = event else { throw UnexpectedEvent(event: event) }
            return refusal
        }

        /// "Port unreachable" (RFC 792): v2 has a code for it, v1 has not, and the socket stays open in both.
        @Test(arguments: [WireVersion.v1, .v2], ["127.0.0.1", "::1"])
        func aPortWithoutAListenerIsToldAndEndsNothing(version: WireVersion, host: String) async throws {
            let closed = try await DatagramPeer.with(host) { $0.port }
            try await DatagramPeer.with(host) { peer in
                try await PeersTests.withClient(version: version) { node, _, client in
                    let port = try await self.bound(client, .connectUDP(1, host: host, port: closed))
                    for _ in 0..<10 { client.send(.send(1, ByteBuffer(string: "is anybody there"))) }
                    if version == .v2 { #expect(try await self.refusal(client, 1).code == .refused) }
                    client.send(.sendTo(1, host: host, port: peer.port, ByteBuffer(string: "and there")))
                    #expect(String(buffer: try await peer.next().data) == "and there")
                    try await peer.send(ByteBuffer(string: "here"), to: port, host: host)
                    #expect(String(buffer: try await self.next(client, 1).data) == "here")
                    #expect(try await node.settles(sockets: 1, sessions: 1))
                    client.send(.close(1))
                    let event = try await client.nextEvent()
                    guard case .closed(1, _, _) = event else { throw UnexpectedEvent(event: event) }
                    #expect(try await node.settles(sockets: 0, sessions: 1))
                }
            }
        }

        /// However often it sends, a socket is notified about closed ports once a second, and this does not affect other sockets.
        @Test func refusalsComeOnceASecondForEachSocket() async throws {
            let closed = try await DatagramPeer.with { $0.port }
            try await PeersTests.withClient { _, _, client in
                _ = try await self.bound(client, .connectUDP(1, host: "127.0.0.1", port: closed))
                _ = try await self.bound(client, .bindUDP(2, host: "127.0.0.1", port: 0))
                let sending = Task {
                    while !Task.isCancelled {
                        client.send(.send(1, ByteBuffer(string: "?")))
                        try await Task.sleep(for: .milliseconds(10))
                    }
                }
                defer { sending.cancel() }
                #expect(try await self.refusal(client, 1).code == .refused)
                let first = ContinuousClock.now
                client.send(.sendTo(2, host: "127.0.0.1", port: closed, ByteBuffer(string: "?")))
                #expect(try await self.refusal(client, 2).code == .refused)
                #expect(try await self.refusal(client, 1).code == .refused)
                #expect(ContinuousClock.now - first > .milliseconds(900))
            }
        }

        /// The kernel reports an error instead of sending the next datagram, which is another peer's.
        @Test func noDatagramIsLostToARefusalOfAnother() async throws {
            let closed = try await DatagramPeer.with { $0.port }
            try await DatagramPeer.with { peer in
                try await PeersTests.withClient { _, _, client in
                    _ = try await self.bound(client, .bindUDP(1, host: "127.0.0.1", port: 0))
                    for number in UInt32(0)..<100 {
                        client.send(.sendTo(1, host: "127.0.0.1", port: closed, ByteBuffer(string: "?")))
                        client.send(.sendTo(1, host: "127.0.0.1", port: peer.port, ByteBuffer(integer: number)))
                    }
                    for number in UInt32(0)..<100 {
                        let data = try await peer.next().data
                        #expect(data == ByteBuffer(integer: number))
                    }
                }
            }
        }
    }
}
