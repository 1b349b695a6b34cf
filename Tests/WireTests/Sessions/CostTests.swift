import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOWebSocket
import Testing
import Wasmnet
import WasmnetCluster
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota
import WasmnetRelay
import WasmnetTesting

/// No request is free for a client: messages without effect, lookups by any request, small and empty messages.
@Suite(.timeLimit(.minutes(1))) struct CostTests {
    private func limits(_ lines: String) throws -> Policy {
        try policy(
            """
            [network]
            allow = ["*", "127.0.0.1"]
            bind_ports = "1024-65535"
            \(lines)
            """)
    }

    /// Each kind of message without effect; none is refused more than it would be anyway, and all are answered, but at the rate.
    enum Abuse: CaseIterable {
        case denied, malformed, unknownID, duplicateID, empty, emptyDatagram, ping, notAName, unboundListen,
            windowOfNothing, windowOfZero, endedID, emptyFragment, emptySendTo, deniedBehindItsName,
            resetOfNothing, resetOfEnded, listenAgain, datagramForStream, windowOfEnded, windowOfDatagrams,
            shutdownOfEnded, shutdownOfListener

        func send(_ number: Int, _ client: TestClient) {
            switch self {
            case .denied: client.send(.connect(SocketID(1000 + number), host: "10.0.0.1", port: 1))
            case .malformed: client.sendMessage(ByteBuffer(bytes: [0x77, 1, 2, 3]))
            case .unknownID: client.send(.close(SocketID(1000 + number)))
            case .duplicateID: client.send(.connect(1, host: "127.0.0.1", port: 1))
            case .empty: client.send(.send(1, ByteBuffer()))
            case .emptyDatagram: client.send(.send(2, ByteBuffer()))
            case .ping:
                client.sendFrame(WebSocketFrame(fin: true, opcode: .ping, maskKey: .random(), data: ByteBuffer()))
            case .notAName: client.send(.resolve(7, name: "no such name"))
            case .windowOfNothing: client.send(.window(SocketID(1000 + number), bytes: 100))
            case .endedID: client.send(.send(3, ByteBuffer(string: "too late")))
            case .resetOfNothing: client.send(.reset(SocketID(1000 + number)))
            case .resetOfEnded: client.send(.reset(3))
            case .windowOfEnded: client.send(.window(3, bytes: 100))
            case .windowOfDatagrams: client.send(.window(2, bytes: 100))
            case .shutdownOfEnded: client.send(.shutdown(3))
            case .shutdownOfListener: client.send(.shutdown(4))
            case .listenAgain: client.send(.listen(4, backlog: 1))
            case .datagramForStream:
                client.send(.sendTo(1, host: "127.0.0.1", port: 9, ByteBuffer(string: "x")))
            case .emptyFragment:
                client.sendFrame(
                    WebSocketFrame(
                        fin: false, opcode: number == 0 ? .text : .continuation, maskKey: .random(), data: ByteBuffer())
                )
            case .windowOfZero: client.send(.window(1, bytes: 0))
            case .emptySendTo: client.send(.sendTo(2, host: "127.0.0.1", port: 9, ByteBuffer()))
            case .deniedBehindItsName:
                client.send(.connect(SocketID(1000 + number), host: "inside.example", port: 1))
            case .unboundListen: client.send(.listen(SocketID(1000 + number), backlog: 1))
            }
        }
    }

    /// A client with a stream, 1, a datagram socket, 2, an ended stream, 3, and a listener, 4.
    private func withSockets(_ rules: Policy, _ body: (TestNode, TestClient) async throws -> Void) async throws {
        let resolver = ScriptedResolver(["inside.example": [["10.0.0.1"]]])
        try await TestNode.withClient(policy: rules, resolver: resolver) { node, target, client in
            try await client.connect(1, port: target.port)
            try await client.ask(.connectUDP(2, host: "127.0.0.1", port: 9), for: .udpBound())
            // One that the client ended itself: no message for it can have crossed the end.
            try await client.connect(3, port: target.port)
            try await client.ask(.close(3), for: .closed(3))
            try await client.ask(.bind(4, host: "127.0.0.1", port: 0), for: .listening())
            try await client.ask(.listen(4, backlog: 1), for: .listening())
            try await body(node, client)
        }
    }

    /// Waits until all sent data has been processed.
    private func awaitAll(_ client: TestClient) async throws {
        client.send(.send(1, ByteBuffer(string: "after")))
        while true {
            if case .data(1, let piece) = try await client.answer(), String(buffer: piece) == "after" { return }
        }
    }

    @Test(arguments: Abuse.allCases)
    func messagesThatComeToNothingAreTakenAtTheirRate(abuse: Abuse) async throws {
        let rules = try self.limits("[limits]\nrefusals_per_sec = 50\nrefusal_burst = 20")
        try await self.withSockets(rules) { _, client in
            let start = ContinuousClock.now
            for number in 0..<70 { abuse.send(number, client) }
            if abuse == .emptyFragment {
                // The message ends, as text, which ends the session: with 1002, in its turn.
                client.sendFrame(
                    WebSocketFrame(fin: true, opcode: .continuation, maskKey: .random(), data: ByteBuffer()))
                while true { if case .close(1002, _) = try await client.next() { break } }
                #expect(ContinuousClock.now - start > .milliseconds(900))
                return
            }
            try await self.awaitAll(client)
            // 70 of them, 20 at once and 50 a second: later messages wait for a second.
            #expect(ContinuousClock.now - start > .milliseconds(900))
        }
    }

    /// Each is counted once: twenty are taken at once, and the next is one too many for a thousand seconds.
    @Test(arguments: Abuse.allCases) func eachMessageThatComesToNothingIsCountedOnce(abuse: Abuse) async throws {
        let rules = try self.limits("[limits]\nrefusals_per_sec = 0.001\nrefusal_burst = 20")
        try await self.withSockets(rules) { node, client in
            let refusals = node.server.environment.ledger.allowance(
                for: ClientID(text: "a:127.0.0.1"), limits: rules.limits
            ).onNode.refusals
            for number in 0..<20 { abuse.send(number, client) }
            if abuse != .emptyFragment {
                try await self.awaitAll(client)
            }
            #expect(refusals.pause(now: SystemClock().now()) == nil)
            abuse.send(20, client)
            for _ in 0..<500 where refusals.pause(now: SystemClock().now()) == nil {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(refusals.pause(now: SystemClock().now()) != nil)
        }
    }

    /// All sessions of a client share the rate, and another client's do not.
    @Test func theRateIsTheClients() async throws {
        let rules = try self.limits(
            "[limits]\nrefusals_per_sec = 0.001\nrefusal_burst = 30\n[clients]\ntrusted_proxies = [\"127.0.0.1\"]")
        try await TestNode.withClient(policy: rules) { node, target, other in
            var clients: [TestClient] = []
            for _ in 0..<3 {
                let client = try await TestClient.connect(port: node.port, headers: ["X-Forwarded-For": "203.0.113.7"])
                _ = try await client.next()  // hello
                try await client.connect(1, port: target.port)
                clients.append(client)
            }
            for number in 0..<31 { _ = try await clients[number % 3].refusal(.resolve(9, name: "no such name")) }
            let usage = node.server.environment.ledger.allowance(
                for: ClientID(text: "a:203.0.113.7"), limits: rules.limits)
            #expect(usage.onNode.refusals.pause(now: SystemClock().now()) != nil)
            // Whichever session sent them, none of them is read any more.
            for client in clients { client.send(.send(1, ByteBuffer(string: "held"))) }
            try await other.connect(1, port: target.port)
            for round in 0..<20 { #expect(try await other.echoes(1, "not held up, \(round)")) }
            for session in node.server.environment.registry.sessions
            where session.origin.client == ClientID(text: "a:203.0.113.7") {
                #expect(await session.status()?.bytesUp == 0)
            }
            for client in clients { await client.close() }
        }
    }

    /// Refusals are never counted for data, windows, closes or dials.
    @Test func ordinaryTrafficIsNotCounted() async throws {
        let rules = try self.limits("[limits]\nrefusals_per_sec = 0.001\nrefusal_burst = 1\n")
        try await TestNode.withClient(policy: rules) { _, target, client in
            for round in 1...10 {
                let id = SocketID(round)
                try await client.connect(id, port: target.port)
                #expect(try await client.echoes(id, "round \(round)"))
                client.send(.window(id, bytes: 10))
                client.send(.shutdown(id))
                while true { if case .closed = try await client.answer() { break } }
                // They may have crossed the end.
                for late in [Request.window(id, bytes: 1), .window(id, bytes: 1), .close(id), .reset(id)] {
                    client.send(late)
                }
                try await client.ask(.bind(id + 100, host: "127.0.0.1", port: 0), for: .listening())
                try await client.ask(.listen(id + 100, backlog: 1), for: .listening())
                // A failed dial is a real dial.
                _ = try await client.refusal(.connect(id, host: "127.0.0.1", port: 1))
            }
        }
    }

    // MARK: Lookups

    /// Counts lookups; each name is 127.0.0.1.
    final class CountingResolver: NameResolver {
        let names = NIOLockedValueBox<[String]>([])

        func resolve(_ name: HostName, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]> {
            self.names.withLockedValue { $0.append(name.text) }
            return eventLoop.makeSucceededFuture([IPAddress(v4: (127, 0, 0, 1))])
        }
    }

    @Test func everyRequestThatCausesALookupPaysForIt() async throws {
        let rules = try self.limits("[limits]\nresolves_per_sec = 0.001\nresolve_burst = 4")
        let resolver = CountingResolver()
        try await TestNode.withClient(policy: rules, resolver: resolver) { _, target, client in
            let port = UInt16(target.port)
            let inbox = try await TestDatagrams.start()
            let open = UInt16(inbox.port)
            try await client.ask(.bindUDP(9, host: "127.0.0.1", port: 0), for: .udpBound())
            try await client.connect(1, "a.example", port: target.port)
            client.send(.sendTo(9, host: "b.example", port: open, ByteBuffer(string: "x")))
            try await client.ask(.connectUDP(2, host: "c.example", port: open), for: .udpBound())
            try await client.ask(.resolve(3, name: "d.example"), for: .resolved())
            for request in [
                Request.connect(4, host: "e.example", port: port), .connectTLS(4, host: "e.example", port: port),
                .connectUDP(4, host: "e.example", port: open), .resolve(4, name: "e.example"),
                .sendTo(9, host: "e.example", port: open, ByteBuffer(string: "x")),
            ] {
                let refusal = try await client.refusal(request)
                #expect(refusal.code == .connectRate && refusal.retryAfterMilliseconds > 0)
            }
            // The result is cached: free, and not looked up again.
            try await client.connect(5, "d.example", port: target.port)
            client.send(.sendTo(9, host: "a.example", port: open, ByteBuffer(string: "x")))
            try await client.ask(.resolve(6, name: "b.example"), for: .resolved())
            #expect(resolver.names.withLockedValue { $0 } == ["a.example", "b.example", "c.example", "d.example"])
            await inbox.stop()
        }
    }

    /// A client's messages that wait for slow names take little memory; messages without room are dropped, and the session continues.
    @Test func messagesThatWaitForLookupsAreBounded() async throws {
        let resolver = HeldResolver()
        try await TestNode.withClient(policy: .unrestricted, resolver: resolver) { node, _, client in
            let inbox = try await TestDatagrams.start()
            try await client.ask(.bindUDP(1, host: "127.0.0.1", port: 0), for: .udpBound())
            let port = UInt16(inbox.port)
            for _ in 0..<20 {
                client.send(.sendTo(1, host: "slow.example", port: port, ByteBuffer(repeating: 1, count: 16 << 10)))
            }
            // A message that is answered at once arrives behind them.
            _ = try await client.refusal(.close(99))
            resolver.answerAll("127.0.0.1")
            for _ in 0..<3 { #expect(try await inbox.next().readableBytes == 16 << 10) }
            client.send(.sendTo(1, host: "127.0.0.1", port: port, ByteBuffer(string: "last")))
            #expect(try await inbox.next() == ByteBuffer(string: "last"))
            await inbox.stop()
        }
    }

    /// A session that ends while its messages wait releases their room for the client's others.
    @Test func messagesThatWaitedGiveTheirRoomBackWithTheirSession() async throws {
        let resolver = HeldResolver()
        try await TestNode.withClient(policy: .unrestricted, resolver: resolver) { node, _, client in
            try await client.ask(.bindUDP(1, host: "127.0.0.1", port: 0), for: .udpBound())
            for _ in 0..<20 {
                client.send(.sendTo(1, host: "slow.example", port: 9, ByteBuffer(repeating: 1, count: 16 << 10)))
            }
            _ = try await client.refusal(.close(99))
            let room = node.server.environment.ledger.allowance(
                for: ClientID(text: "a:127.0.0.1"), limits: .unlimited
            ).onNode.waitingMessages
            #expect(!room.take(32 << 10, most: 64 << 10))
            await client.close()
            #expect(try await node.settles(sockets: 0, sessions: 0))
            #expect(room.take(64 << 10, most: 64 << 10))
        }
    }

    /// An incomplete message takes memory: a client's sessions have 193 KiB each, and 2 MiB together.
    @Test(arguments: [false, true]) func unfinishedMessagesAreBoundedByClient(inFragments: Bool) async throws {
        let node = try await TestNode.start()
        let wholeLength = 1 << 20
        /// All but the last byte of a message that is not the protocol's, unmasked as by a key of zeros.
        var most = ByteBuffer()
        let part = inFragments ? wholeLength / 16 : wholeLength
        for start in stride(from: 0, to: wholeLength, by: part) {
            let isLast = start + part == wholeLength
            most.writeInteger(UInt8((start == 0 ? 0x02 : 0x00) | (isLast ? 0x80 : 0)))
            most.writeMultipleIntegers(UInt8(0xFF), UInt64(part), UInt32(0))
            most.writeRepeatingByte(0x77, count: isLast ? part - 1 : part)
        }
        func session(from address: String) async throws -> RawClient {
            let client = try await RawClient.connect(port: node.port, from: address)
            try await client.send(FrontTests.handshake())
            _ = try await client.bytes { Self.messages($0) > 0 }
            return client
        }
        /// Whether the message is answered once it is complete.
        func ends(_ client: RawClient) async throws -> Bool {
            try await client.send(ByteBuffer(integer: UInt8(0x77)))
            return try await Self.messages(client.bytes { Self.messages($0) > 1 }) == 2
        }
        let two = [try await session(from: "127.0.0.1"), try await session(from: "127.0.0.1")]
        for client in two { try await client.send(most) }
        let room = node.server.environment.ledger.allowance(for: ClientID(text: "a:127.0.0.1"), limits: .unlimited)
            .onNode.unfinishedMessages
        // Both count, except for 193 KiB each.
        while room.take(0, most: 1600 << 10) { try await Task.sleep(for: .milliseconds(1)) }
        let third = try await session(from: "127.0.0.1")
        try await third.send(most)
        let answer = try await third.bytes(timeout: .seconds(5)) { Self.closeCode($0) != nil }
        #expect(Self.closeCode(answer) == 1013)
        await third.close()
        let small = try await session(from: "127.0.0.1")
        var frame = ByteBuffer(bytes: [0x82, 0xFF])
        frame.writeMultipleIntegers(UInt64(64 << 10), UInt32(0))
        frame.writeRepeatingByte(0x77, count: 64 << 10 - 1)
        try await small.send(frame)
        let other = try await session(from: "127.0.0.2")
        try await other.send(most)
        for client in two + [small, other] {
            #expect(try await ends(client))
            await client.close()
        }
        #expect(try await node.settles(sockets: 0, sessions: 0))
        #expect(room.take(2 << 20, most: 2 << 20), "all of it was given back")
        await node.stop()
    }

    /// Messages after the answer to the handshake.
    private static func messages(_ bytes: ByteBuffer) -> Int { Self.payloads(bytes).count { $0.first == 0x82 } }

    private static func closeCode(_ bytes: ByteBuffer) -> UInt16? {
        Self.payloads(bytes).first { $0.first == 0x88 }?.payload.getInteger(at: 0)
    }

    private static func payloads(_ bytes: ByteBuffer) -> [(first: UInt8, payload: ByteBuffer)] {
        guard let end = bytes.readableBytesView.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound else { return [] }
        var bytes = bytes.getSlice(at: end, length: bytes.writerIndex - end) ?? ByteBuffer()
        var found: [(UInt8, ByteBuffer)] = []
        while let first: UInt8 = bytes.readInteger(), let short: UInt8 = bytes.readInteger(),
            let length = short < 126 ? Int(short) : bytes.readInteger(as: UInt16.self).map({ Int($0) }),
            let payload = bytes.readSlice(length: length)
        { found.append((first, ByteBuffer(buffer: payload))) }
        return found
    }

    // MARK: Bytes

    /// Small messages cost as much as on a network: 64 bytes each.
    @Test func smallMessagesSpendBandwidth() async throws {
        // 80 kB a second and a burst of 64 KiB: 2,000 messages of one byte cost 128,000 bytes.
        let rules = try self.limits("max_bandwidth_mbps = 0.64")
        try await TestNode.withClient(policy: rules, target: .countThenReport) { node, target, client in
            try await client.connect(1, port: target.port)
            let start = ContinuousClock.now
            for number in 0..<2000 { client.send(.send(1, Pattern.bytes(from: number, count: 1))) }
            client.send(.shutdown(1))
            let report = try await client.answer(.data(1))
            #expect(String(buffer: report) == "2000 right")
            #expect(ContinuousClock.now - start > .milliseconds(600))
            let usage = node.ledger?.usage(of: ClientID(text: "a:127.0.0.1"))
            #expect((2000...2100).contains(usage?.bytesToday ?? 0), "overhead is none of the day's bytes")
        }
    }

    /// A datagram costs 28 bytes more than its payload, and one of the client's at least 64.
    @Test func datagramsSpendBandwidthForTheirHeaders() async throws {
        // 125 bytes a second are refilled meanwhile.
        let rules = try self.limits("max_bandwidth_mbps = 0.001")
        try await TestNode.withClient(policy: rules) { node, _, client in
            let peer = try await TestDatagrams.start()
            let port = try await client.ask(
                .connectUDP(1, host: "127.0.0.1", port: UInt16(peer.port)), for: .udpBound(1))
            func left() -> Int64? { node.ledger?.usage(of: ClientID(text: "a:127.0.0.1"))?.byteTokens }
            /// Until everything is charged.
            func settled(_ cost: Range<Int64>, since before: Int64) async throws -> Bool {
                for _ in 0..<500 {
                    if let now = left(), cost.contains(before - now) { return true }
                    try await Task.sleep(for: .milliseconds(10))
                }
                return false
            }
            var before = try #require(left())
            for length in [1, 200] {
                for _ in 0..<50 {
                    client.send(.send(1, ByteBuffer(repeating: 1, count: length)))
                    _ = try await peer.next()
                }
            }
            let up = Int64(50 * 64 + 50 * 228)
            #expect(try await settled(up - 1000..<up + 1, since: before), "\(before) \(left() ?? 0)")
            before = try #require(left())
            for _ in 0..<100 {
                try await peer.send("x", to: Int(port))
                try await client.answer(.dataFrom())
            }
            #expect(try await settled(100 * 29 - 1000..<100 * 29 + 1, since: before), "\(before) \(left() ?? 0)")
            await peer.stop()
        }
    }

    /// Nor is an empty datagram of its peer's.
    @Test func anEmptyDatagramFromThePeerIsNoSignOfLife() async throws {
        let rules = try self.limits("[limits]\nidle_timeout_secs = 1")
        try await TestNode.withClient(policy: rules) { _, _, client in
            let peer = try await TestDatagrams.start()
            let port = try await client.ask(
                .connectUDP(1, host: "127.0.0.1", port: UInt16(peer.port)), for: .udpBound(1))
            let pulse = Task {
                while !Task.isCancelled {
                    try await peer.send("", to: Int(port))
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            while true { if case .closed(1, .targetTimeout, _) = try await client.answer() { break } }
            pulse.cancel()
            await peer.stop()
        }
    }

    @Test func anEmptyMessageIsNoSignOfLife() async throws {
        let rules = try self.limits("[limits]\nidle_timeout_secs = 2\nrefusals_per_sec = 0")
        try await TestNode.withClient(policy: rules, target: .deaf) { _, target, client in
            try await client.connect(1, port: target.port)
            // On a busy machine the one may have ended before the other is bound.
            client.send(.connectUDP(2, host: "127.0.0.1", port: 9))
            let pulse = Task {
                while !Task.isCancelled {
                    client.send(.send(1, ByteBuffer()))
                    client.send(.send(2, ByteBuffer()))
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            defer { pulse.cancel() }
            var ended: Set<SocketID> = []
            while ended != [1, 2] {
                guard case .closed(let id, .targetTimeout, _) = try await client.answer() else { continue }
                ended.insert(id)
            }
        }
    }

    /// Datagrams of one byte that wait for their socket's name take more memory than their bytes, and cost as much as others.
    @Test func smallDatagramsThatWaitAreBounded() async throws {
        let resolver = HeldResolver()
        try await TestNode.withClient(policy: .unrestricted, resolver: resolver) { node, _, client in
            let inbox = try await TestDatagrams.start()
            client.send(.connectUDP(1, host: "slow.example", port: UInt16(inbox.port)))
            for _ in 0..<4000 { client.send(.send(1, ByteBuffer(string: "x"))) }
            _ = try await client.refusal(.close(99))
            resolver.answerAll("127.0.0.1")
            try await client.answer(.udpBound(1))
            // The system may drop some of them, and the mark behind them.
            let marks = Task {
                while !Task.isCancelled {
                    client.send(.send(1, ByteBuffer(string: "mark")))
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            var count = 0
            while try await inbox.next() != ByteBuffer(string: "mark") { count += 1 }
            marks.cancel()
            #expect((1...node.server.environment.settings.datagramQueueBytes / 256).contains(count))
            await inbox.stop()
        }
    }

    /// As a listener accepts no connection from there.
    @Test func aBoundUDPSocketTakesNothingFromTheDenylist() async throws {
        try await TestNode.withClient(policy: .unrestricted) { node, _, client in
            let port = try await client.ask(.bindUDP(1, host: "127.0.0.1", port: 0), for: .udpBound(1))
            func comes(_ text: String) async throws {
                try await TestDatagrams.send(text, to: Int(port))
                let data = try await client.answer(.dataFrom(1)).data
                #expect(String(buffer: data) == text)
            }
            try await comes("before")
            let subject = try DenylistSubject("127.0.0.1")
            _ = try await node.server.denylistStore.add(subject)
            try await TestDatagrams.send("denied", to: Int(port))
            _ = try await client.refusal(.close(99))
            _ = try await node.server.denylistStore.remove(subject)
            try await comes("after")
        }
    }

    @Test func aBoundUDPSocketWaitsLikeAListener() async throws {
        let rules = try self.limits("[limits]\nidle_timeout_secs = 0.2")
        try await TestNode.withClient(policy: rules) { _, target, client in
            let port = try await client.ask(.bindUDP(1, host: "127.0.0.1", port: 0), for: .udpBound(1))
            try await client.ask(.bind(2, host: "127.0.0.1", port: 0), for: .listening())
            try await client.connect(3, port: target.port)
            // The idle one ends after both of the others would have.
            try await client.answer(.closed(3, .targetTimeout))
            try await TestDatagrams.send("hello", to: Int(port))
            try await client.answer(.dataFrom(1))
        }
    }

    /// However many sockets carry them, not one byte more than the day's.
    @Test(arguments: [1, 10], [false, true])
    func theDaysBytesEndAtTheByte(sockets: Int, limited: Bool) async throws {
        let rules = try self.limits(
            (limited ? "max_bandwidth_mbps = 1000\n" : "") + "[limits]\nbytes_per_day = 1048576")
        try await TestNode.withClient(policy: rules, target: .flood) { node, target, client in
            for id in 1...sockets { client.send(.connect(SocketID(id), host: "127.0.0.1", port: UInt16(target.port))) }
            var received = 0
            var ended = 0
            while ended < sockets {
                switch try await client.answer() {
                case .data(let id, let piece):
                    received += piece.readableBytes
                    client.send(.window(id, bytes: UInt32(piece.readableBytes)))
                case .closed(_, let reason, _):
                    #expect(reason == .byteQuota)
                    ended += 1
                case .refused(_, let refusal):
                    #expect(refusal.code == .byteQuota)
                    ended += 1
                default: break
                }
            }
            #expect(received == 1 << 20)
            #expect(node.ledger?.usage(of: ClientID(text: "a:127.0.0.1"))?.bytesToday == 1 << 20)
            #expect(try await node.settles(sockets: 0, sessions: 1))
        }
    }

    @Test func anUploadIsCutAtTheByte() async throws {
        let rules = try self.limits("[limits]\nbytes_per_day = 100000")
        let count = NIOLockedValueBox(0)
        let target = try await TestTarget.start(.sum(count))
        try await TestNode.withClient(policy: rules) { _, _, client in
            try await client.connect(1, port: target.port)
            for part in 0..<4 { client.send(.send(1, Pattern.bytes(from: part * 30_000, count: 30_000))) }
            while true {
                guard case .closed(1, let reason, _) = try await client.answer() else { continue }
                #expect(reason == .byteQuota)
                break
            }
            for _ in 0..<500 where target.openedCount == 0 || target.openCount > 0 {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(count.withLockedValue { $0 } == 100_000)
        }
        await target.stop()
    }

    // MARK: Reported values

    @Test func theNodesOwnAddressIsShownOnRequestOnly() async throws {
        for show in [false, true] {
            let rules = try self.limits("show_local = \(show)")
            try await TestNode.withClient(policy: rules) { _, target, client in
                let answer = try await client.ask(.connect(1, host: "127.0.0.1", port: UInt16(target.port)))
                guard case .connected(1, let local, let remote, _) = answer else {
                    throw UnexpectedEvent(event: answer)
                }
                #expect(local.hasPrefix(show ? "127.0.0.1:" : "0.0.0.0:") && !local.hasSuffix(":0"))
                #expect(remote == "127.0.0.1:\(target.port)")
            }
        }
    }

    /// Datagrams from the peer that a UDP socket was connected to are received however many others it has sent to since.
    @Test func aConnectedPeerIsNeverForgotten() async throws {
        try await TestNode.withClient(
            policy: .unrestricted, version: .v1, configure: { $0.settings.maxDatagramPeers = 4 }
        ) { _, _, client in
            let peer = try await TestDatagrams.start()
            let port = try await client.ask(
                .connectUDP(1, host: "127.0.0.1", port: UInt16(peer.port)), for: .udpBound(1))
            for other in 1...8 {
                client.send(.sendTo(1, host: "127.0.0.1", port: UInt16(other), ByteBuffer(string: "x")))
            }
            client.send(.send(1, ByteBuffer(string: "to the peer")))
            _ = try await peer.next()
            try await peer.send("answer", to: Int(port))
            let data = try await client.answer(.dataFrom(1)).data
            #expect(String(buffer: data) == "answer")
            await peer.stop()
        }
    }
}
