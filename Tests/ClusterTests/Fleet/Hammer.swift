import NIOCore
import WasmnetProtocol
import WasmnetTesting

/// One client that requests far more than its limit from one node.
///
/// It keeps `width` requests in progress: each opens a socket, holds it for a while and closes it; a refused one is repeated soon.
struct Hammer {
    /// The results of the requests.
    struct Tally: Sendable {
        var opened = 0
        var refusals: [ReasonCode: Int] = [:]
        /// Sockets that the node ended.
        var ended: [ReasonCode: Int] = [:]
        var lostSessions = 0

        static func + (one: Tally, other: Tally) -> Tally {
            Tally(
                opened: one.opened + other.opened,
                refusals: one.refusals.merging(other.refusals, uniquingKeysWith: +),
                ended: one.ended.merging(other.ended, uniquingKeysWith: +),
                lostSessions: one.lostSessions + other.lostSessions)
        }
    }

    let client: TestClient
    let target: UInt16
    let width: Int
    /// How long a socket is held: longer than `Meter.Log.surePeak` takes from its end.
    var hold = TimeAmount.milliseconds(400)
    /// The pause after a refusal.
    var pause = TimeAmount.milliseconds(50)

    static func run(
        node: Int, target: Int, width: Int, for time: TimeAmount, hold: TimeAmount = .milliseconds(400),
        pause: TimeAmount = .milliseconds(50)
    ) async throws -> Tally {
        let client = try await TestClient.connect(port: node)
        let hammer = Hammer(
            client: client, target: UInt16(target), width: width, hold: hold, pause: pause)
        let tally = try await hammer.run(until: .now() + time)
        await client.close()
        return tally
    }

    private func run(until end: NIODeadline) async throws -> Tally {
        var tally = Tally()
        var next: SocketID = 1
        for _ in 0..<self.width { self.open(&next) }
        while NIODeadline.now() < end {
            let incoming: TestClient.Incoming
            do {
                incoming = try await self.client.next(timeout: max(.milliseconds(1), end - .now()))
            } catch {
                break
            }
            guard case .event(let event, _, _) = incoming else {
                tally.lostSessions += 1
                break
            }
            switch event {
            case .connected(let id, _, _, _):
                tally.opened += 1
                self.later(self.hold) { $0.send(.close(id)) }
            case .refused(_, let refusal):
                tally.refusals[refusal.code, default: 0] += 1
                self.openLater(&next)
            case .closed(_, let reason, _):
                if reason != .clientClosed, reason != .normal { tally.ended[reason, default: 0] += 1 }
                self.open(&next)
            default: break
            }
        }
        return tally
    }

    private func open(_ next: inout SocketID) {
        self.client.send(.connect(next, host: "127.0.0.1", port: self.target))
        next += 1
    }

    private func openLater(_ next: inout SocketID) {
        let id = next
        next += 1
        let port = self.target
        self.later(self.pause) { $0.send(.connect(id, host: "127.0.0.1", port: port)) }
    }

    private func later(_ time: TimeAmount, _ body: @escaping @Sendable (TestClient) -> Void) {
        self.client.channel.eventLoop.scheduleTask(in: time) { [client] in body(client) }
    }
}
