import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RedisClient
import Testing
import WasmnetTesting

let group = MultiThreadedEventLoopGroup.singleton
extension RedisServer {
    var url: RedisURL { RedisURL(topology: .single(endpoint)) }
}

extension RESPValue {
    /// Whether the reply is the simple string `OK`.
    var isOK: Bool { self == .simpleString("OK") }
}

/// The events of links, to be awaited in order.
final class LinkEvents: Sendable {
    private let stream: AsyncStream<RedisLinkEvent>
    private let continuation: AsyncStream<RedisLinkEvent>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream()
    }

    var observer: @Sendable (RedisLinkEvent) -> Void {
        { [continuation] in continuation.yield($0) }
    }

    /// Skips to the first event that matches.
    @discardableResult
    func next(where fits: (RedisLinkEvent) -> Bool) async throws -> RedisLinkEvent {
        for await event in stream where fits(event) { return event }
        throw CancellationError()
    }

    @discardableResult
    func nextDown() async throws -> RedisError? {
        let event = try await next {
            if case .down = $0 { return true }
            return false
        }
        if case .down(_, let error) = event { return error }
        return nil
    }
}

/// Short waits and events for a test whose server stops and restarts.
func testOptions(_ events: LinkEvents? = nil) -> RedisClientOptions {
    var options = RedisClientOptions(
        commandDeadline: .seconds(5), backoff: Backoff(base: .milliseconds(5), cap: .milliseconds(50)))
    if let events { options.observer = events.observer }
    return options
}

/// Runs a test with a client and closes it in any case.
@discardableResult
func withClient<Result>(
    _ url: RedisURL, _ options: RedisClientOptions = testOptions(), _ body: (RedisClient) async throws -> Result
) async throws -> Result {
    let client = try RedisClient(url, options: options, group: group)
    do {
        let result = try await body(client)
        await client.close()
        return result
    } catch {
        await client.close()
        throw error
    }
}

/// A server with scripted answers: for cases that a real one does not produce on demand.
final class ScriptedServer: Sendable {
    private let channel: any Channel
    let endpoint: RedisEndpoint

    /// - Parameter answer: the raw reply to a command; PING is answered already. Nil sends nothing.
    init(_ answer: @escaping @Sendable ([String]) -> String?) async throws {
        channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answerer(answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        endpoint = .host("127.0.0.1", port: try #require(channel.localAddress?.port))
    }

    var address: String { "\(endpoint)" }

    func close() async { try? await channel.close() }

    private final class Answerer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let answer: ([String]) -> String?
        // A command is an array of bulk strings, which the reader of replies also reads.
        private let parser = ReplyParser()

        init(_ answer: @escaping ([String]) -> String?) {
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var commands: [[String]] = []
            try? parser?.feed(unwrapInboundIn(data)) { commands.append(($0.array ?? []).map { $0.string ?? "" }) }
            for words in commands {
                guard let reply = words == ["PING"] ? "+PONG\r\n" : answer(words) else { continue }
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: reply)), promise: nil)
            }
        }
    }
}
