import NIOConcurrencyHelpers
import NIOCore
import Testing
import Wasmnet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting

/// A connection before it is a session, as bytes: the refusals, and its possible cost.
@Suite struct FrontTests {
    private static let key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="

    /// A complete handshake; `changes` replaces lines by their beginnings, nil removes one.
    static func handshake(_ changes: [String: String?] = [:], line: String = "GET / HTTP/1.1") -> String {
        var lines: [String] = []
        for text in [
            "Host: node", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", Self.key,
            "Sec-WebSocket-Protocol: wasmnet.v2",
        ] {
            let name = String(text.prefix { $0 != ":" })
            if let change = changes[name] { lines += change.map { [$0] } ?? [] } else { lines.append(text) }
        }
        lines += changes["more"].flatMap { $0 }.map { [$0] } ?? []
        return ([line] + lines + ["", ""]).joined(separator: "\r\n")
    }

    private func status(_ text: String, _ node: TestNode) async throws -> Int? {
        let client = try await RawClient.connect(port: node.port)
        try await client.send(text)
        let status = try await client.status()
        await client.close()
        return status
    }

    /// RFC 6455, section 4.2.1, and RFC 9112, section 3.
    @Test func whatIsNoHandshakeIsRefused() async throws {
        let node = try await TestNode.start()
        let refused: [(String, String, Int)] = [
            ("no Host", Self.handshake(["Host": nil]), 400),
            ("two Hosts", Self.handshake(["Host": "Host: a\r\nHost: b"]), 400),
            ("HTTP/1.0", Self.handshake(line: "GET / HTTP/1.0"), 400),
            ("HTTP/2.0", Self.handshake(line: "GET / HTTP/2.0"), 505),
            ("no Connection", Self.handshake(["Connection": nil]), 400),
            ("another Connection", Self.handshake(["Connection": "Connection: keep-alive"]), 400),
            ("no upgrade in it", Self.handshake(["Connection": "Connection: upgrades, not-upgrade"]), 400),
            ("a key of 3 bytes", Self.handshake(["Sec-WebSocket-Key": "Sec-WebSocket-Key: QUJD"]), 400),
            (
                "a key of 17 bytes",
                Self.handshake(["Sec-WebSocket-Key": "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA="]), 400
            ),
            (
                "a key that is not base64",
                Self.handshake(["Sec-WebSocket-Key": "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA*A=="]), 400
            ),
            ("no key", Self.handshake(["Sec-WebSocket-Key": nil]), 400),
            ("two keys", Self.handshake(["more": Self.key]), 400),
            ("no version", Self.handshake(["Sec-WebSocket-Version": nil]), 400),
            ("version 8", Self.handshake(["Sec-WebSocket-Version": "Sec-WebSocket-Version: 8"]), 400),
            ("a body", Self.handshake(["more": "Content-Length: 5"]), 400),
            ("another path", Self.handshake(line: "GET /x HTTP/1.1"), 404),
            ("POST", Self.handshake(line: "POST / HTTP/1.1"), 405),
            ("bare line feeds", Self.handshake().replacing("\r\n", with: "\n"), 400),
        ]
        for (name, text, expected) in refused {
            #expect(try await self.status(text, node) == expected, "\(name)")
        }
        let taken: [(String, String)] = [
            ("as it is", Self.handshake()),
            (
                "in other cases",
                Self.handshake(["Connection": "connection: keep-alive, UPGRADE", "Upgrade": "UPGRADE: WebSocket"])
            ),
            ("absolute form", Self.handshake(line: "GET http://node/ HTTP/1.1")),
            ("absolute form without a path", Self.handshake(line: "GET ws://node?x=1 HTTP/1.1")),
            ("an empty body", Self.handshake(["more": "Content-Length: 0"])),
        ]
        for (name, text) in taken { #expect(try await self.status(text, node) == 101, "\(name)") }
        #expect(try await self.status("GET http://node/ HTTP/1.1\r\nHost: node\r\n\r\n", node) == 200)
        #expect(try await self.status("GET / HTTP/1.0\r\n\r\n", node) == 200)
        await node.stop()
    }

    @Test func aHeadHasBounds() async throws {
        let node = try await TestNode.start()
        let request = "GET / HTTP/1.1\r\nHost: node\r\n"
        let long = String(repeating: "x", count: 17 << 10)
        for (text, expected) in [
            ("GET /" + long + " HTTP/1.1\r\nHost: node\r\n\r\n", 414), ("GET /" + long, 414),
            (request + "A: " + long + "\r\n\r\n", 431), (request + "A: " + long, 431),
            (request + String(repeating: "A: 1\r\n", count: 100) + "\r\n", 431),
            (request + String(repeating: "A: 1\r\n", count: 99) + "\r\n", 200),
            (request + "A: " + String(repeating: "x", count: 15 << 10) + "\r\n\r\n", 200),
        ] { #expect(try await self.status(text, node) == expected, "\(text.prefix(40)), \(text.utf8.count) bytes") }
        await node.stop()
    }

    /// A client that sends its whole body before it reads still gets the complete answer.
    @Test(arguments: ["POST / HTTP/1.1", "PUT /nothing HTTP/1.1", "GET /nothing HTTP/1.1"])
    func anAnswerIsReadByWhoIsStillSending(line: String) async throws {
        let node = try await TestNode.start {
            $0.settings.answerLinger = .seconds(60)
            $0.settings.upgradeTimeout = .seconds(60)
        }
        for size in [20_000, 400_000] {
            let client = try await RawClient.connect(port: node.port, reads: false)
            try await client.send("\(line)\r\nHost: node\r\nContent-Length: \(size)\r\n\r\n")
            for _ in 0..<20 { try await client.send(ByteBuffer(repeating: 0x61, count: size / 20)) }
            try await client.setReading(true)
            let text = try await client.text()
            #expect(text.hasPrefix(line.hasPrefix("POST") ? "HTTP/1.1 405 " : "HTTP/1.1 404 "), "\(text)")
            #expect(text.hasSuffix("\n"))
            #expect(try await !client.wasReset())
            await client.close()
        }
        await node.stop()
    }

    /// It lingers within a bound of bytes, however long it might.
    @Test func whoNeverStopsSendingIsCutOff() async throws {
        let node = try await TestNode.start {
            $0.settings.answerLinger = .seconds(60)
            $0.settings.upgradeTimeout = .seconds(60)
        }
        let client = try await RawClient.connect(port: node.port)
        try await client.send("POST / HTTP/1.1\r\nHost: node\r\nContent-Length: 100000000\r\n\r\n")
        await #expect(throws: (any Error).self) {
            for _ in 0..<4000 { try await client.send(ByteBuffer(repeating: 0x61, count: 16 << 10)) }
        }
        await node.stop()
    }

    /// And within a bound of time.
    @Test func whoWaitsBehindTheAnswerIsCutOff() async throws {
        let node = try await TestNode.start {
            $0.settings.answerLinger = .milliseconds(300)
            $0.settings.upgradeTimeout = .seconds(60)
        }
        let silent = try await RawClient.connect(port: node.port)
        try await silent.send("POST / HTTP/1.1\r\nHost: node\r\nContent-Length: 9\r\n\r\n")
        #expect(try await silent.status() == 405)
        let pending = node.server.environment.pending
        for _ in 0..<1000 where pending.count > 0 { try await Task.sleep(for: .milliseconds(10)) }
        #expect(pending.count == 0)
        await node.stop()
    }

    // MARK: Connections that are not admitted

    /// One address opens silent connections; another is still admitted, and the oldest of the first are closed.
    @Test func idleConnectionsOfOneAddressAreAtMost64() async throws {
        let node = try await TestNode.start { $0.settings.upgradeTimeout = .seconds(60) }
        var idle: [RawClient] = []
        for _ in 0..<80 { idle.append(try await RawClient.connect(port: node.port, from: "127.0.0.77")) }
        for client in idle[..<16] { #expect(try await client.text() == "") }
        #expect(node.server.environment.pending.count == 64)
        #expect(idle.last?.channel.isActive == true)
        let other = try await TestClient.connect(port: node.port)
        await other.close()
        // A session does not count.
        var sessions: [TestClient] = []
        for _ in 0..<70 { sessions.append(try await TestClient.connect(port: node.port)) }
        // A client has its answer a moment before the node has counted it.
        let pending = node.server.environment.pending
        for _ in 0..<500 where pending.count > 64 { try await Task.sleep(for: .milliseconds(10)) }
        #expect(pending.count == 64)
        for client in sessions { await client.close() }
        for client in idle { await client.close() }
        await node.stop()
    }

    /// A session that has ended no longer counts, but its connection exists until the client closes it: at most 64 of one address.
    @Test func connectionsOfEndedSessionsAreBounded() async throws {
        let node = try await TestNode.start { $0.settings.closeTimeout = .seconds(60) }
        var clients: [RawClient] = []
        for _ in 0..<80 {
            let client = try await RawClient.connect(port: node.port, from: "127.0.0.78")
            try await client.send(Self.handshake())
            _ = try await client.bytes { String(decoding: $0.readableBytesView, as: UTF8.self).contains("\r\n\r\n") }
            // A frame without a mask ends it with 1002; this client does not answer.
            try await client.send(ByteBuffer(bytes: [0x82, 0]))
            clients.append(client)
        }
        let pending = node.server.environment.pending
        // The last was closed as a handshake, and lingers a moment later.
        for _ in 0..<500 where pending.count < 64 { try await Task.sleep(for: .milliseconds(10)) }
        #expect(pending.count == 64 && pending.dropped == 16)
        #expect(try await node.settles(sockets: 0, sessions: 0))
        let other = try await TestClient.connect(port: node.port)
        await other.close()
        for client in clients { await client.close() }
        for _ in 0..<500 where pending.count > 0 { try await Task.sleep(for: .milliseconds(10)) }
        #expect(pending.count == 0)
        await node.stop()
    }

    /// A trusted proxy's connections count for its clients, which its PROXY headers name.
    @Test func aTrustedProxysConnectionsCountForTheirClients() async throws {
        let rules = try policy("[clients]\ntrusted_proxies = [\"127.0.0.1\"]")
        let node = try await TestNode.start(policy: rules) {
            $0.proxyProtocol = .optional
            $0.settings.proxyHeaderTimeout = .seconds(60)
        }
        var clients: [RawClient] = []
        for _ in 0..<100 { clients.append(try await RawClient.connect(port: node.port)) }
        for _ in 0..<500 where node.server.environment.pending.count < 100 {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(node.server.environment.pending.count == 100)
        for client in clients { try await client.send("PROXY TCP4 192.0.2.7 192.0.2.1 1000 80\r\n") }
        for client in clients[..<36] { #expect(try await client.text() == "") }
        #expect(node.server.environment.pending.count == 64)
        for client in clients { await client.close() }
        await node.stop()
    }

    // MARK: Drain

    /// From the signal on no session begins, on no connection.
    @Test func noConnectionFromBeforeADrainBecomesASession() async throws {
        let target = try await TestTarget.start(.echo)
        let node = try await TestNode.start {
            $0.drainTimeoutSeconds = 20
            // Not the signal that ends any of them.
            $0.settings.upgradeTimeout = .seconds(60)
            $0.settings.answerLinger = .seconds(60)
        }
        let live = try await TestClient.connect(port: node.port)
        _ = try await live.next()
        try await live.connect(1, port: target.port)
        let idle = try await RawClient.connect(port: node.port)
        let underWay = try await RawClient.connect(port: node.port)
        let page = try await RawClient.connect(port: node.port)
        let plain = try await RawClient.connect(port: node.port)
        let half = Self.handshake()
        let pageText = Self.handshake(["more": "Origin: https://page.example"])
        let pending = node.server.environment.pending
        let begun = [(underWay, String(half.prefix(20))), (page, String(pageText.prefix(20))), (plain, "GET / HT")]
        for (client, text) in begun {
            let held = pending.headBytes
            try await client.send(text)
            for _ in 0..<500 where pending.headBytes == held { try await Task.sleep(for: .milliseconds(10)) }
        }
        for _ in 0..<500 where pending.count < 4 { try await Task.sleep(for: .milliseconds(10)) }
        node.server.beginDrain()
        try await live.answer(.goaway)
        #expect(try await idle.text() == "")
        try await underWay.send(String(half.dropFirst(20)))
        let answer = try await underWay.text()
        #expect(answer.hasPrefix("HTTP/1.1 503 ") && answer.contains("Retry-After: 1\r\n"), "\(answer)")
        try await plain.send("TP/1.1\r\nHost: node\r\n\r\n")
        #expect(try await plain.text().hasPrefix("HTTP/1.1 503 "))
        // A page cannot see the status: its WebSocket opens, and closes at once with 1013.
        try await page.send(String(pageText.dropFirst(20)))
        let bytes = try await page.bytes { $0.readableBytesView.suffix(8).elementsEqual("draining".utf8) }
        #expect(String(buffer: bytes).hasPrefix("HTTP/1.1 101 "))
        #expect(Array(bytes.readableBytesView.suffix(12)) == [0x88, 10, 0x03, 0xF5] + Array("draining".utf8))
        await #expect(throws: (any Error).self) { _ = try await TestClient.connect(port: node.port) }
        #expect(try await live.echoes(1, "still here"))
        await live.close()
        await target.stop()
        await node.stop()
    }

    /// A balancer that retries has to see the status, also of a page's request.
    @Test func aTrustedProxySeesTheStatusOfADrain() async throws {
        let rules = try policy("[clients]\ntrusted_proxies = [\"127.0.0.1\"]")
        let node = try await TestNode.start(policy: rules) { $0.drainTimeoutSeconds = 20 }
        let live = try await TestClient.connect(port: node.port)
        let page = try await RawClient.connect(port: node.port)
        let text = Self.handshake(["more": "Origin: https://page.example"])
        try await page.send(String(text.prefix(20)))
        let pending = node.server.environment.pending
        for _ in 0..<500 where pending.headBytes == 0 { try await Task.sleep(for: .milliseconds(10)) }
        node.server.environment.registry.close()
        try await page.send(String(text.dropFirst(20)))
        #expect(try await page.text().hasPrefix("HTTP/1.1 503 "))
        await live.close()
        await node.stop()
    }

    // MARK: The end of a WebSocket

    /// Data waits for a client that does not read; its close frame arrives: every frame it gets is complete, and the last is the answer.
    @Test func aCloseIsAnsweredBehindWholeFrames() async throws {
        let target = try await TestTarget.start(.flood)
        let node = try await TestNode.start()
        for _ in 0..<5 {
            let client = try await RawClient.connect(port: node.port, receiveBuffer: 8 << 10)
            try await client.send(Self.handshake(["Sec-WebSocket-Protocol": nil]))
            _ = try await client.bytes { String(buffer: $0).contains("\r\n\r\n") }
            let connect = Array(#"{"op":"connect","id":1,"addr":"127.0.0.1","port":\#(target.port)}"#.utf8)
            try await client.send(ByteBuffer(bytes: Self.frame(1, connect)))
            _ = try await client.bytes { $0.readableBytes > 300_000 }
            try await client.setReading(false)
            // Until the kernel's buffer for this client is full, and the node waits in the middle of a frame.
            try await Task.sleep(for: .milliseconds(200))
            try await client.send(ByteBuffer(bytes: Self.frame(8, [3, 232])))
            try await client.setReading(true)
            let bytes = try await client.bytes()
            let opcodes = try Self.opcodes(Array(bytes.readableBytesView))
            #expect(opcodes.last == 8 && opcodes.count { $0 == 8 } == 1, "\(opcodes)")
            #expect(try await !client.wasReset())
            await client.close()
        }
        await target.stop()
        await node.stop()
    }

    private static func frame(_ opcode: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let head: [UInt8] =
            payload.count < 126
            ? [0x80 | UInt8(payload.count)] : [0xFE, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        return [0x80 | opcode] + head + [0, 0, 0, 0] + payload
    }

    /// Of the frames after a handshake's answer. Fails if the last is truncated.
    private static func opcodes(_ bytes: [UInt8]) throws -> [UInt8] {
        struct Cut: Error {}
        let end = Array("\r\n\r\n".utf8)
        var index = try #require(bytes.indices.first { bytes[$0...].starts(with: end) }) + 4
        var opcodes: [UInt8] = []
        while index < bytes.count {
            guard index + 2 <= bytes.count else { throw Cut() }
            var length = Int(bytes[index + 1])
            var start = index + 2
            let extended = length == 126 ? 2 : length == 127 ? 8 : 0
            if extended > 0 {
                guard start + extended <= bytes.count else { throw Cut() }
                length = bytes[start..<(start + extended)].reduce(0) { $0 << 8 | Int($1) }
                start += extended
            }
            guard start + length <= bytes.count else { throw Cut() }
            opcodes.append(bytes[index] & 0x0F)
            index = start + length
        }
        return opcodes
    }
}
