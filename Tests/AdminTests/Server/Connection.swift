import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A connection that sends raw bytes, and keeps the received ones.
struct Connection {
    private let channel: any Channel
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private let received: Received

    /// - Parameters:
    ///   - source: its source address.
    ///   - reads: false: reads nothing.
    static func with<Value: Sendable>(
        port: Int, from source: String = "127.0.0.1", reads: Bool = true,
        _ body: @escaping @Sendable (Connection) async throws -> Value
    ) async throws -> Value {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(to: try SocketAddress(ipAddress: source, port: 0))
            .channelOption(.autoRead, value: reads)
            .channelOption(.socketOption(.so_rcvbuf), value: reads ? 1 << 20 : 4096)
        let channel = try await bootstrap.connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                    wrappingChannelSynchronously: channel,
                    configuration: .init(backPressureStrategy: .init(lowWatermark: 1 << 10, highWatermark: 1 << 20)))
            }
        }
        let value = NIOLockedValueBox<Value?>(nil)
        do {
            try await channel.executeThenClose { inbound, outbound in
                let received = Received()
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask {
                        // A reset after the answer is an end like another: received data stays.
                        do { for try await buffer in inbound { received.append(buffer) } } catch {}
                        received.end()
                    }
                    defer { tasks.cancelAll() }
                    let connection = Connection(channel: channel.channel, outbound: outbound, received: received)
                    let result = try await body(connection)
                    value.withLockedValue { $0 = result }
                }
            }
        } catch {
            // A channel that is already closed cannot be closed again: that is not a failure of the body.
            guard let value = value.withLockedValue({ $0 }) else { throw error }
            return value
        }
        guard let value = value.withLockedValue({ $0 }) else { throw CancellationError() }
        return value
    }

    /// Sends it, and returns everything until the other side has no more.
    static func exchange(_ text: String, port: Int) async throws -> String {
        try await Self.with(port: port) { connection in
            // A server that has answered no longer reads the rest: the answer counts.
            async let written: Void? = try? connection.write(text)
            let answer = await connection.rest()
            _ = await written
            return answer
        }
    }

    func write(_ text: String) async throws { try await self.outbound.write(ByteBuffer(string: text)) }

    func close() { self.channel.close(promise: nil) }

    var soFar: String { self.received.soFar }

    /// Everything received when the other side has no more.
    func rest() async -> String { await self.received.text(until: nil) }

    /// Everything received once it is enough, or when there is no more.
    func text(until isEnough: @escaping @Sendable (String) -> Bool) async -> String {
        await self.received.text(until: isEnough)
    }

    /// Everything received once it contains the words, or when there is no more.
    func text(until words: String) async -> String { await self.received.text { $0.contains(words) } }
}

/// The received bytes, and the waiters.
private final class Received: Sendable {
    private struct State {
        var bytes = ByteBuffer()
        var isOver = false
        var waiting: [(isEnough: (@Sendable (String) -> Bool)?, continuation: CheckedContinuation<String, Never>)] = []
    }

    private let state = NIOLockedValueBox(State())

    func append(_ buffer: ByteBuffer) { self.update { $0.bytes.writeImmutableBuffer(buffer) } }
    func end() { self.update { $0.isOver = true } }

    var soFar: String { self.state.withLockedValue { String(buffer: $0.bytes) } }

    /// - Parameter isEnough: nil: only all.
    func text(until isEnough: (@Sendable (String) -> Bool)?) async -> String {
        await withCheckedContinuation { continuation in
            self.update { $0.waiting.append((isEnough, continuation)) }
        }
    }

    private func update(_ change: (inout State) -> Void) {
        let answers = self.state.withLockedValue { state -> [(CheckedContinuation<String, Never>, String)] in
            change(&state)
            let isOver = state.isOver
            guard isOver || state.waiting.contains(where: { $0.isEnough != nil }) else { return [] }
            let text = String(buffer: state.bytes)
            let done = state.waiting.filter { isOver || $0.isEnough?(text) == true }
            state.waiting.removeAll { isOver || $0.isEnough?(text) == true }
            return done.map { ($0.continuation, text) }
        }
        for (continuation, text) in answers { continuation.resume(returning: text) }
    }
}
