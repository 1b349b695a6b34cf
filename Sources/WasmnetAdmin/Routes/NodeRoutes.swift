import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import WasmnetText

extension AdminRoutes {
    /// The node as a whole.
    var node: [Route] {
        [
            Route(.get, "/v1/log-level", "log.read") { _ in
                try .json(LogLevel(level: try await self.backend.logLevel()))
            },
            Route(.put, "/v1/log-level", "log.set", body: .json) { call in
                let wanted = try JSONText.decode(LogLevel.self, from: call.body)
                try await self.backend.setLogLevel(wanted.level)
                return try .json(wanted, subject: wanted.level.rawValue)
            },
            Route(.post, "/v1/drain", "node.drain") { _ in
                try .json(try await self.backend.drain(), status: .accepted)
            },
            Route(.get, "/v1/events", "node.events") { _ in
                guard let slot = self.eventSlots.take() else {
                    throw AdminError.unavailable(
                        "too_many_streams", "\(self.configuration.limits.eventClients) clients read events already")
                }
                return Reply(
                    body: .stream(type: "text/event-stream") { writer in try await self.writeEvents(to: &writer, slot) }
                )
            },
        ]
    }

    /// Server-sent events (WHATWG HTML, 9.2): a snapshot each interval until the client goes or the server stops.
    private func writeEvents(to writer: inout any ResponseBodyWriter, _ slot: EventSlots.Slot) async throws {
        // Who loses the connection asks again after two seconds.
        try await writer.write(ByteBuffer(string: "retry: 2000\n\n"))
        var number = 0
        for try await _ in Ticks(interval: self.configuration.limits.eventInterval).cancelOnGracefulShutdown() {
            number += 1
            try await writer.write(try await self.event(number))
        }
        try await writer.finish(nil)
        withExtendedLifetime(slot) {}
    }

    /// A snapshot as an event; where there is none, a comment that keeps the stream going.
    private func event(_ number: Int) async throws -> ByteBuffer {
        do {
            let snapshot = try await withDeadline(self.configuration.limits.requestTime, orThrow: .tooSlow) {
                try await self.backend.snapshot()
            }
            var event = ByteBuffer(string: "event: snapshot\nid: \(number)\ndata: ")
            event.writeBytes(try JSONText.encode(snapshot))
            event.writeString("\n\n")
            return event
        } catch let error as CancellationError {
            throw error
        } catch {
            self.logger.warning("no snapshot for the events", metadata: ["error": "\(error)"])
            return ByteBuffer(string: ": \((error as? AdminError ?? .internalError).code)\n\n")
        }
    }
}

/// `{"level": "debug"}`
private struct LogLevel: Codable {
    let level: Logger.Level

    enum CodingKeys: String, CodingKey, CaseIterable {
        case level
    }

    init(level: Logger.Level) { self.level = level }

    init(from decoder: any Decoder) throws {
        let name = try decoder.strictContainer(CodingKeys.self).decode(String.self, forKey: .level)
        guard let level = Logger.Level(rawValue: name) else {
            let names = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw BodyError(path: "level", "it is one of \(names), not \"\(name.shown())\"")
        }
        self.level = level
    }
}

/// An element at once and then one each interval.
private struct Ticks: AsyncSequence, Sendable {
    let interval: Duration

    struct AsyncIterator: AsyncIteratorProtocol {
        let interval: Duration
        private var isFirst = true

        init(interval: Duration) { self.interval = interval }

        mutating func next() async throws -> Void? {
            if !self.isFirst { try await Task.sleep(for: self.interval) }
            self.isFirst = false
            return ()
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(interval: self.interval) }
}
