import NIOCore
import WasmnetProtocol
import WasmnetTesting

/// The usual exchange with a node: open, send, read to the end.
extension TestClient {
    /// Opens a TCP or TLS socket and returns the ALPN name.
    @discardableResult
    func open(_ request: Request, as encoding: WireEncoding = .binary) async throws -> String? {
        self.send(request, as: encoding)
        let event = try await self.nextEvent()
        guard case .connected(request.id, _, _, let alpn) = event else { throw UnexpectedEvent(event: event) }
        return alpn
    }

    /// Sends a request that must be refused, and returns the refusal.
    func refusal(of request: Request) async throws -> Refusal {
        self.send(request)
        let event = try await self.nextEvent()
        guard case .refused(request.id, let refusal) = event else { throw UnexpectedEvent(event: event) }
        return refusal
    }

    /// Reads a socket, granting received bytes, until the condition is true for all data or another event arrives.
    func read(
        _ id: SocketID, until condition: (ByteBuffer) -> Bool = { _ in false }
    ) async throws -> (bytes: ByteBuffer, last: Event?) {
        var bytes = ByteBuffer()
        while !condition(bytes) {
            switch try await self.nextEvent() {
            case .data(id, let piece):
                bytes.writeImmutableBuffer(piece)
                if self.version == .v2, piece.readableBytes > 0 {
                    self.send(.window(id, bytes: UInt32(piece.readableBytes)))
                }
            case .window: continue
            case let other: return (bytes, other)
            }
        }
        return (bytes, nil)
    }

    /// Ends a socket from the client's side and reads the rest of it.
    func finish(_ id: SocketID) async throws -> ReasonCode {
        self.send(.close(id))
        while true {
            switch try await self.read(id).last {
            case .closed(id, let reason, _): return reason
            case .end(id): continue
            case .some(let other): throw UnexpectedEvent(event: other)
            case nil: continue
            }
        }
    }
}
