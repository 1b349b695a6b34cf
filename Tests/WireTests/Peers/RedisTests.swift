import Foundation
import NIOCore
import NIOPosix
import Testing
import WasmnetProtocol
import WasmnetTesting

extension PeersTests {
    /// Redis, which answers many requests of one write in order.
    @Suite(.enabled(if: PeerProcess.isInstalled("redis-server"))) struct RedisTests {
        private func withRedis(_ body: (UInt16) async throws -> Void) async throws {
            try await TemporaryDirectory.with { directory in
                for attempt in 1...5 {
                    let port = try await FreePort.find()
                    let arguments = [
                        "--port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                    ]
                    let isDone = try await PeerProcess.with("redis-server", arguments, in: directory.path) { redis in
                        do {
                            try await redis.output(until: "Ready to accept connections")
                        } catch let failure as PeerProcess.Failure
                            where failure.description.contains("Address already in use") && attempt < 5
                        {
                            // Another program took the port in the meantime.
                            return false
                        }
                        try await body(port)
                        return true
                    }
                    if isDone { return }
                }
            }
        }

        @Test(arguments: [WireVersion.v1, .v2])
        func pingIsAnswered(version: WireVersion) async throws {
            try await self.withRedis { port in
                try await PeersTests.withClient(version: version) { _, _, client in
                    try await client.open(.connect(1, host: "127.0.0.1", port: port))
                    client.send(.send(1, ByteBuffer(string: "PING\r\n")))
                    let (bytes, _) = try await client.read(1) { $0.readableBytes >= 7 }
                    #expect(String(buffer: bytes) == "+PONG\r\n")
                }
            }
        }

        @Test(arguments: [WireVersion.v1, .v2], [WireEncoding.json, .binary])
        func aThousandPipelinedPairsAreAnsweredInOrder(version: WireVersion, encoding: WireEncoding) async throws {
            guard version == .v1 || encoding == .binary else { return }
            var awaited = ByteBuffer()
            try await self.withRedis { port in
                try await PeersTests.withClient(version: version) { _, _, client in
                    try await client.open(.connect(1, host: "127.0.0.1", port: port), as: encoding)
                    for number in 0..<1000 {
                        let value = "value \(number) \(String(repeating: "x", count: number % 97))"
                        let pair = Self.command("SET", "key:\(number)", value) + Self.command("GET", "key:\(number)")
                        client.send(.send(1, ByteBuffer(string: pair)), as: encoding)
                        awaited.writeString("+OK\r\n$\(value.utf8.count)\r\n\(value)\r\n")
                    }
                    let (bytes, last) = try await client.read(1) { $0.readableBytes >= awaited.readableBytes }
                    #expect(last == nil)
                    #expect(bytes == awaited)
                    client.send(.send(1, ByteBuffer(string: Self.command("QUIT"))), as: encoding)
                    let (goodbye, _) = try await client.read(1)
                    #expect(String(buffer: goodbye) == "+OK\r\n")
                }
            }
        }

        /// A command in Redis' own language (RESP 2: an array of bulk strings).
        private static func command(_ words: String...) -> String {
            "*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
        }
    }
}

/// A loopback port that is free at this moment, for programs that cannot choose their own.
enum FreePort {
    static func find() async throws -> UInt16 {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port ?? 0
        try await channel.close()
        return UInt16(port)
    }
}
