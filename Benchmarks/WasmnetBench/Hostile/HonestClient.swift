/// The client whose round trips are timed: one WebSocket and a socket on it, a small message at a fixed pace whether the last one is
/// back or not, so that a pause of the node shows in every message during it. Beside that, new WebSockets.
final class HonestClient {
    /// The last byte of its address in 127.0.0.0/24.
    static let host: UInt8 = 200
    private static let message = [UInt8](repeating: 0x33, count: 64)
    private static let pause: UInt64 = 1_000_000
    /// Nanoseconds between two new WebSockets, and the time limit for each.
    private static let newcomerPause: UInt64 = 400_000_000
    private static let patience: UInt64 = 2_000_000_000

    private let port: UInt16
    private let target: Target
    private let reactor: Reactor
    private let session: NodeSession
    private let lane: NodeLane
    private var isOpen = false
    private var sentAt: [UInt64] = []
    private var answered = 0
    private var bytes = 0
    private var roundTrips: [UInt64] = []
    private var newcomer: Newcomer?

    /// Failures: round trips that did not return, the WebSocket lost, new WebSockets that were not served in time.
    private var failures = 0

    init(port: UInt16, target: Target, on reactor: Reactor) throws {
        self.port = port
        self.target = target
        self.reactor = reactor
        self.session = try NodeSession(port: port, dialect: .v2, from: Self.host, on: reactor)
        let session = self.session
        guard reactor.run(seconds: 5, until: { session.isReady }) else { throw BenchError("no session") }
        self.lane = session.open(targetPort: target.port)
        self.lane.onOpen = { [unowned self] in self.isOpen = true }
        self.lane.onClosed = { [unowned self] in self.isOpen = false }
        self.lane.onBytes = { [unowned self] in self.take($0.count) }
        self.lane.send([UInt8(ascii: "E")])
        guard reactor.run(seconds: 5, until: { self.isOpen }) else { throw BenchError("no socket") }
    }

    func close() {
        self.newcomer?.close()
        self.session.close()
    }

    /// - Returns: Round trips in nanoseconds, sorted, and the failures.
    func measure(seconds: Double) -> (roundTrips: [UInt64], failures: Int) {
        (self.sentAt, self.answered, self.bytes, self.roundTrips, self.failures) = ([], 0, 0, [], 0)
        let start = Clock.now
        let end = start + UInt64(seconds * 1e9)
        var next = start
        var nextNewcomer = start + Self.newcomerPause / 2
        self.reactor.onTurn = { [unowned self] in
            let now = Clock.now
            while next <= now, next < end {
                next += Self.pause
                self.ping()
            }
            self.newcomer?.look(now)
            if nextNewcomer <= now, now < end, self.newcomer == nil {
                nextNewcomer += Self.newcomerPause
                self.comeAnew(now)
            }
        }
        self.reactor.run(seconds: seconds)
        let isSettled = { self.answered == self.sentAt.count && self.newcomer == nil }
        if !self.reactor.run(seconds: 3, until: isSettled) {
            // A message that is not back counts as the time until now.
            self.failures += self.isOpen ? 0 : 1
            let now = Clock.now
            self.roundTrips += self.sentAt[self.answered...].map { now - $0 }
        }
        self.reactor.onTurn = nil
        return (self.roundTrips.sorted(), self.failures)
    }

    private func ping() {
        self.sentAt.append(Clock.now)
        if self.isOpen { self.lane.send(Self.message) }
    }

    private func take(_ count: Int) {
        self.bytes += count
        while self.bytes >= Self.message.count, self.answered < self.sentAt.count {
            self.bytes -= Self.message.count
            self.roundTrips.append(Clock.now - self.sentAt[self.answered])
            self.answered += 1
        }
    }

    private func comeAnew(_ now: UInt64) {
        do {
            self.newcomer = try Newcomer(
                port: self.port, target: self.target.port, deadline: now + Self.patience, on: self.reactor
            ) { [unowned self] isServed in
                self.failures += isServed ? 0 : 1
                self.newcomer = nil
            }
        } catch {
            self.failures += 1
        }
    }
}

/// A new WebSocket, and a socket by name on it.
private final class Newcomer {
    private let session: NodeSession
    private let deadline: UInt64
    private let end: (Bool) -> Void
    private var result: Bool?

    init(port: UInt16, target: UInt16, deadline: UInt64, on reactor: Reactor, end: @escaping (Bool) -> Void) throws {
        self.deadline = deadline
        self.end = end
        self.session = try NodeSession(port: port, dialect: .v2, from: HonestClient.host, on: reactor)
        self.session.link.onRefused = { [unowned self] in self.result = false }
        self.session.onReady = { [unowned self] in
            let lane = self.session.open(host: NameServer.honestName, targetPort: target)
            lane.onOpen = { [unowned self] in self.result = true }
            lane.onClosed = { [unowned self] in self.result = self.result ?? false }
        }
    }

    /// Ends it when it is served, refused, or late.
    func look(_ now: UInt64) {
        guard let isServed = self.result ?? (now > self.deadline ? false : nil) else { return }
        self.close()
        self.end(isServed)
    }

    func close() { self.session.close() }
}
