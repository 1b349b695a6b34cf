import NIOCore
import WasmnetNet

/// Finds a master through its sentinels (Redis documentation, "Guidelines for Redis clients with support for Redis
/// Sentinel"): asks one after the other, then has the server confirm that it is a master.
struct SentinelDirectory: Sendable {
    let master: String
    private let options: RedisConnectionOptions
    /// The one that answered last is first.
    private let sentinels: Guarded<[RedisEndpoint]>

    init(sentinels: [RedisEndpoint], master: String, options: RedisConnectionOptions) {
        self.master = master
        self.options = options
        self.sentinels = Guarded(sentinels)
    }

    /// Finds the master; its connections verify that they reach one.
    var masterLocator: RedisLocator {
        RedisLocator(locate: { locate(on: $0) }, greet: { confirmMaster($0) })
    }

    /// Subscribes to the sentinels' announcements of a new master, at one sentinel at a time.
    ///
    /// - Parameter changed: called on the event loop when this master has changed.
    func watch(
        _ settings: LinkSettings, on eventLoop: any EventLoop, changed: @escaping @Sendable (RedisError) -> Void
    ) -> Subscription {
        var settings = settings
        settings.connection = options
        // Their announcements cut the waits for Redis short, so the wait for them is not longer, whatever is configured.
        settings.backoff = Backoff()
        // The state of the connections to sentinels is not the state of Redis.
        settings.observer = { _ in }
        let name = ByteText(master)
        return Subscription(
            to: ["+switch-master"], locator: .rotating(sentinels.withLock { $0 }), settings: settings,
            on: eventLoop
        ) { event in
            // The payload is `name old-host old-port new-host new-port`.
            guard case .message(_, let payload) = event,
                ByteText(payload.readableBytesView).firstWord?.word == name
            else { return }
            changed(.unavailable("the sentinels named a new master"))
        }
    }

    private func locate(on eventLoop: any EventLoop) -> EventLoopFuture<RedisEndpoint> {
        let order = sentinels.withLock { $0 }
        return ask(order[...], [], on: eventLoop)
    }

    private func ask(
        _ left: ArraySlice<RedisEndpoint>, _ refusals: [String], on eventLoop: any EventLoop
    ) -> EventLoopFuture<RedisEndpoint> {
        guard let sentinel = left.first else {
            return eventLoop.makeFailedFuture(RedisError.noMaster(master, refusals.joined(separator: "; ")))
        }
        return ask(sentinel, on: eventLoop).map { endpoint in
            prefer(sentinel)
            return endpoint
        }.flatMapError { error in
            ask(left.dropFirst(), refusals + ["\(error)"], on: eventLoop)
        }
    }

    private func ask(_ sentinel: RedisEndpoint, on eventLoop: any EventLoop) -> EventLoopFuture<RedisEndpoint> {
        let query: RedisCommand = ["SENTINEL", "get-master-addr-by-name", .string(master)]
        return RedisConnection.connect(to: sentinel, options: options, on: eventLoop).flatMap { connection in
            if options.serverFound != nil { findOthers(connection) }
            return connection.send(query, deadline: options.connectTimeout).flatMapThrowing { reply in
                guard let address = reply.array, address.count == 2, let host = address[0].string, !host.isEmpty,
                    let port = address[1].int, (1...65535).contains(port)
                else {
                    if let error = reply.serverError { throw RedisError.server(error) }
                    throw RedisError.noMaster(master, "\(sentinel) does not know it")
                }
                return .host(host, port: port)
            }.always { _ in connection.close() }
        }
    }

    /// The other sentinels and the replicas, which are reported but not connected to.
    private func findOthers(_ connection: RedisConnection) {
        for list in ["SENTINELS", "REPLICAS"] {
            let reply = connection.send(["SENTINEL", .string(list), .string(master)], deadline: options.connectTimeout)
            reply.whenSuccess { reply in
                for server in reply.array ?? [] {
                    guard let fields = server.array?.map(\.string) else { continue }
                    let pairs = zip(fields, fields.dropFirst())
                    guard let host = pairs.first(where: { $0.0 == "ip" })?.1, !host.isEmpty,
                        let port = pairs.first(where: { $0.0 == "port" })?.1.flatMap({ UInt16($0) }), port > 0
                    else { continue }
                    options.serverFound?(.host(host, port: Int(port)))
                }
            }
        }
    }

    private func prefer(_ sentinel: RedisEndpoint) {
        sentinels.withLock { order in
            guard let index = order.firstIndex(of: sentinel), index != order.startIndex else { return }
            order.remove(at: index)
            order.insert(sentinel, at: order.startIndex)
        }
    }

    /// A sentinel may still name the old master for a while after a failover.
    private func confirmMaster(_ connection: RedisConnection) -> EventLoopFuture<Void> {
        connection.send(["ROLE"], deadline: options.connectTimeout).flatMapThrowing { reply in
            guard reply.array?.first?.string == "master" else {
                throw RedisError.unavailable("\(connection.endpoint) is not a master")
            }
        }
    }
}

extension RedisLocator {
    /// Each attempt takes the next endpoint.
    static func rotating(_ endpoints: [RedisEndpoint]) -> RedisLocator {
        let next = Guarded(0)
        return RedisLocator { eventLoop in
            guard !endpoints.isEmpty else {
                return eventLoop.makeFailedFuture(RedisError.unavailable("no endpoint is known"))
            }
            let index = next.withLock { next in
                defer { next = (next + 1) % endpoints.count }
                return next
            }
            return eventLoop.makeSucceededFuture(endpoints[index])
        }
    }
}
