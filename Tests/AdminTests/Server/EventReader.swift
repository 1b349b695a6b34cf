import WasmnetAdmin

/// A client of `/v1/events`.
enum EventReader {
    /// The answer to one more client while others read; for a stream, the part before its first event.
    static func answer(of live: LiveServer, others: Int) async throws -> Answer {
        try await self.reading(live, others) {
            try await Connection.with(port: live.address.port) { connection in
                try await connection.write(live.request("GET", "/v1/events"))
                return try Answer(await connection.text(until: "}\n\n"))
            }
        }
    }

    /// Runs the body while this many clients have had an event each and wait for more.
    static func reading<Value: Sendable>(
        _ live: LiveServer, _ count: Int, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        guard count > 0 else { return try await body() }
        return try await Connection.with(port: live.address.port) { connection in
            try await connection.write(live.request("GET", "/v1/events"))
            _ = await connection.text(until: "event: snapshot")
            return try await self.reading(live, count - 1, body)
        }
    }
}
