import NIOCore
import NIOPosix
import RedisClient
import WasmnetNet
import WasmnetPolicy
import WasmnetRelay

/// Keeps the node's own endpoints out of every client's reach: its port, the admin server's, and every Redis that it knows of.
final class OwnEndpoints: Sendable {
    private struct State {
        /// Nil until there are policies to update. Its Redis client holds this object.
        weak var environment: RelayEnvironment?
        var ports: [UInt16] = []
        /// Those of the configuration first, then the others in the order in which they were found.
        var servers: [RedisEndpoint] = []
        var configured = 0
        /// The resolved addresses of server names.
        var addresses: [HostName: [IPAddress]] = [:]

        var endpoints: [ProtectedEndpoint] {
            self.ports.map { ProtectedEndpoint(address: nil, port: $0) }
                + self.servers.flatMap { server -> [ProtectedEndpoint] in
                    guard case .host(let host, let number) = server, let port = UInt16(exactly: number) else {
                        return []
                    }
                    if let address = IPAddress(host) { return [ProtectedEndpoint(address: address, port: port)] }
                    guard let name = try? HostName(parsing: host) else { return [] }
                    return [ProtectedEndpoint(name: name, port: port)]
                        + self.addresses[name, default: []].map { ProtectedEndpoint(address: $0, port: port) }
                }
        }
    }

    private let state = Guarded(State())
    private let resolver: any NameResolver
    /// How often names are looked up again.
    private static let interval = Duration.seconds(10)
    /// The most servers remembered besides the configured ones; a fake Redis could name any number.
    private static let maxFound = 1024

    init(resolver: any NameResolver) {
        self.resolver = resolver
    }

    /// From now on the policies of this environment are kept up to date.
    func protect(in environment: RelayEnvironment) {
        self.change { $0.environment = environment }
    }

    /// A port that the node listens on; protected on every address of the machine, since it may be reached by any of them.
    func add(port: Int?) {
        guard let port = port.flatMap({ UInt16(exactly: $0) }), port > 0 else { return }
        self.change { if !$0.ports.contains(port) { $0.ports.append(port) } }
    }

    /// The servers that the configuration names.
    func add(configured servers: [RedisEndpoint]) {
        self.change {
            $0.servers = servers + $0.servers.filter { !servers.contains($0) }
            $0.configured = servers.count
        }
        for server in servers { self.lookUp(server) }
    }

    /// A discovered server; from any thread.
    func add(found server: RedisEndpoint) {
        guard self.state.withLock({ !$0.servers.contains(server) }) else { return }
        self.change { state in
            guard !state.servers.contains(server) else { return }
            state.servers.append(server)
            if state.servers.count > state.configured + Self.maxFound { state.servers.remove(at: state.configured) }
        }
        self.lookUp(server)
    }

    /// Looks up names again periodically, until its task is cancelled.
    func watch() async {
        while (try? await Task.sleep(for: Self.interval)) != nil {
            for server in self.state.withLock({ $0.servers }) { self.lookUp(server) }
        }
    }

    private func lookUp(_ server: RedisEndpoint) {
        guard case .host(let host, _) = server, IPAddress(host) == nil, let name = try? HostName(parsing: host) else {
            return
        }
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        self.resolver.resolve(name, on: eventLoop).whenSuccess { addresses in
            // If there is no answer for a name the addresses last known stay.
            guard self.state.withLock({ $0.addresses[name] != addresses }) else { return }
            self.change { $0.addresses[name] = addresses }
        }
    }

    /// Within the lock, so that of two changes the later one reaches the policies last.
    private func change(_ body: (inout State) -> Void) {
        self.state.withLock { state in
            body(&state)
            let endpoints = state.endpoints
            state.environment?.changePlace { $0.endpoints = endpoints }
        }
    }
}

/// Learns from the network's DNS which prefixes it translates to IPv4 (RFC 7050).
enum Translators {
    /// How often DNS is queried. The answer's time to live is not known here.
    private static let interval = Duration.seconds(300)

    /// Queries now and periodically until its task is cancelled. Without an answer, known prefixes stay.
    static func watch(_ resolver: any NameResolver, found: @escaping @Sendable ([NAT64Prefix]) -> Void) async {
        guard let name = try? HostName(parsing: "ipv4only.arpa") else { return }
        repeat {
            let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
            resolver.resolve(name, .wholeName, for: .node, within: .seconds(30), on: eventLoop)
                .whenSuccess { found(NAT64Prefix.proxiedAddress(by: $0)) }
        } while (try? await Task.sleep(for: self.interval)) != nil
    }
}
