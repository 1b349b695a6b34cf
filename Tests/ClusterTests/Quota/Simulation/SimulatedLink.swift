import NIOCore
import RedisClient
import WasmnetTesting

@testable import WasmnetCluster

/// A node's connection to Redis like its client's: requests in order, an end of the connection at the first missed deadline, and
/// attempts to connect with growing pauses.
final class SimulatedLink: @unchecked Sendable {
    private final class Call {
        let script: RedisScript
        let keys: [RedisArgument]
        let arguments: [RedisArgument]
        let sentAt: Int64
        var deadline: Int64
        var isDone = false
        let done: @Sendable (Result<RESPValue, RedisError>) -> Void

        init(
            _ script: RedisScript, _ keys: [RedisArgument], _ arguments: [RedisArgument], sentAt: Int64,
            deadline: Int64,
            _ done: @escaping @Sendable (Result<RESPValue, RedisError>) -> Void
        ) {
            self.script = script
            self.keys = keys
            self.arguments = arguments
            self.sentAt = sentAt
            self.deadline = deadline
            self.done = done
        }
    }

    private enum State { case waiting, connecting, up }

    private static let deadline = Int64.milliseconds(2500)
    private static let connectTimeout = Int64.seconds(2)
    private static let punctual = Int64.milliseconds(10)

    private let time: VirtualTime
    private let index: Int
    private let server: SimulatedServer
    private unowned let node: SimulatedNode
    private var random: SeededRandom
    private var state = State.waiting
    private var backoff = Backoff()
    /// Which connection this is, and to which process.
    private var connection = 0
    private var process = 0
    private var upSince: Int64 = 0
    private var pending: [Call] = []
    private var queued: [Call] = []
    private var lastArrival: Int64 = 0
    private var lastAnswer: Int64 = 0
    /// Messages are held back, and arrive later.
    private var isCut = false
    /// New connections are refused.
    private var isRefused = false
    private var held: [() -> Void] = []
    /// Up to this much later than usual.
    var slowness: Int64 = 0
    /// Some requests are delivered twice.
    var repeats = false

    /// - Parameter index: of the server.
    init(_ node: SimulatedNode, _ index: Int, _ server: SimulatedServer, _ time: VirtualTime, _ random: SeededRandom) {
        self.node = node
        self.index = index
        self.server = server
        self.time = time
        self.random = random
    }

    var isUp: Bool { self.state == .up && self.process == self.server.process }

    var isUndisturbed: Bool { self.isUp && !self.isCut && !self.isRefused && self.slowness == 0 }

    private func delay() -> Int64 {
        .random(in: 100...2000, using: &self.random)
            + (self.slowness > 0 ? .random(in: self.slowness / 4...self.slowness, using: &self.random) : 0)
    }

    // MARK: Questions

    func run(
        _ script: RedisScript, keys: [RedisArgument], arguments: [RedisArgument], deadline: TimeAmount?,
        then done: @escaping @Sendable (Result<RESPValue, RedisError>) -> Void
    ) {
        let now = self.time.now
        let allowed = deadline.map { $0.nanoseconds / 1000 } ?? Self.deadline
        let call = Call(script, keys, arguments, sentAt: now, deadline: now + allowed, done)
        switch self.state {
        case .waiting: self.node.after(0) { done(.failure(.unavailable("not connected"))) }
        case .connecting:
            self.queued.append(call)
            self.arm(call)
        case .up:
            self.arm(call)
            self.send(call)
        }
    }

    private func arm(_ call: Call) {
        self.node.after(call.deadline - self.time.now) {
            guard !call.isDone else { return }
            let lateness = self.time.now - call.deadline
            if lateness > Self.punctual {
                call.deadline = self.time.now + lateness
                self.arm(call)
            } else if self.state == .up {
                self.end(.deadline(.zero))
            } else {
                self.queued.removeAll { $0 === call }
                call.isDone = true
                call.done(.failure(.deadline(.zero)))
            }
        }
    }

    private func send(_ call: Call) {
        self.pending.append(call)
        self.lastArrival = max(self.lastArrival, self.time.now + self.delay())
        let (connection, process) = (self.connection, self.process)
        self.time.at(self.lastArrival) { self.arrives(call, connection, process) }
    }

