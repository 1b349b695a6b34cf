import Glibc
import NIOCore
import WasmnetNet
import WasmnetPolicy

/// The ports that a bind tries in sequence, a bounded number of them in one turn of the event loop.
struct PortAttempts {
    private var walk: PortWalk
    private var turn = 0

    /// Ports tried before other work of the event loop is done.
    private static let perTurn = 16

    init(_ walk: PortWalk) {
        self.walk = walk
    }

    /// The next port that the present policy allows; nil after the last. Without a policy: the next.
    mutating func next(of address: IPAddress, _ transport: TransportProtocol, under policy: Policy?) -> UInt16? {
        while let port = self.walk.next() {
            guard let policy, port > 0 else { return port }
            if policy.decideBind(address: address, port: port, transport: transport).allowed { return port }
        }
        return nil
    }

    /// Whether a failure concerns that port only: it is taken, or this process may not bind it.
    func goOn(after error: any Error) -> Bool {
        guard self.walk.underestimatedCount > 0, let code = (error as? IOError)?.errnoCode else { return false }
        return [EADDRINUSE, EACCES, EPERM].contains(code)
    }

    /// Continues with the next port, after a pause if this turn has had its share.
    func again(on eventLoop: any EventLoop, _ body: @escaping (PortAttempts) -> Void) {
        var next = self
        next.turn += 1
        guard next.turn >= Self.perTurn else { return body(next) }
        next.turn = 0
        let rest = next
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(1)) { body(rest) }
    }
}
