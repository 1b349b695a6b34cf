import NIOCore
import NIOPosix
package import RedisClient

/// Three masters of a Redis Cluster with a third of the slots each.
package struct RedisClusterServers: Sendable {
    package let nodes: [RedisServer]

    package var url: RedisURL { RedisURL(topology: .cluster([nodes[0].endpoint])) }

    package static func start() async throws -> RedisClusterServers {
        var nodes: [RedisServer] = []
        do {
            for _ in 0..<3 { nodes.append(try await startNode()) }
            let bounds = [0, 5461, 10923, 16384]
            for (index, node) in nodes.enumerated() {
                try await node.command(
                    "CLUSTER", "ADDSLOTSRANGE", RedisArgument(bounds[index]), RedisArgument(bounds[index + 1] - 1))
                try await node.command("CLUSTER", "SET-CONFIG-EPOCH", RedisArgument(index + 1))
            }
            let cluster = RedisClusterServers(nodes: nodes)
            for node in nodes.dropFirst() { try await cluster.meet(node) }
            try await cluster.settle()
            return cluster
        } catch {
            for node in nodes { await node.stop() }
            throw error
        }
    }

    /// Waits until every node knows which node serves every slot. Nodes gossip and announce it nowhere, so it is polled.
    package func settle() async throws {
        for node in nodes {
            while true {
                let reply = try await node.command("CLUSTER", "SLOTS")
                let map = SlotMap(reply, asked: node.endpoint)
                if map?.masters.count == 3, (0..<HashSlot.count).allSatisfy({ map?[$0] != nil }) { break }
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    /// Starts a fourth node that follows one of the masters.
    package func addReplica(of index: Int) async throws -> RedisServer {
        let replica = try await Self.startNode()
        do {
            try await meet(replica)
            let master = try await identity(index)
            // It refuses until it has learned of the master by gossip.
            while (try? await replica.command("CLUSTER", "REPLICATE", master)) == nil {
                try await Task.sleep(for: .milliseconds(20))
            }
            _ = await replica.output.shows("MASTER <-> REPLICA sync: Finished with success")
            // Only masters that know the replica vote for it.
            for node in nodes + [replica] {
                while try await node.command("CLUSTER", "INFO").string?.contains("cluster_known_nodes:4") != true {
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            return replica
        } catch {
            await replica.stop()
            throw error
        }
    }

    private func meet(_ node: RedisServer) async throws {
        let bus = try await node.command("CONFIG", "GET", "cluster-port").array?.last
        try await nodes[0].command(
            "CLUSTER", "MEET", "127.0.0.1", RedisArgument(node.port), RedisArgument(bus?.string ?? ""))
    }

    private static func startNode() async throws -> RedisServer {
        let bus = try await RedisServer.freePort()
        return try await RedisServer.start(
            """
            port PORT
            cluster-enabled yes
            cluster-port \(bus)
            cluster-node-timeout 2000
            cluster-require-full-coverage no
            repl-diskless-sync-delay 0
            """)
    }

    package func identity(_ index: Int) async throws -> RedisArgument {
        .string(try await nodes[index].command("CLUSTER", "MYID").string ?? "")
    }

    /// The first half of a slot's move: after it the slot is open at both ends and no key has moved.
    package func open(_ slot: Int, from source: Int, to target: Int) async throws {
        try await nodes[target].command(
            "CLUSTER", "SETSLOT", RedisArgument(slot), "IMPORTING", try await identity(source))
        try await nodes[source].command(
            "CLUSTER", "SETSLOT", RedisArgument(slot), "MIGRATING", try await identity(target))
    }

    package func migrate(_ key: String, from source: Int, to target: Int) async throws {
        try await nodes[source].command(
            "MIGRATE", "127.0.0.1", RedisArgument(nodes[target].port), .string(key), 0, 5000)
    }

    /// The second half: the target owns it.
    package func assign(_ slot: Int, from source: Int, to target: Int) async throws {
        let owner = try await identity(target)
        for index in [target, source] {
            try await nodes[index].command("CLUSTER", "SETSLOT", RedisArgument(slot), "NODE", owner)
        }
    }

    package func stop() async {
        for node in nodes { await node.stop() }
    }
}

extension RedisServer {
    package var endpoint: RedisEndpoint { .host("127.0.0.1", port: self.port) }

    /// What redis-cli prints for a command.
    package func says(_ words: [String]) async throws -> String {
        try await ChildProgram.run("redis-cli", ["-p", "\(self.port)"] + words).output
    }

    /// Runs one command on a separate connection, as a person with redis-cli would.
    @discardableResult
    package func command(_ words: RedisArgument...) async throws -> RESPValue {
        let connection = try await RedisConnection.connect(
            to: self.endpoint, options: RedisConnectionOptions(commandDeadline: .seconds(10)),
            on: MultiThreadedEventLoopGroup.singleton.any()
        ).get()
        let reply = try await connection.send(RedisCommand(words)).get()
        connection.close()
        if let error = reply.serverError { throw error }
        return reply
    }
}
