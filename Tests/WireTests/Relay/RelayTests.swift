import NIOCore
import Testing
import WasmnetProtocol
import WasmnetTesting

/// One node, real sockets, both versions of the protocol.
@Suite struct RelayTests {
    private let host = "127.0.0.1"

    private func connect(_ client: TestClient, _ id: SocketID, _ target: TestTarget) async throws {
        client.send(.connect(id, host: self.host, port: UInt16(target.port)))
        try await client.expect(.connected(id))
    }

    /// Collects data of one socket until another event.
    private func collect(
        _ client: TestClient, _ id: SocketID, grant: Bool = true
    ) async throws -> (bytes: ByteBuffer, last: Event) {
        var bytes = ByteBuffer()
        while true {
            switch try await client.nextEvent() {
            case .data(id, let piece):
                bytes.writeImmutableBuffer(piece)
                if grant, client.version == .v2 {
                    client.send(.window(id, bytes: UInt32(piece.readableBytes)))
                }
            case .window: continue
            case let other: return (bytes, other)
            }
        }
    }

    @Test(arguments: [WireEncoding.json, .binary])
    func bytesSentBeforeConnectedArriveInOrder(encoding: WireEncoding) async throws {
        try await TestNode.withClient(version: .v1) { _, target, client in
            client.send(.connect(1, host: self.host, port: UInt16(target.port)), as: encoding)
            for piece in ["one ", "two ", "three"] {
                client.send(.send(1, ByteBuffer(string: piece)), as: encoding)
            }
            try await client.expect(.connected(1))
            var received = ""
            while received.utf8.count < 13 {
                guard case .event(.data(1, let piece), let isText, _) = try await client.next() else { break }
                #expect(isText == (encoding == .json))
                received += String(buffer: piece)
            }
            #expect(received == "one two three")
            client.send(.close(1), as: encoding)
            try await client.expect(.closed(1))
        }
    }

