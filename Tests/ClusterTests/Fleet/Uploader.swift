import NIOCore
import WasmnetProtocol
import WasmnetTesting

/// A client that sends to a target for as long as it can, over several sockets.
enum Uploader {
    static func run(node: Int, target: Int, sockets: Int = 2, for time: TimeAmount) async throws {
        let client = try await TestClient.connect(port: node)
        let end = NIODeadline.now() + time
        for id in 1...sockets { client.send(.connect(SocketID(id), host: "127.0.0.1", port: UInt16(target))) }
        while NIODeadline.now() < end {
            guard
                let incoming = try? await client.next(timeout: max(.milliseconds(1), end - .now())),
                case .event(let event, _, _) = incoming
            else { break }
            switch event {
            case .connected(let id, _, _, _): self.send(256 << 10, on: id, client)
            case .window(let id, let bytes): self.send(Int(bytes), on: id, client)
            default: break
            }
        }
        await client.close()
    }

    static func send(_ count: Int, on id: SocketID, _ client: TestClient) {
        var left = count
        while left > 0 {
            let piece = min(left, 16 << 10)
            client.send(.send(id, ByteBuffer(repeating: 7, count: piece)))
            left -= piece
        }
    }
}
