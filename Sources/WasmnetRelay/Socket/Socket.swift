import NIOCore
import WasmnetProtocol

/// One socket of a session, by its kind.
enum Socket {
    case stream(TargetStream)
    case datagram(DatagramSocket)
    case listener(TargetListener)

    /// For all that does not depend on its kind.
    var base: any SessionSocket {
        switch self {
        case .stream(let stream): stream
        case .datagram(let socket): socket
        case .listener(let listener): listener
        }
    }

    /// Whether it is this very object: its id may have been another's before.
    func isSame(as other: some SessionSocket) -> Bool { self.base === other }

    func send(_ data: ByteBuffer) {
        switch self {
        case .stream(let stream): stream.send(data)
        case .datagram(let socket): socket.send(data)
        case .listener(let listener): listener.refuseData()
        }
    }

    /// The client wants no more of it, and nothing of what it sent is to go out any more.
    func reset() {
        if case .stream(let stream) = self { stream.reset() } else { self.base.close() }
    }
}
