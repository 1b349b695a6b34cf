import WasmnetNet
import NIOCore

/// Keeps a connection subscribed to some channels, and forwards the messages.
///
/// RESP2 allows a subscribed connection no other commands, so it has a separate one.
final class Subscription: Sendable {
    private let member: ClientMember

    /// - Parameters:
    ///   - pingInterval: how often the server has to answer; it has as long to do so. A peer that disappeared
    ///     silently is thus noticed within two of them.
    ///   - sink: called on the event loop.
    init(
        to channels: [String], locator: RedisLocator, settings: LinkSettings, pingInterval: TimeAmount = .seconds(2),
        on eventLoop: any EventLoop, sink: @escaping @Sendable (RedisSubscriber.Event) -> Void
    ) {
        let wasLive = Guarded(false)
        let deadline = settings.connection.connectTimeout
        var subscribing = locator
        subscribing.greet = { connection in
            locator.greet(connection).flatMap {
                Self.subscribe(connection, to: channels, deadline: deadline)
            }.map {
                // Still within the read that contained the confirmation, so no message precedes this.
                let again = wasLive.withLock { live in
                    defer { live = true }
                    return live
                }
                sink(.gap(again ? .reconnected : .started))
                Self.ping(connection, every: pingInterval)
            }
        }
        let complete = subscribing
        member = ClientMember(eventLoop) {
            RedisLink(eventLoop: eventLoop, settings: settings, locator: complete) { reply in
                guard let event = RedisSubscriber.Event(reply) else { return }
                sink(event)
            }
        }
    }

    /// Each channel is a separate command, since the server confirms each separately.
    private static func subscribe(
        _ connection: RedisConnection, to channels: [String], deadline: TimeAmount
    ) -> EventLoopFuture<Void> {
        let commands = channels.map { RedisCommand(["SUBSCRIBE", .string($0)]) }
        return EventLoopFuture.whenAllSucceed(
            connection.send(commands, deadline: deadline), on: connection.eventLoop
        ).flatMapThrowing { replies in
            for reply in replies {
                if let error = reply.serverError { throw RedisError.server(error) }
            }
        }
    }

    private static func ping(_ connection: RedisConnection, every interval: TimeAmount) {
        let task = connection.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            // A missed deadline ends the connection; nothing else is needed.
            _ = connection.send(["PING"], deadline: interval)
        }
        connection.ended.whenComplete { _ in task.cancel() }
    }

    func ready() -> EventLoopFuture<Void> { member.ready() }

    func close() { _ = member.close() }
}

extension RedisSubscriber.Event {
    /// Parses `["message", channel, payload]`.
    init?(_ reply: RESPValue) {
        guard let parts = reply.array, parts.count == 3, parts[0].string == "message",
            let channel = parts[1].string, let payload = parts[2].bytes
        else { return nil }
        self = .message(channel: channel, payload: payload)
    }
}
