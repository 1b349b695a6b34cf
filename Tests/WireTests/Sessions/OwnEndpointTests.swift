import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing
import Wasmnet
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting

/// The node's own endpoints, by every address under which this machine can be reached.
@Suite(.timeLimit(.minutes(1))) struct OwnEndpointTests {
    /// Loopback in every spelling, and the addresses of the machine's interfaces.
    private func local() throws -> [String] {
        let interfaces = try System.enumerateDevices().compactMap { $0.address?.hostAddress }
            .filter { !$0.description.hasPrefix("fe80") }
        return [
            "127.0.0.1", "127.0.0.2", "127.255.255.254", "::1", "0.0.0.0", "::", "localhost", "::ffff:127.0.0.3",
            "64:ff9b::127.0.0.1",
        ] + interfaces.map(\.description)
    }

    private func isOutOfReach(_ port: Int, of client: TestClient) async throws {
        for host in try self.local() {
            let open = try await client.refusal(.connect(1, host: host, port: UInt16(port)))
            let isNamed = host == "localhost" || open.message.contains("the node's own")
            #expect(open.code == .policyDenied && isNamed, "\(host):\(port) \(open)")
            let datagrams = try await client.refusal(.connectUDP(1, host: host, port: UInt16(port)))
            #expect(datagrams.code == .policyDenied, "\(host):\(port)")
        }
    }

    @Test func itsPortsAreDeniedOnEveryLocalAddress() async throws {
        try await TestNode.withClient(
            policy: .unrestricted, configure: { $0.admin = AdminOptions(host: "127.0.0.1", port: 0) }
        ) { node, target, client in
            let admin = Int(node.server.adminAddress?.split(separator: ":").last ?? "") ?? 0
            try await self.isOutOfReach(node.port, of: client)
            try await self.isOutOfReach(admin, of: client)
            // Other endpoints are not denied, and a later policy knows the same.
            try await client.connect(2, port: target.port)
            node.server.replacePolicy(try policy("[network]\nallow = [\"0.0.0.0/0\", \"::/0\", \"localhost\"]"))
            try await self.isOutOfReach(admin, of: client)
        }
    }

    /// The connected master, the sentinel that names it, and a replica without a connection.
    @Test func everyRedisIsDeniedOnEveryLocalAddress() async throws {
        try await withServer { master in
            let configuration = "port PORT\nrepl-diskless-sync-delay 0\nreplicaof 127.0.0.1 \(master.port)"
            try await withServer(configuration) { replica in
                #expect(await replica.output.shows("MASTER <-> REPLICA sync: Finished with success"))
                let sentinel = try await RedisServer.start(
                    "port PORT\nsentinel monitor main 127.0.0.1 \(master.port) 1", sentinel: true)
                try await TestNode.withClient(
                    configure: { $0.redis = RedisOptions(url: "redis+sentinel://localhost:\(sentinel.port)/main") }
                ) { _, _, client in
                    for server in [master, sentinel, replica] { try await self.isOutOfReach(server.port, of: client) }
                    let bound = try await client.refusal(.bind(1, host: "::1", port: UInt16(master.port)))
                    #expect(bound.code == .policyDenied)
                }
                await sentinel.stop()
            }
        }
    }

    /// A name that the policy denies is answered without a lookup, so that it looks the same as one that does not exist.
    @Test func deniedNamesAreNotLookedUp() async throws {
        let resolver = NotedResolver()
        let rules = try policy("[network]\ndeny = [\"*.corp.example\"]\nallow = [\"*\", \"db\"]")
        try await TestNode.withClient(policy: rules, resolver: resolver) { _, _, client in
            for name in ["there.corp.example", "missing.corp.example", "corp.example"] {
                for request in [
                    Request.connect(1, host: name, port: 80), .connectTLS(1, host: name, port: 80),
                    .connectUDP(1, host: name, port: 80), .resolve(1, name: name),
                ] {
                    let refusal = try await client.refusal(request)
                    #expect(refusal.code == .policyDenied, "\(name): \(refusal)")
                }
            }
            #expect(resolver.noted == [])
            for name in ["db", "web", "web.example"] { _ = try await client.refusal(.resolve(1, name: name)) }
            #expect(resolver.noted == ["db wholeName", "web hostsFile", "web.example wholeName"])
        }
    }
}

/// Knows no name, and records the requests and their scopes.
private final class NotedResolver: NameResolver {
    private let names = NIOLockedValueBox<[String]>([])
    var noted: [String] { self.names.withLockedValue { $0 } }

    func resolve(_ name: HostName, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]> {
        eventLoop.makeFailedFuture(Refusal(.nameNotFound, "no such name"))
    }

    func resolve(
        _ name: HostName, _ scope: LookupScope, for asker: LookupAsker, within timeout: TimeAmount,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<[IPAddress]> {
        self.names.withLockedValue { $0.append("\(name.text) \(scope)") }
        return self.resolve(name, on: eventLoop)
    }
}
