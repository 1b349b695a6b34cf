package import NIOCore

/// The messages of some channels, on a separate connection.
///
/// ```swift
/// let subscriber = try RedisSubscriber(url, channels: ["changes"], group: group)
/// for await event in subscriber.events {
///     switch event {
///     case .gap: await readEverything()
///     case .message(_, let payload): apply(payload)
///     }
/// }
/// ```
///
/// Redis keeps no messages for an absent subscriber: important data must be readable elsewhere.
package final class RedisSubscriber: Sendable {
    package enum Event: Sendable, Equatable {
        /// Earlier messages may be missing; those published from now on follow.
        case gap(Gap)
        case message(channel: String, payload: ByteBuffer)
    }

    package enum Gap: Sendable, Equatable {
        /// The first subscription is active.
        case started
        /// The connection was lost and the subscription is active again.
        case reconnected
        /// The reader fell behind by more than the buffer holds.
        case overflow
    }

    private let buffer: EventBuffer
    private let subscription: Subscription

    /// Subscribes at once, and again after every loss, until it is closed.
    ///
    /// - Parameters:
    ///   - capacity: the most events kept for the reader, 1 or more. Default 1,024.
    ///   - pingInterval: how often the server has to answer; a dead peer is noticed within two of them. Default 2 s.
    /// - Throws: ``RedisError/tls(_:_:)`` when the TLS configuration cannot be used.
    package init(
        _ url: RedisURL, channels: [String], options: RedisClientOptions = RedisClientOptions(), capacity: Int = 1024,
        pingInterval: TimeAmount = .seconds(2), group: any EventLoopGroup
    ) throws(RedisError) {
        let settings = LinkSettings(
            connection: try options.connection(url), backoff: options.backoff, random: options.random,
            observer: options.observer)
        let buffer = EventBuffer(capacity: capacity)
        self.buffer = buffer
        subscription = Subscription(
            to: channels, locator: url.locator(url.sentinelDirectory(settings.connection)), settings: settings,
            pingInterval: pingInterval, on: group.any()
        ) { buffer.append($0) }
    }

    /// The unread and future events; for one reader. Ends after ``close()``, and
    /// when the reading task is cancelled.
    package var events: AsyncStream<Event> {
        AsyncStream { [buffer] in
            await buffer.next()
        } onCancel: { [buffer] in
            buffer.finish()
        }
    }

    /// Ends the subscription and the events.
    package func close() {
        subscription.close()
        buffer.finish()
    }
}
