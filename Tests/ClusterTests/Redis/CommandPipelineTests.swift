import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import RedisClient

@Suite struct CommandPipelineTests {
    private let endpoint = RedisEndpoint.host("redis.test", port: 6379)

    private struct Fixture {
        let channel: EmbeddedChannel
        let pipeline: CommandPipeline
        let ended: EventLoopFuture<RedisError>

        func submit(_ commands: RedisCommand..., allowed: TimeAmount = .milliseconds(50)) -> [EventLoopFuture<
            RESPValue
        >] {
            let promises = commands.map { _ in channel.eventLoop.makePromise(of: RESPValue.self) }
            pipeline.submit(
                commands, allowed: allowed, deadline: channel.eventLoop.now + allowed, promises: promises)
            return promises.map(\.futureResult)
        }

        func receive(_ text: String) throws {
            try channel.writeInbound(ByteBuffer(string: text))
        }
    }

    private func makeFixture(maxInFlight: Int = 8) throws -> Fixture {
        let channel = EmbeddedChannel()
        let ended = channel.eventLoop.makePromise(of: RedisError.self)
        let pipeline = CommandPipeline(
            endpoint: endpoint, maxInFlight: maxInFlight, limits: RESPLimits(), ended: ended)
        try channel.pipeline.syncOperations.addHandler(pipeline)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 6379)).wait()
        return Fixture(channel: channel, pipeline: pipeline, ended: ended.futureResult)
    }

    /// The current value of the embedded loop's future; waiting for one that never completes would hang the test.
    private func value<Value: Sendable>(_ future: EventLoopFuture<Value>) throws -> Value {
        let outcome = NIOLockedValueBox<Result<Value, any Error>?>(nil)
        future.whenComplete { result in outcome.withLockedValue { $0 = result } }
        return try #require(outcome.withLockedValue { $0 }, "still open").get()
    }

    private func error(_ future: EventLoopFuture<RESPValue>) -> RedisError? {
        do {
            _ = try value(future)
            return nil
        } catch {
            return error as? RedisError
        }
    }

    @Test func commandsOfOneTickLeaveInOneWrite() throws {
        let fixture = try makeFixture()
        let first = fixture.submit(["PING"])
        let second = fixture.submit(["GET", "a"], ["GET", "b"])
        fixture.channel.embeddedEventLoop.run()
        let written = try #require(try fixture.channel.readOutbound(as: ByteBuffer.self))
        #expect(String(buffer: written).split(separator: "*").count == 3)
        #expect(try fixture.channel.readOutbound(as: ByteBuffer.self) == nil)
        try fixture.receive("+PONG\r\n$1\r\nx\r\n:")
        #expect(try value(first[0]) == .simpleString("PONG"))
        #expect(try value(second[0]).string == "x")
        try fixture.receive("3\r\n")
        #expect(try value(second[1]) == .integer(3))
    }

    @Test func aMissedDeadlineEndsTheConnection() throws {
        let fixture = try makeFixture()
        let late = fixture.submit(["GET", "a"], allowed: .milliseconds(50))[0]
        let patient = fixture.submit(["GET", "b"], allowed: .seconds(5))[0]
        let loop = fixture.channel.embeddedEventLoop
        loop.advanceTime(by: .milliseconds(49))
        #expect(fixture.channel.isActive)
        loop.advanceTime(by: .milliseconds(1))
        #expect(!fixture.channel.isActive)
        #expect(error(late) == .deadline(.milliseconds(50)))
        let lost = RedisError.connectionLost(endpoint, "a command's deadline passed")
        #expect(error(patient) == lost)
        #expect(try value(fixture.ended) == lost)
        #expect(error(fixture.submit(["PING"])[0]) == .unavailable("\(lost)"))
    }

    @Test func aShortDeadlineBehindALongOneIsKept() throws {
        let fixture = try makeFixture()
        let patient = fixture.submit(["GET", "a"], allowed: .seconds(5))[0]
        let late = fixture.submit(["GET", "b"], allowed: .milliseconds(10))[0]
        fixture.channel.embeddedEventLoop.advanceTime(by: .milliseconds(10))
        #expect(error(late) == .deadline(.milliseconds(10)))
        #expect(error(patient) == .connectionLost(endpoint, "a command's deadline passed"))
    }

    @Test func anAnsweredCommandHasNoDeadline() throws {
        let fixture = try makeFixture()
        let answered = fixture.submit(["GET", "a"], allowed: .milliseconds(50))[0]
        fixture.channel.embeddedEventLoop.advanceTime(by: .milliseconds(40))
        let later = fixture.submit(["GET", "b"], allowed: .milliseconds(50))[0]
        try fixture.receive(":1\r\n")
        fixture.channel.embeddedEventLoop.advanceTime(by: .milliseconds(49))
        #expect(fixture.channel.isActive)
        #expect(try value(answered) == .integer(1))
        fixture.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(error(later) == .deadline(.milliseconds(50)))
    }

    @Test func commandsInFlightAreCapped() throws {
        let fixture = try makeFixture(maxInFlight: 2)
        let first = fixture.submit(["PING"])[0]
        // A unit is refused as a whole: half of it must not run.
        for refused in fixture.submit(["PING"], ["PING"]) {
            #expect(error(refused) == .overloaded(inFlight: 1))
        }
        try fixture.receive("+PONG\r\n")
        #expect(try value(first) == .simpleString("PONG"))
        #expect(fixture.submit(["PING"], ["PING"]).count == 2)
        fixture.pipeline.end(.closed)
    }

    @Test(arguments: ["*2147483647\r\n", "$99999999999\r\n", "?", "+OK\r\n+MORE\r\n"])
    func unsoundBytesEndTheConnection(text: String) throws {
        let fixture = try makeFixture()
        let future = fixture.submit(["PING"])[0]
        try fixture.receive(text)
        #expect(!fixture.channel.isActive)
        guard case .protocolViolation = try value(fixture.ended) else {
            Issue.record("ended otherwise")
            return
        }
        if text.hasPrefix("+OK") { #expect(try value(future).isOK) } else { #expect(error(future) != nil) }
    }

    @Test func theServersCloseFailsWhatWaits() throws {
        let fixture = try makeFixture()
        let future = fixture.submit(["PING"])[0]
        fixture.channel.pipeline.fireChannelInactive()
        #expect(error(future) == .connectionLost(endpoint, "closed by the server"))
    }
}
