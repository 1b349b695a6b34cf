import NIOCore
import WasmnetProtocol

/// One socket of a session, by its kind.
enum Socket {
    case stream(TargetStream)
    case datagram(DatagramSocket)
    case listener(TargetListener)

    /// For everything that does not depend on its kind.
    var base: any SessionSocket {
        switch self {
        case .stream(let stream): stream
        case .datagram(let socket): socket
        case .listener(let listener): listener
        }
    }

    func send(_ data: ByteBuffer) {
        switch self {
        case .stream(let stream): stream.send(data)
        case .datagram(let socket): socket.send(data)
        case .listener(let listener): listener.refuseData()
        }
    }

    /// - Returns: false if it is not a datagram socket.
    func sendTo(host: String, port: UInt16, _ data: ByteBuffer) -> Bool {
        guard case .datagram(let socket) = self else { return false }
        socket.sendTo(host: host, port: port, data)
        return true
    }

    /// The client sends no more.
    ///
    /// - Returns: false if it has no directions.
    func shutdown() -> Bool {
        guard case .stream(let stream) = self else { return false }
        stream.shutdown()
        return true
    }

    /// The client wants no more of it, and nothing that it sent may go out any more.
    func reset() {
        if case .stream(let stream) = self { stream.reset() } else { self.base.close() }
    }
}
