/// Redis calls a second of one client on one node, with everything limited, at some use.
struct CallCount {
    var work: any Workload
    var policy: BenchPolicy

    static let goal = 10.0
    static let header = ["one client on one node", "done", "Redis calls/s", "goal", ""]

    static var all: [CallCount] {
        [
            CallCount(work: Steady(name: "idle, 4 sockets open"), policy: .gigabit),
            CallCount(work: Steady(name: "2 connects a second, a byte each", connects: 2), policy: .gigabit),
            CallCount(
                work: Steady(name: "10 connects and 1 MB both ways a second", connects: 10, bytes: 1_000_000),
                policy: .gigabit),
            CallCount(work: Bulk(name: "down at 1 Gbit/s", direction: .down, paths: [.node]), policy: .gigabit),
            CallCount(work: Bulk(name: "up at 1 Gbit/s", direction: .up, paths: [.node]), policy: .gigabit),
            CallCount(work: Bulk(name: "down, as fast as it goes", direction: .down, paths: [.node]), policy: .counted),
            CallCount(work: Bulk(name: "up, as fast as it goes", direction: .up, paths: [.node]), policy: .counted),
            CallCount(
                work: Steady(name: "200 connects and 20 MB both ways a second", connects: 200, bytes: 20_000_000),
                policy: .counted),
            CallCount(
                work: Connects(name: "16 connects at once, as fast as they go", paths: [.node]), policy: .counted),
            CallCount(
                work: Steady(name: "2,000 connects a second where 20 are allowed", connects: 2000, isOneByOne: false),
                policy: .tight),
            CallCount(
                work: Steady(
                    name: "the same, and 40 MB both ways where 12.5 MB are", connects: 2000, isOneByOne: false,
                    bytes: 40_000_000),
                policy: .tight),
        ]
    }

    func cells(_ field: Field, seconds: Double) throws -> [String] {
        Console.note("calls: \(self.work.name)")
        let sample = try self.work.run(.node, in: field, seconds: seconds)
        let calls = Double(sample.redisCalls) / sample.seconds
        let unit = self.work is Bulk ? "MB/s" : "connects/s"
        return [
            self.work.name, "\(format(sample.units / sample.seconds)) \(unit)", format(calls),
            "<= \(format(Self.goal))", calls <= Self.goal ? "met" : "MISSED",
        ]
    }
}
