package import NIOCore
package import WasmnetProtocol

/// An event that a test waits for, and the value it needs from it. A nil id or code matches any.
package struct Expected<Value>: Sendable {
    private let name: String
    private let match: @Sendable (Event) -> Value?

    private init(_ name: String, _ match: @escaping @Sendable (Event) -> Value?) {
        self.name = name
        self.match = match
    }

    /// - Throws: ``UnexpectedEvent`` for any other event.
    @discardableResult
    package func value(of event: Event) throws -> Value {
        guard let value = self.match(event) else { throw UnexpectedEvent(awaited: self.name, event: event) }
        return value
    }
}

package struct UnexpectedEvent: Error, CustomStringConvertible {
    package let awaited: String
    package let event: Event

    package init(awaited: String = "another event", event: Event) {
        self.awaited = awaited
        self.event = event
    }

    package var description: String { "awaited \(self.awaited), got \(self.event)" }
}

extension TestClient {
    /// Takes the next event, which must be the expected one.
    @discardableResult
    package func expect<Value>(_ expected: Expected<Value>, timeout: TimeAmount = .seconds(20)) async throws -> Value {
        try expected.value(of: await self.nextEvent(timeout: timeout))
    }

    /// Takes the node's close frame, which must come next and have this code.
    package func expectClose(_ code: UInt16) async throws {
        switch try await self.next() {
        case .close(code, _): break
        case let other: throw Unexpected(incoming: other)
        }
    }

    /// Takes the next event that is not credit.
    package func answer(timeout: TimeAmount = .seconds(20)) async throws -> Event {
        while true {
            let event = try await self.nextEvent(timeout: timeout)
            if case .window = event { continue }
            return event
        }
    }

    /// Takes the next event that is not credit, which must be the expected one.
    @discardableResult
    package func answer<Value>(_ expected: Expected<Value>) async throws -> Value {
        try expected.value(of: await self.answer())
    }

    /// Sends a request, and takes the answer.
    package func ask(_ request: Request, as encoding: WireEncoding = .binary) async throws -> Event {
        self.send(request, as: encoding)
        return try await self.answer()
    }

    /// Sends a request, and takes the answer, which must be the expected one.
    @discardableResult
    package func ask<Value>(
        _ request: Request, as encoding: WireEncoding = .binary, for expected: Expected<Value>
    ) async throws -> Value {
        try expected.value(of: await self.ask(request, as: encoding))
    }
}

private func named(_ word: String, _ id: SocketID?, _ more: String? = nil) -> String {
    ([word] + [id.map { "\($0)" }, more].compactMap { $0 }).joined(separator: " ")
}

extension Expected where Value == (local: String, remote: String, alpn: String?) {
    package static func connected(_ id: SocketID? = nil) -> Self {
        Self(named("connected", id)) { event in
            guard case .connected(let of, let local, let remote, let alpn) = event, of == id ?? of else { return nil }
            return (local, remote, alpn)
        }
    }
}

extension Expected where Value == ByteBuffer {
    package static func data(_ id: SocketID? = nil) -> Self {
        Self(named("data", id)) { event in
            if case .data(let of, let data) = event, of == id ?? of { data } else { nil }
        }
    }
}

extension Expected where Value == (data: ByteBuffer, host: String, port: UInt16) {
    package static func dataFrom(_ id: SocketID? = nil) -> Self {
        Self(named("data_from", id)) { event in
            guard case .dataFrom(let of, let data, let host, let port) = event, of == id ?? of else { return nil }
            return (data, host, port)
        }
    }
}

extension Expected where Value == (reason: ReasonCode, message: String) {
    package static func closed(_ id: SocketID? = nil, _ code: ReasonCode? = nil) -> Self {
        Self(named("closed", id, code?.word)) { event in
            guard case .closed(let of, let reason, let message) = event, of == id ?? of, reason == code ?? reason
            else { return nil }
            return (reason, message)
        }
    }
}

extension Expected where Value == Refusal {
    package static func refused(_ id: SocketID? = nil) -> Self {
        Self(named("a refusal", id)) { event in
            if case .refused(let of, let refusal) = event, of == id ?? of { refusal } else { nil }
        }
    }
}

extension Expected where Value == [String] {
    package static func resolved(_ id: SocketID? = nil) -> Self {
        Self(named("resolved", id)) { event in
            if case .resolved(let of, let addresses) = event, of == id ?? of { addresses } else { nil }
        }
    }
}

extension Expected where Value == UInt16 {
    package static func udpBound(_ id: SocketID? = nil) -> Self {
        Self(named("udp_bound", id)) { event in
            if case .udpBound(let of, let port) = event, of == id ?? of { port } else { nil }
        }
    }

    package static func listening(_ id: SocketID? = nil) -> Self {
        Self(named("listening", id)) { event in
            if case .listening(let of, let port) = event, of == id ?? of { port } else { nil }
        }
    }
}

extension Expected where Value == (connection: SocketID, remote: String) {
    package static func accepted(_ id: SocketID? = nil) -> Self {
        Self(named("accepted", id)) { event in
            guard case .accepted(let of, let connection, let remote) = event, of == id ?? of else { return nil }
            return (connection, remote)
        }
    }
}

extension Expected where Value == UInt32 {
    package static func window(_ id: SocketID? = nil) -> Self {
        Self(named("window", id)) { event in
            if case .window(let of, let bytes) = event, of == id ?? of { bytes } else { nil }
        }
    }

    /// Its value: milliseconds until a reconnect.
    package static var goaway: Self {
        Self("goaway") { event in
            if case .goaway(let milliseconds, _) = event { milliseconds } else { nil }
        }
    }
}

extension Expected where Value == Hello {
    package static var hello: Self {
        Self("hello") { event in
            if case .hello(let hello) = event { hello } else { nil }
        }
    }
}
