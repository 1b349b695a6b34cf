import NIOHTTP1
import Logging
import NIOCore
import WasmnetNet

extension AdminRoutes {
    /// The node as a whole.
    var node: [Route] {
        [
            Route(.GET, "/v1/log-level", "log.read") { _ in
                try .json(LogLevel(level: try await self.backend.logLevel()))
            },
            Route(.PUT, "/v1/log-level", "log.set", body: .json) { call in
                let wanted = try JSONText.decode(LogLevel.self, from: call.body)
                try await self.backend.setLogLevel(wanted.level)
                return try .json(wanted, subject: wanted.level.rawValue)
            },
            Route(.POST, "/v1/drain", "node.drain") { _ in
                try .json(try await self.backend.drain(), status: .accepted)
            },
            Route(.GET, "/v1/events", "node.events") { _ in
                guard let slot = self.eventSlots.take() else {
                    throw AdminError.unavailable(
                        "too_many_streams", "\(self.configuration.limits.eventClients) clients already read events")
                }
                return Reply(
                    body: .stream(type: "text/event-stream") { write in try await self.writeEvents(slot, by: write) }
                )
            },
        ]
    }

    /// Server-sent events (WHATWG HTML, 9.2): a snapshot each interval until the client leaves or the server stops.
    private func writeEvents(
        _ slot: EventSlots.Slot, by write: @Sendable (ByteBuffer) async throws -> Void
    ) async throws {
        defer { withExtendedLifetime(slot) {} }
        // A client that loses the connection reconnects after two seconds.
        try await write(ByteBuffer(string: "retry: 2000\n\n"))
        var number = 0
        while true {
            number += 1
            try await write(try await self.event(number))
            try await Task.sleep(for: self.configuration.limits.eventInterval)
        }
    }

    /// A snapshot as an event; if there is none, a comment that keeps the stream going.
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
