import Glibc

/// The server at the far end. The first byte of a connection selects its behaviour: `E` echoes, `F` sends
/// without end, `S` reads and discards, `D` reads nothing.
final class Target: ReactorHandler {
    private static let filler = [UInt8](repeating: 0x5A, count: 64 << 10)

    private let reactor: Reactor
    private let descriptor: Int32
    let port: UInt16
    private var connections: [ObjectIdentifier: Connection] = [:]
    /// Bytes that `S` connections have read.
    private(set) var sunk = 0

    init(on reactor: Reactor) throws {
        self.reactor = reactor
        (self.descriptor, self.port) = try Sockets.listen()
        reactor.add(self.descriptor, reading: true, writing: false, self)
    }

    /// All connections so far.
    private(set) var acceptedCount = 0
    var openCount: Int { self.connections.count }

    func stop() {
        self.reactor.remove(self.descriptor)
        for connection in self.connections.values { connection.close() }
        self.connections = [:]
    }

    func ready(readable: Bool, writable: Bool) {
        for _ in 0..<64 {
            let accepted = accept(self.descriptor, nil, nil)
            guard accepted >= 0 else { return }
            _ = fcntl(accepted, F_SETFL, O_NONBLOCK)
            Sockets.noDelay(accepted)
            self.serve(Connection(descriptor: accepted, isConnected: true, on: self.reactor))
        }
    }

    private func serve(_ connection: Connection) {
        self.acceptedCount += 1
        let key = ObjectIdentifier(connection)
        self.connections[key] = connection
        connection.onEnd = { [unowned self] in self.connections[key] = nil }
        connection.onBytes = { [unowned self, unowned connection] bytes in
            guard let first = bytes.first else { return }
            let rest = UnsafeRawBufferPointer(rebasing: bytes.dropFirst())
            switch first {
            case UInt8(ascii: "F"): Self.flood(connection)
            case UInt8(ascii: "S"):
                connection.onBytes = { [unowned self] in self.sunk += $0.count }
                self.sunk += rest.count
            case UInt8(ascii: "D"): connection.isReading = false
            default:
                connection.onBytes = { [unowned connection] in Self.echo($0, connection) }
                if !rest.isEmpty { Self.echo(rest, connection) }
            }
        }
    }

    private static func echo(_ bytes: UnsafeRawBufferPointer, _ connection: Connection) {
        connection.write(bytes)
        connection.flush()
    }

    private static func flood(_ connection: Connection) {
        let fill = { [unowned connection] in
            self.filler.withUnsafeBytes { connection.write($0) }
            connection.flush()
        }
        connection.onBytes = { _ in }
        connection.onDrained = fill
        connection.wantsToWrite = true
        fill()
    }
}
