import Testing

@testable import WasmnetRelay

@Suite struct LookupQueueTests {
    private func queue(threads: Int = 32, waiting: Int = 1000, perClient: Int = 100) -> LookupQueue<String> {
        LookupQueue(threads: threads, waiting: waiting, waitingPerClient: perClient)
    }

    @Test func clientsAreServedInTurns() throws {
        var queue = self.queue()
        for id: UInt64 in 1...3 { try queue.add(id, of: "a") }
        for id: UInt64 in 11...12 { try queue.add(id, of: "b") }
        try queue.add(21, of: "c")
        #expect(queue.drain() == [1, 11, 21, 2, 12, 3])
        #expect(queue.waitingCount == 0 && queue.busyThreads == 6)
    }

    /// Threads in all, and the number for a client that is alone.
    @Test(arguments: [(1, 1), (2, 1), (4, 1), (8, 2), (32, 8)])
    func aClientAloneHasAQuarter(threads: Int, part: Int) throws {
        var queue = self.queue(threads: threads)
        for id: UInt64 in 1...20 { try queue.add(id, of: "a") }
        #expect(queue.drain().count == part)
        queue.returned(by: "a")
        #expect(queue.drain() == [UInt64(part + 1)])
        #expect(queue.drain().isEmpty)
    }

    @Test func whoComesLaterFindsAThread() throws {
        var queue = self.queue()
        var parts: [Int] = []
        for client in 0..<8 {
            for id: UInt64 in 1...20 { try queue.add(UInt64(client) * 100 + id, of: "\(client)") }
            parts.append(queue.drain().count)
        }
        // Each a third of the rest.
        #expect(parts == [8, 6, 5, 4, 3, 2, 1, 1])
        try queue.add(1000, of: "late")
        #expect(queue.drain() == [1000])
    }

    @Test func whoHasNoneGoesBeforeWhoHasSome() throws {
        var queue = self.queue(threads: 4)
        for (id, client) in zip([1, 2, 3, 4] as [UInt64], ["a", "b", "c", "d"]) { try queue.add(id, of: client) }
        #expect(queue.drain().count == 4)
        try queue.add(5, of: "a")
        try queue.add(6, of: "b")
        try queue.add(7, of: "e")
        #expect(queue.drain().isEmpty)
        queue.returned(by: "d")
        #expect(queue.drain() == [7])
        // One that is passed over keeps its place: a waited longer than b.
        queue.returned(by: "b")
        queue.returned(by: "a")
        #expect(queue.drain() == [5, 6])
    }

    @Test func whatMayWaitIsBounded() throws {
        var queue = self.queue(threads: 1, waiting: 5, perClient: 3)
        for id: UInt64 in 1...3 { try queue.add(id, of: "a") }
        #expect(throws: LookupQueue<String>.Rejection.clientFull) { try queue.add(4, of: "a") }
        for id: UInt64 in 5...6 { try queue.add(id, of: "b") }
        #expect(throws: LookupQueue<String>.Rejection.full) { try queue.add(7, of: "c") }
        #expect(queue.waitingCount == 5)
        #expect(queue.drain() == [1])
        try queue.add(8, of: "a")
    }

    @Test func whatIsRemovedNeverRuns() throws {
        var queue = self.queue()
        for id: UInt64 in 1...3 { try queue.add(id, of: "a") }
        try queue.add(11, of: "b")
        queue.remove(1, of: "a")
        queue.remove(11, of: "b")
        queue.remove(11, of: "b")
        queue.remove(99, of: "nobody")
        #expect(queue.waitingCount == 2)
        #expect(queue.drain() == [2, 3])
        // One that runs continues, and counts.
        queue.remove(2, of: "a")
        #expect(queue.busyThreads == 2)
        try queue.add(12, of: "b")
        #expect(queue.drain() == [12])
        queue.returned(by: "nobody")
        #expect(queue.busyThreads == 3)
    }

    /// Any operations, in any order: no more run than there are threads, none twice, none is forgotten.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func anyOrder(seed: UInt64) throws {
        var random = Random(seed: seed)
        var queue = self.queue(threads: 5, waiting: 30, perClient: 8)
        var waiting: [UInt64: String] = [:]
        var running: [String] = []
        func take() throws {
            while let (id, client) = queue.next() {
                try #require(waiting.removeValue(forKey: id) == client, "seed \(seed)")
                running.append(client)
            }
            try #require(running.count <= 5 && queue.busyThreads == running.count, "seed \(seed)")
            try #require(queue.waitingCount == waiting.count && waiting.count <= 30, "seed \(seed)")
            // If a thread is free, every waiting client already has one.
            if running.count < 5 { try #require(Set(waiting.values).isSubset(of: running), "seed \(seed)") }
        }
        for id: UInt64 in 1...2000 {
            let client = "\(random.below(7))"
            switch random.below(5) {
            case 0, 1, 2: if (try? queue.add(id, of: client)) != nil { waiting[id] = client }
            case 3:
                if !running.isEmpty { queue.returned(by: running.remove(at: random.below(running.count))) }
            default:
                if let (id, client) = waiting.min(by: { $0.key < $1.key }) {
                    queue.remove(id, of: client)
                    waiting[id] = nil
                }
            }
            try take()
        }
        while !running.isEmpty {
            queue.returned(by: running.removeLast())
            try take()
        }
        try #require(waiting.isEmpty && queue.waitingCount == 0 && queue.busyThreads == 0, "seed \(seed)")
    }
}

extension LookupQueue {
    /// All that can run now, in their order.
    fileprivate mutating func drain() -> [ID] {
        var ids: [ID] = []
        while let (id, _) = self.next() { ids.append(id) }
        return ids
    }
}

private struct Random {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func below(_ bound: Int) -> Int {
        self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(self.state >> 33) % bound
    }
}