    @Test(arguments: [WireVersion.v1, .v2])
    func sixtyFourMebibytesDownArriveWhole(version: WireVersion) async throws {
        let size = 64 << 20
        try await TestNode.withClient(version: version, target: .send(size)) { node, target, client in
            try await self.connect(client, 1, target)
            var received = 0
            var messages = 0
            var isRight = true
            loop: while true {
                switch try await client.nextEvent() {
                case .data(1, let piece):
                    messages += 1
                    isRight = isRight && Pattern.matches(piece, from: received)
                    received += piece.readableBytes
                    if version == .v2 { client.send(.window(1, bytes: UInt32(piece.readableBytes))) }
                case .end(1): client.send(.shutdown(1))
                case .closed(1, let reason, _):
                    #expect(reason == .normal)
                    break loop
                case let other: Issue.record("unexpected \(other)")
                }
            }
            #expect(received == size)
            #expect(isRight)
            // Credit that is granted a message at a time must not make the messages small.
            if version == .v2 { #expect(messages <= size / (4 << 10) + 100) }
            #expect(try await node.settles(sockets: 0, sessions: 1))
        }
    }

    @Test func creditOfAFewBytesIsUsedWhenNoMoreComes() async throws {
        let window = 256 << 10
        try await TestNode.withClient(version: .v2, target: .send(window + 1000)) { _, target, client in
            try await self.connect(client, 1, target)
            for part in [window, 10, 990] {
                if part != window { client.send(.window(1, bytes: UInt32(part))) }
                var received = 0
                while received < part {
                    let piece = try await client.expect(.data(1))
                    received += piece.readableBytes
                }
                #expect(received == part)
            }
            #expect(try await client.nextEvent() == .end(1))
            client.send(.close(1))
        }
    }

    @Test func sixtyFourMebibytesUpArriveWhole() async throws {
        let size = 64 << 20
        try await TestNode.withClient(version: .v2, target: .countThenReport) { _, target, client in
            try await self.connect(client, 1, target)
            var sent = 0
            var credit = 256 << 10
            while sent < size {
                while credit < 16 << 10 {
                    let more = try await client.expect(.window(1))
                    credit += Int(more)
                }
                let piece = Pattern.bytes(from: sent, count: min(16 << 10, size - sent))
                credit -= piece.readableBytes
                sent += piece.readableBytes
                try await client.sendWaiting(.send(1, piece))
            }
            client.send(.shutdown(1))
            let (report, last) = try await self.collect(client, 1)
            #expect(String(buffer: report) == "\(size) right")
            #expect(last == .end(1))
            try await client.expect(.closed(1, .normal))
        }
    }

    @Test func v1UploadIsHeldByItsTargetAndLosesNothing() async throws {
        let size = 16 << 20
        try await TestNode.withClient(version: .v1, target: .echo) { _, target, client in
            try await self.connect(client, 1, target)
            // The echo is not read while this is sent: the node must stop reading, not grow.
            try await client.setReading(false)
            let sender = Task {
                var sent = 0
                while sent < size {
                    let piece = Pattern.bytes(from: sent, count: 16 << 10)
                    sent += piece.readableBytes
                    try await client.sendWaiting(.send(1, piece))
                }
            }
            try await client.setReading(true)
            var received = 0
            while received < size {
                let piece = try await client.expect(.data(1))
                #expect(Pattern.matches(piece, from: received))
                received += piece.readableBytes
            }
            try await sender.value
        }
    }

    @Test func halfCloseTowardTheTargetLeavesTheOtherDirectionOpen() async throws {
        try await TestNode.withClient(target: .countThenReport) { _, target, client in
            try await self.connect(client, 5, target)
            client.send(.send(5, Pattern.bytes(from: 0, count: 1000)))
            client.send(.shutdown(5))
            let (report, last) = try await self.collect(client, 5)
            #expect(String(buffer: report) == "1000 right")
            #expect(last == .end(5))
        }
    }

    @Test func targetEndLeavesTheClientsDirectionOpenInV2() async throws {
        try await TestNode.withClient(target: .send(10)) { _, target, client in
            try await self.connect(client, 5, target)
            let (bytes, last) = try await self.collect(client, 5)
            #expect(bytes.readableBytes == 10)
            #expect(last == .end(5))
            client.send(.send(5, ByteBuffer(string: "still here")))
            client.send(.shutdown(5))
            let reason = try await client.answer(.closed(5)).reason
            #expect(reason == .normal)
        }
    }

    @Test func v1TargetEndIsClosedAndLateSendsAreSilence() async throws {
        try await TestNode.withClient(version: .v1, target: .send(10)) { _, target, client in
            try await self.connect(client, 5, target)
            let (bytes, last) = try await self.collect(client, 5)
            #expect(bytes.readableBytes == 10)
            try Expected.closed(5).value(of: last)
            client.send(.send(5, ByteBuffer(string: "late")))
            client.send(.close(5))
            client.send(.resolve(6, name: "127.0.0.1"))
            #expect(try await client.nextEvent() == .resolved(6, addresses: ["127.0.0.1"]))
        }
    }

    @Test func aTargetThatResetsIsTold() async throws {
        try await TestNode.withClient(target: .reset) { node, target, client in
            try await self.connect(client, 1, target)
            client.send(.send(1, ByteBuffer(string: "x")))
            let reason = try await client.answer(.closed(1)).reason
            #expect(reason == .targetReset)
            #expect(try await node.settles(sockets: 0, sessions: 1))
        }
    }

    @Test func refusedConnectionsSaySo() async throws {
        try await TestNode.withClient { _, target, client in
            await target.stop()
            client.send(.connect(1, host: self.host, port: UInt16(target.port)))
            let refusal = try await client.expect(.refused(1))
            #expect(refusal.code == .refused)
        }
    }

    @Test func theWebSocketsEndEndsEverySocketAndFreesEverySlot() async throws {
        try await TestNode.withClient { node, target, client in
            for id in 1...20 { try await self.connect(client, SocketID(id), target) }
            #expect(try await node.settles(sockets: 20, sessions: 1))
            await client.close()
            #expect(try await node.settles(sockets: 0, sessions: 0))
            for _ in 0..<500 where target.openCount > 0 { try await Task.sleep(for: .milliseconds(10)) }
            #expect(target.openCount == 0)
        }
    }

    @Test func bytesSentBeforeTheWebSocketEndsStillReachTheTarget() async throws {
        let seen = AsyncStream.makeStream(of: Int.self)
        let target = try await TestTarget.start(
            .custom { channel in try channel.pipeline.syncOperations.addHandler(TotalHandler(seen.continuation)) })
        let node = try await TestNode.start()
        let client = try await TestClient.connect(port: node.port, version: .v1)
        try await self.connect(client, 1, target)
        // Data that is unsent in the client itself at a close is the client's loss.
        for offset in 0..<64 {
            try await client.sendWaiting(.send(1, Pattern.bytes(from: offset << 12, count: 1 << 12)))
        }
        await client.close()
        var total: Int?
        for await count in seen.stream {
            total = count
            break
        }
        #expect(total == 64 << 12)
        await target.stop()
        await node.stop()
    }

    @Test func resetDropsTheSocketAtOnce() async throws {
        try await TestNode.withClient(target: .deaf) { node, target, client in
            try await self.connect(client, 1, target)
            client.send(.send(1, Pattern.bytes(from: 0, count: 100_000)))
            client.send(.reset(1))
            try await client.answer(.closed(1, .clientClosed))
            #expect(try await node.settles(sockets: 0, sessions: 1))
        }
    }

    @Test func sendingBeyondTheCreditEndsThatSocketOnly() async throws {
        try await TestNode.withClient(target: .deaf) { _, target, client in
            try await self.connect(client, 1, target)
            try await self.connect(client, 2, target)
            for _ in 0..<20 { client.send(.send(1, Pattern.bytes(from: 0, count: 512 << 10))) }
            let reason = try await client.answer(.closed(1)).reason
            #expect(reason == .protocolError)
            client.send(.resolve(3, name: "127.0.0.1"))
            #expect(try await client.nextEvent() == .resolved(3, addresses: ["127.0.0.1"]))
        }
    }

    @Test func aSocketThatIsNotReadStopsOnlyItself() async throws {
        let flood = try await TestTarget.start(.flood)
        try await TestNode.withClient { _, echo, client in
            try await self.connect(client, 1, flood)
            // Socket 1 gets no credit: exactly its first window arrives, then nothing.
            var received = 0
            while received < 256 << 10 {
                let piece = try await client.expect(.data(1))
                #expect(Pattern.matches(piece, from: received))
                received += piece.readableBytes
            }
            #expect(received == 256 << 10)
            client.send(.connect(2, host: self.host, port: UInt16(echo.port)))
            try await client.expect(.connected(2))
            for round in 0..<100 {
                client.send(.send(2, ByteBuffer(integer: UInt32(round))))
                while true {
                    let event = try await client.nextEvent()
                    if case .window(2, _) = event { continue }
                    #expect(event == .data(2, ByteBuffer(integer: UInt32(round))))
                    break
                }
            }
        }
        await flood.stop()
    }
}

/// Counts its input and reports it at the end.
private final class TotalHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private var total = 0
    private let told: AsyncStream<Int>.Continuation

    init(_ told: AsyncStream<Int>.Continuation) { self.told = told }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.total += self.unwrapInboundIn(data).readableBytes
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            self.told.yield(self.total)
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) { self.told.yield(self.total) }
}
