import NIOCore
import NIOEmbedded
import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetRelay

@Suite struct ProxyProtocolHandlerTests {
    /// One connection with the handler at its head, and the pipeline behind it.
    private final class Connection {
        let channel = EmbeddedChannel()
        let counters = AdmissionCounters()
        private(set) var proxiedAddress: [IPAddress?] = []

        init(_ mode: ProxyProtocolMode, isTrusted: Bool) throws {
            let handler = ProxyProtocolHandler(
                mode: mode, isTrusted: isTrusted, timeout: .seconds(5), counters: self.counters
            ) { [unowned self] in self.proxiedAddress.append($1) }
            try self.channel.pipeline.syncOperations.addHandler(handler)
            self.channel.connect(to: try SocketAddress(ipAddress: "192.0.2.1", port: 1), promise: nil)
        }

        func receive(_ bytes: [UInt8]) throws {
            try self.channel.writeInbound(ByteBuffer(bytes: bytes))
        }

        /// All bytes that came through.
        func passedOn() throws -> [UInt8] {
            var bytes: [UInt8] = []
            while let part = try self.channel.readInbound(as: ByteBuffer.self) { bytes += part.readableBytesView }
            return bytes
        }
    }

    private static let request = Array("GET / HTTP/1.1\r\n\r\n".utf8)
    private static let headers = [
        Array("PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n".utf8),
        ProxyBytes.v2(0x21, 0x11, ProxyBytes.v4 + ProxyBytes.tlv),
    ]

    @Test(arguments: [ProxyProtocolMode.optional, .required], 0...1)
    func aTrustedHeaderIsTakenOffWhereverItIsSplit(mode: ProxyProtocolMode, kind: Int) throws {
        let bytes = Self.headers[kind] + Self.request
        for split in 0...bytes.count {
            let connection = try Connection(mode, isTrusted: true)
            try connection.receive(Array(bytes[..<split]))
            try connection.receive(Array(bytes[split...]))
            #expect(connection.proxiedAddress == [IPAddress("203.0.113.7")], "split at \(split)")
            #expect(try connection.passedOn() == Self.request, "split at \(split)")
        }
        let connection = try Connection(mode, isTrusted: true)
        for byte in bytes { try connection.receive([byte]) }
        #expect(connection.proxiedAddress == [IPAddress("203.0.113.7")])
        #expect(try connection.passedOn() == Self.request)
    }

    @Test func aMappedClientIsItsIPv4Address() throws {
        let connection = try Connection(.required, isTrusted: true)
        try connection.receive(Array("PROXY TCP6 ::ffff:203.0.113.7 ::1 1 2\r\n".utf8))
        #expect(connection.proxiedAddress == [IPAddress("203.0.113.7")])
    }

    @Test func theProxysOwnConnectionsArePassedOnAsItself() throws {
        let connection = try Connection(.required, isTrusted: true)
        try connection.receive(ProxyBytes.v2(0x20, 0, []) + Self.request)
        #expect(connection.proxiedAddress == [nil])
        #expect(try connection.passedOn() == Self.request)
    }

    @Test func withoutAHeaderOptionalGoesOnAndRequiredCloses() throws {
        let optional = try Connection(.optional, isTrusted: true)
        try optional.receive(Self.request)
        #expect(optional.proxiedAddress == [nil])
        #expect(try optional.passedOn() == Self.request)

        let required = try Connection(.required, isTrusted: true)
        try required.receive(Self.request)
        #expect(required.proxiedAddress.isEmpty)
        #expect(!required.channel.isActive)
        #expect(required.counters.total(.badProxyHeader) == 1)
    }

    @Test func anUntrustedHeaderIsReadPastIgnoredAndCounted() throws {
        let connection = try Connection(.optional, isTrusted: false)
        try connection.receive(Self.headers[0] + Self.request)
        #expect(connection.proxiedAddress == [nil])
        #expect(try connection.passedOn() == Self.request)
        #expect(connection.counters.total(.untrustedProxyHeader) == 1)
    }

    @Test func whereAHeaderIsRequiredAnUntrustedPeerIsClosedAtOnce() throws {
        let connection = try Connection(.required, isTrusted: false)
        #expect(!connection.channel.isActive)
        #expect(connection.counters.total(.untrustedProxyHeader) == 1)
        #expect(connection.proxiedAddress.isEmpty)
    }

    @Test func aMalformedHeaderCloses() throws {
        for mode in [ProxyProtocolMode.optional, .required] {
            let connection = try Connection(mode, isTrusted: true)
            try connection.receive(Array("PROXY TCP4 nonsense\r\n".utf8) + Self.request)
            #expect(!connection.channel.isActive)
            #expect(try connection.passedOn().isEmpty)
            #expect(connection.counters.total(.badProxyHeader) == 1)
        }
    }

    @Test func aHeaderThatDoesNotEndMeetsItsDeadline() throws {
        let connection = try Connection(.optional, isTrusted: true)
        try connection.receive(Array("PROXY TC".utf8))
        connection.channel.embeddedEventLoop.advanceTime(by: .milliseconds(4999))
        #expect(connection.channel.isActive)
        connection.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(!connection.channel.isActive)
        #expect(connection.counters.total(.badProxyHeader) == 1)
    }

    @Test func aHeaderInTimeEndsTheDeadline() throws {
        let connection = try Connection(.required, isTrusted: true)
        try connection.receive(Self.headers[1])
        connection.channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(connection.channel.isActive)
        #expect(connection.counters.total(.badProxyHeader) == 0)
    }
}
