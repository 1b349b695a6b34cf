import NIOCore

/// One event loop's view of a cluster's nodes: the slot map, and a link to each node in use.
final class ClusterNodes {
    private let eventLoop: any EventLoop
    private let settings: LinkSettings
    private let seeds: [RedisEndpoint]
    private var map: SlotMap?
    private var links: [RedisEndpoint: RedisLink] = [:]
    private var retiring: [RedisLink] = []
    /// The refresh in progress, shared by all callers.
    private var refreshing: EventLoopFuture<Void>?
    private var lastRefresh: NIODeadline?
    private var isClosed = false

    /// The cluster is queried no more often than this, however many commands fail or move at once.
    private static let refreshInterval = TimeAmount.milliseconds(100)

    init(eventLoop: any EventLoop, settings: LinkSettings, seeds: [RedisEndpoint]) {
        self.eventLoop = eventLoop
        self.settings = settings
        self.seeds = seeds
    }

    var hasMap: Bool { map != nil }

    /// Nil when no node serves the slot.
    func link(slot: Int) -> RedisLink? {
        map?[slot].flatMap { link($0) }
    }

    /// One that is up, if any.
    func anyLink() -> RedisLink? {
        links.values.first { $0.isUp } ?? map?.masters.first.flatMap { link($0) }
    }

    /// Connects if there is no link yet; nil once closed.
    func link(_ endpoint: RedisEndpoint) -> RedisLink? {
        if let link = links[endpoint] { return link }
        guard !isClosed else { return nil }
        let link = RedisLink(eventLoop: eventLoop, settings: settings, locator: .fixed(endpoint))
        links[endpoint] = link
        return link
    }

    /// A slot has a new master: recorded at once, and a reason to ask about the others.
    func moved(_ redirection: Redirection) {
        map?[redirection.slot] = redirection.endpoint
        refresh()
    }

    /// Succeeds once the slots are known and each master has been connected to.
    func ready() -> EventLoopFuture<Void> {
        let this = NIOLoopBound(self, eventLoop: eventLoop)
        let known = map == nil ? refresh() : eventLoop.makeSucceededVoidFuture()
        return known.flatMap {
            let this = this.value
            let links = (this.map?.masters ?? []).compactMap { this.link($0)?.ready() }
            return EventLoopFuture.andAllSucceed(links, on: this.eventLoop)
        }
    }

    // MARK: Refresh

    /// Asks the nodes for their slots, one after the other, until one answers.
    ///
    /// - Returns: fails with the last one's error.
    @discardableResult
    func refresh() -> EventLoopFuture<Void> {
        if let refreshing { return refreshing }
        guard !isClosed else { return eventLoop.makeFailedFuture(RedisError.closed) }
        let promise = eventLoop.makePromise(of: Void.self)
        refreshing = promise.futureResult
        let earliest = lastRefresh.map { $0 + Self.refreshInterval } ?? eventLoop.now
        let this = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(deadline: earliest) {
            this.value.ask(this.value.candidates[...], .cluster("no node is known"), promise)
        }
        return promise.futureResult
    }

    /// Nodes that are up, then the others of the map, then the seeds.
    private var candidates: [RedisEndpoint] {
        let up = links.filter { $0.value.isUp }.map(\.key)
        var seen = Set<RedisEndpoint>()
        return (up + (map?.masters ?? []) + seeds).filter { seen.insert($0).inserted }
    }

    private func ask(_ left: ArraySlice<RedisEndpoint>, _ last: RedisError, _ promise: EventLoopPromise<Void>) {
        guard let endpoint = left.first, let link = link(endpoint) else {
            refreshing = nil
            lastRefresh = eventLoop.now
            return promise.fail(isClosed ? .closed : last)
        }
        let reply = eventLoop.makePromise(of: RESPValue.self)
        let this = NIOLoopBound(self, eventLoop: eventLoop)
        reply.futureResult.whenComplete { outcome in
            this.value.answered(endpoint, outcome, left.dropFirst(), promise)
        }
        let allowed = settings.connection.connectTimeout
        link.execute(
            CommandUnit(
                commands: [["CLUSTER", "SLOTS"]], promises: [reply], allowed: allowed,
                deadline: eventLoop.now + allowed))
    }

    private func answered(
        _ endpoint: RedisEndpoint, _ outcome: Result<RESPValue, any Error>, _ left: ArraySlice<RedisEndpoint>,
        _ promise: EventLoopPromise<Void>
    ) {
        switch outcome {
        case .failure(let error):
            ask(left, (error as? RedisError) ?? .cluster("\(error)"), promise)
        case .success(let reply):
            guard let map = SlotMap(reply, asked: endpoint) else {
                let words = reply.serverError.map { "\($0)" } ?? "it serves no slots"
                return ask(left, .cluster("\(endpoint): \(words)"), promise)
            }
            adopt(map)
            refreshing = nil
            lastRefresh = eventLoop.now
            promise.succeed(())
        }
    }

    /// Takes the new map, connects to its masters and disconnects from nodes without slots.
    private func adopt(_ map: SlotMap) {
        self.map = map
        for replica in map.replicas { settings.connection.serverFound?(replica) }
        for master in map.masters { _ = link(master) }
        for (endpoint, link) in links where !map.masters.contains(endpoint) {
            links[endpoint] = nil
            retire(link)
        }
    }

    /// Closes a link once everything in flight on it has been answered.
    private func retire(_ link: RedisLink) {
        retiring.append(link)
        let this = NIOLoopBound((self, link), eventLoop: eventLoop)
        eventLoop.scheduleTask(in: max(.seconds(1), settings.connection.commandDeadline)) {
            let (this, link) = this.value
            link.close()
            this.retiring.removeAll { $0 === link }
        }
    }

    func close() {
        isClosed = true
        for link in Array(links.values) + retiring { link.close() }
        retiring = []
        links = [:]
        map = nil
    }
}
