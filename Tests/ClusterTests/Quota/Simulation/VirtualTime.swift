/// Time that advances from one event to the next. One thread at a time.
final class VirtualTime: @unchecked Sendable {
    private struct Event {
        var at: Int64
        var order: Int
        var body: () -> Void

        static func < (left: Self, right: Self) -> Bool { (left.at, left.order) < (right.at, right.order) }
    }

    /// Microseconds since the beginning.
    private(set) var now: Int64 = 0
    /// A binary heap.
    private var events: [Event] = []
    private var count = 0

    /// Events at the same time run in the order in which they were scheduled.
    func at(_ time: Int64, _ body: @escaping () -> Void) {
        self.count += 1
        self.events.append(Event(at: max(time, self.now), order: self.count, body: body))
        var child = self.events.count - 1
        while child > 0, self.events[child] < self.events[(child - 1) / 2] {
            self.events.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    func after(_ time: Int64, _ body: @escaping () -> Void) { self.at(self.now + time, body) }

    func run(until end: Int64, while goesOn: () -> Bool) {
        while goesOn(), let first = self.events.first, first.at <= end {
            self.removeFirst()
            self.now = first.at
            first.body()
        }
        self.now = max(self.now, end)
    }

    private func removeFirst() {
        self.events.swapAt(0, self.events.count - 1)
        self.events.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < self.events.count && self.events[child] < self.events[least] {
                least = child
            }
            if least == parent { return }
            self.events.swapAt(parent, least)
            parent = least
        }
    }
}

extension Int64 {
    static func milliseconds(_ count: Int64) -> Int64 { count * 1000 }
    static func seconds(_ count: Double) -> Int64 { Int64(count * 1_000_000) }
    var inSeconds: Double { Double(self) / 1_000_000 }
}
