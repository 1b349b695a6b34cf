import NIOCore
import WasmnetProtocol
import WasmnetTesting

/// A client that transfers bytes over many sockets until its day's are spent.
enum DaySpender {
    struct UnexpectedEnd: Error { var reason: ReasonCode }

    /// - Returns: bytes that the client got.
    static func run(node: Int, target: Int, sockets: Int, up: Bool) async throws -> Int {
        let client = try await TestClient.connect(port: node)
        for id in 1...sockets { client.send(.connect(SocketID(id), host: "127.0.0.1", port: UInt16(target))) }
        var passed = 0
        var ended = 0
        while ended < sockets {
            switch try await client.nextEvent(timeout: .seconds(60)) {
            case .connected(let id, _, _, _): if up { Uploader.send(256 << 10, on: id, client) }
            case .window(let id, let bytes):
                if up { Uploader.send(Int(bytes), on: id, client) }
            case .data(let id, let piece):
                passed += piece.readableBytes
                client.send(.window(id, bytes: UInt32(piece.readableBytes)))
            case .closed(_, let reason, _):
                guard reason == .byteQuota else { throw UnexpectedEnd(reason: reason) }
                ended += 1
            case .refused(_, let refusal):
                guard refusal.code == .byteQuota else { throw UnexpectedEnd(reason: refusal.code) }
                ended += 1
            default: break
            }
        }
        await client.close()
        return passed
    }
}
