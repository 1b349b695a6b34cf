/// The work of the table in docs/performance.md.
enum Catalogue {
    static var all: [any Workload] {
        [
            Bulk(name: "down, 4 sockets on one WebSocket", direction: .down, goal: 0.8),
            Bulk(name: "up, 16 KiB messages", direction: .up, goal: 0.5),
            Bulk(name: "down, JSON", direction: .down, dialect: .v1JSON, goal: 0.2, paths: [.node, .haproxy]),
            Bulk(name: "up, JSON", direction: .up, dialect: .v1JSON, goal: 0.2, paths: [.node, .haproxy]),
            Echo(name: "64 B echo, 64 sockets over 8 WebSockets", size: 64, lanes: 64, carriers: 8, goal: 1),
            Echo(name: "4 KiB echo, 16 sockets on one WebSocket", size: 4096, lanes: 16, carriers: 1, goal: 0.7),
            PingPong(
                name: "64 B ping-pong", beside: .nothing,
                goals: [
                    Measure(kind: .microseconds(percentile: 50), goal: .atMost(1.3)),
                    Measure(kind: .microseconds(percentile: 99)),
                ]),
            Connects(name: "connect, 1 B echo, close", goal: 0.5),
            PingPong(
                name: "ping beside a flood of 10 sockets", beside: .flood(10),
                goals: [
                    Measure(kind: .microseconds(percentile: 50)),
                    Measure(kind: .microseconds(percentile: 99), goal: .below(1000)),
                ], paths: [.node, .haproxy, .direct]),
            PingPong(
                name: "ping beside a download read at 20 MB/s", beside: .slowDownload(bytesPerSecond: 20_000_000),
                goals: [
                    Measure(kind: .microseconds(percentile: 50), goal: .below(30_000)),
                    Measure(kind: .microseconds(percentile: 99)),
                ], paths: [.node]),
        ]
    }
}
