import NIOCore
import Testing
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting

extension PeersTests {
    /// Bytes inside TLS, and the ends of the two directions.
    @Suite struct TLSStreamTests {
        @Test func sixteenMebibytesGoBothWaysAtOnceAndArriveWhole() async throws {
            let size = 16 << 20
            let target = try TLSPeer.behaviour { DuplexPeer(count: size) }
            try await PeersTests.withClient(target: target) { node, target, client in
                try await client.open(.connectTLS(1, host: "localhost", port: UInt16(target.port)))
                var (sent, received, credit) = (0, 0, 256 << 10)
                var isRight = true
                var report = ByteBuffer()
                while true {
                    while sent < size, credit >= 16 << 10 {
                        let piece = Pattern.bytes(from: sent, count: min(16 << 10, size - sent))
                        sent += piece.readableBytes
                        credit -= piece.readableBytes
                        try await client.sendWaiting(.send(1, piece))
                        if sent == size { client.send(.shutdown(1)) }
                    }
                    let event = try await client.nextEvent()
                    switch event {
                    case .window(1, let more): credit += Int(more)
                    case .data(1, var piece):
                        client.send(.window(1, bytes: UInt32(piece.readableBytes)))
                        if let part = piece.readSlice(length: min(piece.readableBytes, size - received)) {
                            isRight = isRight && Pattern.matches(part, from: received)
                            received += part.readableBytes
                        }
                        report.writeImmutableBuffer(piece)
                    case .end(1): continue
                    case .closed(1, let reason, _):
                        #expect(reason == .normal)
                        #expect(received == size)
                        #expect(isRight)
                        #expect(String(buffer: report) == "\(size) right")
                        #expect(try await node.settles(sockets: 0, sessions: 1))
                        return
                    default: throw UnexpectedEvent(event: event)
                    }
                }
            }
        }

        @Test func aHalfCloseLeavesTheOtherDirectionOpen() async throws {
            let target = try TLSPeer.behaviour { DuplexPeer(count: 0) }
            try await PeersTests.withClient(target: target) { node, target, client in
                try await client.open(.connectTLS(1, host: "localhost", port: UInt16(target.port)))
                client.send(.send(1, Pattern.bytes(from: 0, count: 100_000)))
                client.send(.shutdown(1))
                let (report, last) = try await client.read(1)
                #expect(String(buffer: report) == "100000 right")
                #expect(last == .end(1))
                #expect(try await client.answer() == .closed(1, .normal, message: ""))
                #expect(try await node.settles(sockets: 0, sessions: 1))
            }
        }

        @Test func bytesSentBeforeTheHandshakeArriveInOrder() async throws {
            let target = try TLSPeer.behaviour { DuplexPeer(count: 0) }
            try await PeersTests.withClient(target: target) { _, target, client in
                client.send(.connectTLS(1, host: "localhost", port: UInt16(target.port)))
                for offset in 0..<50 { client.send(.send(1, Pattern.bytes(from: offset * 1000, count: 1000))) }
                client.send(.shutdown(1))
                try await client.answer(.connected(1))
                let (report, last) = try await client.read(1)
                #expect(String(buffer: report) == "50000 right")
                #expect(last == .end(1))
                #expect(try await client.answer() == .closed(1, .normal, message: ""))
            }
        }

        @Test func theTargetsCloseNotifyIsItsEnd() async throws {
            let target = try TLSPeer.behaviour { OneTextPeer("the last words", end: .closeNotify) }
            try await PeersTests.withClient(target: target) { node, target, client in
                try await client.open(.connectTLS(1, host: "localhost", port: UInt16(target.port)))
                client.send(.send(1, ByteBuffer(string: "?")))
                let (bytes, last) = try await client.read(1)
                #expect(String(buffer: bytes) == "the last words")
                #expect(last == .end(1))
                client.send(.shutdown(1))
                #expect(try await client.answer() == .closed(1, .normal, message: ""))
                #expect(try await node.settles(sockets: 0, sessions: 1))
            }
        }

        /// The last bytes and the end arrive in one read, and the client reads them one window after the other.
        @Test(arguments: [false, true])
        func anEndBehindBytesThatWaitForCreditIsStillAnEnd(isTLS: Bool) async throws {
            let size = 5000
            var settings = RelaySettings()
            settings.firstWindowBytes = 1024
            let target =
                isTLS
                ? try TLSPeer.behaviour { LastWordPeer(count: size) }
                : .custom { try $0.pipeline.syncOperations.addHandler(LastWordPeer(count: size)) }
            try await PeersTests.withClient(target: target, settings: settings) { node, target, client in
                let port = UInt16(target.port)
                try await client.open(
                    isTLS ? .connectTLS(1, host: "localhost", port: port) : .connect(1, host: "localhost", port: port))
                client.send(.shutdown(1))
                let (bytes, last) = try await client.read(1)
                #expect(bytes == Pattern.bytes(from: 0, count: size))
                #expect(last == .end(1))
                #expect(try await client.answer() == .closed(1, .normal, message: ""))
                #expect(try await node.settles(sockets: 0, sessions: 1))
            }
        }

        /// An end of TCP without one of TLS may be an attacker's (RFC 8446, section 6.1), so it is not reported as `end`.
        @Test(arguments: [WireVersion.v1, .v2])
        func aTruncationIsNoEnd(version: WireVersion) async throws {
            let target = try TLSPeer.behaviour { OneTextPeer("the last words", end: .truncation) }
            try await PeersTests.withClient(version: version, target: target) { node, target, client in
                try await client.open(.connectTLS(1, host: "localhost", port: UInt16(target.port)))
                client.send(.send(1, ByteBuffer(string: "?")))
                let (bytes, last) = try await client.read(1)
                #expect(String(buffer: bytes) == "the last words")
                guard case .closed(1, let reason, _)? = last else {
                    Issue.record("a truncation was told as \(String(describing: last))")
                    return
                }
                if version == .v2 { #expect(reason == .targetReset) }
                #expect(try await node.settles(sockets: 0, sessions: 1))
            }
        }

        /// Nor is one sent to the target, when the client drops a socket.
        @Test func aResetIsNoEndForTheTarget() async throws {
            let (ends, told) = AsyncStream.makeStream(of: EndTellingPeer.End.self)
            let target = try TLSPeer.behaviour { EndTellingPeer(told) }
            try await PeersTests.withClient(target: target) { node, target, client in
                try await client.open(.connectTLS(1, host: "localhost", port: UInt16(target.port)))
                client.send(.send(1, ByteBuffer(string: "half of a")))
                client.send(.reset(1))
                #expect(try await client.answer() == .closed(1, .clientClosed, message: ""))
                var iterator = ends.makeAsyncIterator()
                #expect(await iterator.next() == .broken)
                #expect(try await node.settles(sockets: 0, sessions: 1))
            }
        }

        @Test func aCloseIsAnEndForTheTarget() async throws {
            let (ends, told) = AsyncStream.makeStream(of: EndTellingPeer.End.self)
            let target = try TLSPeer.behaviour { EndTellingPeer(told) }
            try await PeersTests.withClient(target: target) { node, target, client in
                try await client.open(.connectTLS(1, host: "localhost", port: UInt16(target.port)))
                client.send(.send(1, ByteBuffer(string: "all of it")))
                #expect(try await client.finish(1) == .clientClosed)
                var iterator = ends.makeAsyncIterator()
                #expect(await iterator.next() == .clean)
                #expect(try await node.settles(sockets: 0, sessions: 1))
            }
        }
    }
}