    private func arrives(_ call: Call, _ connection: Int, _ process: Int) {
        if self.isCut {
            self.held.append { self.arrives(call, connection, process) }
            return
        }
        self.server.whenRunning {
            guard self.server.isUp, self.server.process == process else { return }
            let result = self.execute(call)
            self.lastAnswer = max(self.lastAnswer, self.time.now + self.delay())
            self.time.at(self.lastAnswer) { self.answered(call, connection, result) }
            // Bytes are counted once for each request; a client of Redis sends none twice.
            if self.repeats, call.script != ClusterScripts.grant, Int.random(in: 0..<8, using: &self.random) == 0 {
                self.time.after(.random(in: 0..<3_000_000, using: &self.random)) {
                    if self.server.isUp, !self.server.isStalled { _ = self.execute(call) }
                }
            }
        }
    }

    private func execute(_ call: Call) -> Result<RESPValue, RedisError> {
        let (result, tally) = self.server.run(call.script, keys: call.keys, arguments: call.arguments)
        if case .success(let reply) = result {
            self.node.isDone(SimulatedQuestion(call.script, call.arguments, reply, tally))
        }
        self.node.note { "\(call.script.name) \(call.arguments.shown) -> \(result.shown)" }
        return result
    }

    private func answered(_ call: Call, _ connection: Int, _ result: Result<RESPValue, RedisError>) {
        if self.isCut {
            self.held.append { self.answered(call, connection, result) }
            return
        }
        self.node.receives {
            guard connection == self.connection, !call.isDone else { return }
            self.pending.removeAll { $0 === call }
            call.isDone = true
            // The registry's answers contain no leases.
            if call.script != ClusterScripts.register { self.node.heard(from: self.index, questionOf: call.sentAt) }
            if call.script == ClusterScripts.grant, case .success(let reply) = result {
                self.node.heardOfDay(call.keys, reply)
            }
            call.done(result)
        }
    }

    // MARK: The connection

    func connect() {
        self.state = .connecting
        self.node.after(2 * self.delay()) { self.attempt(since: self.time.now) }
    }

    private func attempt(since: Int64) {
        if self.server.isUp, !self.isCut, !self.isRefused, !self.server.isStalled {
            self.state = .up
            self.connection += 1
            self.process = self.server.process
            self.upSince = self.time.now
            self.node.note { "connected" }
            let calls = self.queued
            self.queued = []
            for call in calls where !call.isDone { self.send(call) }
            self.node.after(self.delay()) { self.node.isConnected() }
        } else if !self.isCut, !self.server.isUp || self.isRefused || self.time.now - since > Self.connectTimeout {
            self.down(.unavailable("no connection"))
        } else if self.time.now - since > Self.connectTimeout {
            self.down(.unavailable("no answer"))
        } else {
            self.node.after(.milliseconds(100)) { self.attempt(since: since) }
        }
    }

    /// The connection ended.
    func end(_ reason: RedisError) {
        guard self.state == .up else { return }
        self.connection += 1
        if self.time.now - self.upSince >= self.backoff.cap.nanoseconds / 1000 { self.backoff.reset() }
        self.down(reason)
    }

    private func down(_ reason: RedisError) {
        self.state = .waiting
        self.node.note { "disconnected: \(reason)" }
        let wait = self.backoff.next(Double.random(in: 0..<1, using: &self.random))
        self.node.after(wait.nanoseconds / 1000) { self.connect() }
        let calls = self.pending + self.queued
        self.pending = []
        self.queued = []
        for call in calls where !call.isDone {
            call.isDone = true
            call.done(.failure(reason))
        }
        self.node.after(self.delay()) { self.node.isDisconnected() }
    }

    /// The connected process is gone.
    func processEnded() {
        let connection = self.connection
        self.time.after(self.delay()) {
            if self.isCut {
                self.held.append { self.processEnded() }
            } else {
                self.node.receives {
                    if self.connection == connection { self.end(.unavailable("closed by the server")) }
                }
            }
        }
    }

    // MARK: Faults

    /// - Parameter resets: whether the connection ends at once; else neither side is notified.
    func cut(resets: Bool) {
        if resets {
            self.isRefused = true
            self.node.receives { self.end(.unavailable("reset")) }
        } else {
            self.isCut = true
        }
    }

    func mend() {
        self.isRefused = false
        self.isCut = false
        let waiting = self.held
        self.held = []
        for body in waiting { body() }
    }
}
