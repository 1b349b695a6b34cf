import ArgumentParser
import WasmnetCluster

struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster", abstract: "List the nodes of a cluster.",
        discussion:
            "A node reports every five seconds and is listed until it has been silent for fifteen; one that stops is removed at once."
    )

    @OptionGroup var redis: RedisArguments
    @Flag(help: "JSON instead of a table.") var json = false

    func run() async throws {
        let (nodes, now) = try await self.redis.withRedis { try await NodeRegistry(redis: $0).nodes() }
        if self.json {
            try JSONOutput.print(Report(now: Timestamp.text(milliseconds: now), nodes: nodes.map(Report.Node.init)))
            return
        }
        guard !nodes.isEmpty else {
            print("No node is registered in this Redis.")
            return
        }
        var table = TextTable([
            ("NODE", .left), ("ADDRESS", .left), ("VERSION", .left), ("STATE", .left), ("SESSIONS", .right),
            ("SOCKETS", .right), ("UP", .right), ("SEEN", .right), ("ID", .left),
        ])
        for node in nodes {
            table.add([
                node.name, node.address, node.version, node.state.rawValue, "\(node.sessions)", "\(node.sockets)",
                Self.span(from: node.startedAt, to: now), Self.span(from: node.seenAt, to: now) + " ago", node.id,
            ])
        }
        Terminal.say(table.text)
        let sessions = nodes.reduce(0) { $0 + $1.sessions }
        let sockets = nodes.reduce(0) { $0 + $1.sockets }
        print("\(nodes.count) \(nodes.count == 1 ? "node" : "nodes"), \(sessions) sessions, \(sockets) sockets")
    }

    private static func span(from start: Int64, to end: Int64) -> String {
        TimeSpan(seconds: max(0, (end - start) / 1000)).text
    }

    private struct Report: Encodable {
        var now: String
        var nodes: [Node]

        struct Node: Encodable {
            var id, name, address, version, state: String
            var sessions, sockets: Int
            var startedAt, seenAt: String

            init(_ entry: NodeEntry) {
                self.id = entry.id
                self.name = entry.name
                self.address = entry.address
                self.version = entry.version
                self.state = entry.state.rawValue
                self.sessions = entry.sessions
                self.sockets = entry.sockets
                self.startedAt = Timestamp.text(milliseconds: entry.startedAt)
                self.seenAt = Timestamp.text(milliseconds: entry.seenAt)
            }

            enum CodingKeys: String, CodingKey {
                case id, name, address, version, state, sessions, sockets
                case startedAt = "started_at"
                case seenAt = "seen_at"
            }
        }
    }
}
