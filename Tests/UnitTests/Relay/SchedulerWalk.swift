import WasmnetProtocol

@testable import WasmnetRelay

/// Every input of a ``ReadScheduler`` about bytes down, with every value that makes a difference.
enum SchedulerInput: Equatable {
    case read(SocketID, isInteractive: Bool, hasRoom: Bool, mayRead: Bool, quantum: Int)
    case nextReader
    case forgetReaders
    case hasRead(SocketID, isUrgent: Bool)
    case queue(SocketID)
    /// The socket whose turn it is sends.
    case turn(bytes: Int, hasMore: Bool)
    case forget(SocketID)
    case turnEnded

    static func all(of id: SocketID) -> [SchedulerInput] {
        let flags = [true, false]
        let reads = flags.flatMap { isInteractive in
            flags.flatMap { hasRoom in
                flags.map { mayRead in
                    SchedulerInput.read(
                        id, isInteractive: isInteractive, hasRoom: hasRoom, mayRead: mayRead, quantum: .max)
                }
            }
        }
        let paced = SchedulerInput.read(id, isInteractive: false, hasRoom: true, mayRead: true, quantum: 3000)
        let turns = [8 << 10, 16 << 10].flatMap { bytes in flags.map { SchedulerInput.turn(bytes: bytes, hasMore: $0) }
        }
        return reads + turns + flags.map { .hasRead(id, isUrgent: $0) }
            + [
                paced, .turn(bytes: 0, hasMore: false), .nextReader, .forgetReaders, .queue(id), .forget(id),
                .turnEnded,
            ]
    }
}

/// A scheduler and a plain model of its inputs: the nodes of the walk.
struct WalkedScheduler: Hashable {
    private(set) var scheduler: ReadScheduler
    /// The sockets that wait for a read, in this order.
    private(set) var line: [SocketID] = []
    /// The sockets that wait for their turn to send.
    private(set) var queued: Set<SocketID> = []
    /// The number that had bytes in this turn of the event loop.
    private(set) var reads = 0
    private(set) var share = SchedulerWalk.largestRead

    init(_ scheduler: ReadScheduler) {
        self.scheduler = scheduler
    }

    /// - Returns: the violated rule; nil if there is none.
    mutating func take(_ input: SchedulerInput) -> String? {
        let broken = self.step(input)
        if self.scheduler.hasReaders == self.line.isEmpty { return "it forgets who is in line" }
        if self.scheduler.nobodyWaits != self.queued.isEmpty { return "it forgets who waits for its turn" }
        if self.scheduler.limit(.max) != self.share { return "a read's share is \(self.scheduler.limit(.max))" }
        return broken
    }

    private mutating func step(_ input: SchedulerInput) -> String? {
        switch input {
        case .read(let id, let isInteractive, let hasRoom, let mayRead, let quantum):
            let read = self.scheduler.read(
                id, isInteractive: isInteractive, hasRoom: hasRoom, mayRead: mayRead, quantum: quantum)
            return self.broken(read, of: id, isInteractive, hasRoom, mayRead, quantum)
        case .nextReader:
            let first = self.line.isEmpty ? nil : self.line.removeFirst()
            if self.scheduler.nextReader() != first { return "the first in line is not the first to read" }
        case .forgetReaders:
            self.scheduler.forgetReaders()
            self.line = []
        case .hasRead(let id, let isUrgent):
            self.reads += 1
            if self.scheduler.hasRead(id, isUrgent: isUrgent) != (isUrgent && !self.queued.contains(id)) {
                return "a keystroke waits, or goes before its own socket's bytes"
            }
        case .queue(let id):
            self.scheduler.queue(id)
            self.queued.insert(id)
        case .turn(let bytes, let hasMore):
            guard let id = self.scheduler.next() else {
                return self.queued.isEmpty ? nil : "nobody's turn comes"
            }
            if !self.queued.contains(id) { return "the turn of one that has nothing to send" }
            self.scheduler.sent(id, bytes: bytes, hasMore: hasMore)
            if !hasMore { self.queued.remove(id) }
        case .forget(let id):
            self.scheduler.forget(id)
            self.queued.remove(id)
        case .turnEnded:
            self.scheduler.turnEnded()
            self.share = max(
                8 << 10, min(SchedulerWalk.largestRead, SchedulerWalk.turnBytes / max(1, self.reads, self.line.count)))
            self.reads = 0
        }
        return nil
    }

    private mutating func broken(
        _ read: ReadScheduler.Read, of id: SocketID, _ isInteractive: Bool, _ hasRoom: Bool, _ mayRead: Bool,
        _ quantum: Int
    ) -> String? {
        switch read {
        case .now(let limit):
            if !mayRead { return "it reads against the client's limits" }
            if !isInteractive, !hasRoom { return "it reads without room" }
            if !isInteractive, !self.line.isEmpty { return "it reads before whoever waits" }
            if limit != (hasRoom ? min(quantum, self.share) : 4 << 10) { return "it reads \(limit) bytes" }
        case .later(let isNew):
            if mayRead, isInteractive || (hasRoom && self.line.isEmpty) { return "it waits for nothing" }
            if isNew == self.line.contains(id) { return "it is in line twice, or not at all" }
            if isNew { self.line.append(id) }
        }
        return nil
    }

    /// With the maximum to send, every waiting socket gets a turn before any gets a third one: a new one goes first once, then
    /// in its round.
    var brokenOrder: String? {
        var scheduler = self.scheduler
        var waiting = self.queued
        var turns: [SocketID: Int] = [:]
        while !waiting.isEmpty {
            guard let id = scheduler.next() else { return "nobody's turn comes" }
            waiting.remove(id)
            turns[id, default: 0] += 1
            if turns[id] == 3 { return "the third turn of \(id) comes before the first of \(waiting)" }
            scheduler.sent(id, bytes: SchedulerWalk.chunk, hasMore: true)
        }
        return nil
    }
}

enum SchedulerWalk {
    /// Twice the minimum of a read, so that a share lies between them.
    static let chunk = 16 << 10
    static let largestRead = 24 << 10
    static let turnBytes = 24 << 10

    static var scheduler: ReadScheduler {
        ReadScheduler(chunk: Self.chunk, largestRead: Self.largestRead, turnBytes: Self.turnBytes)
    }

    struct Broken: Error, CustomStringConvertible {
        let description: String
    }

    /// All states that two sockets can reach, of which at most three have bytes in one turn of the event loop.
    static func all() throws -> Set<WalkedScheduler> {
        var inputs = SchedulerInput.all(of: 1)
        inputs += SchedulerInput.all(of: 2).filter { !inputs.contains($0) }
        var seen: Set = [WalkedScheduler(Self.scheduler)]
        // With how it came to be, for the failure's words.
        var border = seen.map { ($0, Path(last: nil, before: nil)) }
        var index = 0
        while index < border.count {
            let (walked, path) = border[index]
            index += 1
            for input in inputs {
                if walked.reads == 3, case .hasRead = input { continue }
                var after = walked
                let broken = after.take(input)
                let isNew = seen.insert(after).inserted
                if let broken = broken ?? (isNew ? after.brokenOrder : nil) {
                    throw Broken(description: "\(broken): \(path.inputs + [input])")
                }
                if isNew { border.append((after, Path(last: input, before: path))) }
            }
        }
        return seen
    }

    private final class Path {
        let last: SchedulerInput?
        let before: Path?

        init(last: SchedulerInput?, before: Path?) {
            self.last = last
            self.before = before
        }

        var inputs: [SchedulerInput] { (self.before?.inputs ?? []) + (self.last.map { [$0] } ?? []) }
    }
}
