import WasmnetNet
package import Logging
package import NIOCore
package import WasmnetPolicy
import WasmnetProtocol
package import WasmnetQuota

/// What all sessions of a node share. It connects to the control plane in three places: the policy in force, the clients'
/// allowances, and the registry of live sessions.
package final class RelayEnvironment: Sendable {
    package let settings: RelaySettings
    package let ledger: any QuotaLedger
    package let resolver: any NameResolver
    let connector: any TargetConnector
    package let observer: any RelayObserver
    package let registry: SessionRegistry
    package let logger: Logger
    package let clock: any RelayClock
    package let nodeName: String
    package let version: String
    package let descriptors = DescriptorReserve()
    /// The connections not yet admitted: a quarter of the clients' descriptors at most.
    package let pending: PendingConnections
    let targetTLS: TargetTLS
    private let inputTurns = Guarded<[ObjectIdentifier: NIOLoopBound<InputTurns>]>([:])
    private let currentPolicy: Guarded<Policy>
    private let currentShadow: Guarded<Policy?>
    /// The denylist now in force; nil: none is kept.
    let denylist: @Sendable () -> DenylistView?

    package init(
        settings: RelaySettings, policy: Policy, shadowPolicy: Policy? = nil,
        denylist: @escaping @Sendable () -> DenylistView? = { nil }, ledger: any QuotaLedger,
        resolver: any NameResolver,
        connector: any TargetConnector = SocketConnector(), observer: any RelayObserver, logger: Logger,
        clock: any RelayClock = SystemClock(), nodeName: String,
        version: String, extraAuthorities: [String] = [], registry: SessionRegistry = SessionRegistry()
    ) throws {
        self.settings = settings
        var place = policy.place
        place.isLocal = LocalAddress.isOwn
        let currentPolicy = Guarded(policy.placed(in: place))
        self.currentPolicy = currentPolicy
        self.currentShadow = Guarded(shadowPolicy?.placed(in: place))
        self.denylist = denylist
        self.ledger = ledger
        self.resolver = ClientResolver(resolver) { name in
            currentPolicy.withLock { $0 }.mayAskDNS(for: name)
        }
        self.connector = connector
        self.observer = observer
        self.registry = registry
        self.logger = logger
        self.clock = clock
        self.nodeName = nodeName
        self.pending = PendingConnections(most: self.descriptors.forClients / 4)
        self.version = version
        self.targetTLS = try TargetTLS(
            applicationProtocols: settings.tlsApplicationProtocols, extraAuthorities: extraAuthorities)
    }

    /// The policy in force, under the denylist in force: read once per open.
    package var policy: Policy { self.currentPolicy.withLock { $0 }.under(self.denylist()) }

    /// A policy whose decisions are only counted and logged, not enforced; nil: none.
    package var shadowPolicy: Policy? {
        get { self.currentShadow.withLock { $0 } }
        set {
            let place = self.policy.place
            self.currentShadow.withLock { $0 = newValue?.placed(in: place) }
        }
    }

    /// A session's terms, which are the first message to a client of v2.
    func hello(for session: SessionOrigin) -> Hello {
        Hello(
            version: self.version, node: self.nodeName, session: session.id,
            window: UInt32(clamping: self.settings.firstWindowBytes),
            maxMessage: UInt32(clamping: self.settings.maxMessageBytes),
            maxSockets: UInt32(clamping: self.settings.maxSocketsPerSession),
            heartbeatMilliseconds: UInt32(clamping: self.settings.heartbeat.nanoseconds / 1_000_000))
    }

    /// The turns of an event loop's sessions. On the event loop.
    func inputTurns(on eventLoop: any EventLoop) -> InputTurns {
        self.inputTurns.withLock { all in
            if let turns = all[ObjectIdentifier(eventLoop)] { return turns.value }
            let turns = InputTurns(eventLoop)
            all[ObjectIdentifier(eventLoop)] = NIOLoopBound(turns, eventLoop: eventLoop)
            return turns
        }
    }

    /// Takes a descriptor for a client. If none is left, this is logged.
    func takeDescriptor() -> Bool {
        guard !self.descriptors.take() else { return true }
        self.descriptors.warn(self.logger, now: self.uptimeNanoseconds())
        return false
    }

    /// Takes a descriptor for an accepted connection, until it closes. False if none is left: it must be closed.
    package func admit(_ channel: any Channel) -> Bool {
        guard self.takeDescriptor() else {
            self.observer.sessionRefused(.overloaded)
            return false
        }
        channel.closeFuture.whenComplete { _ in self.descriptors.giveBack() }
        return true
    }

    /// Puts another policy in force and decides every live socket again. What the old one knew of the machine is kept.
    package func replacePolicy(_ policy: Policy) {
        self.change { policy.placed(in: $0.place) }
    }

    /// Changes what policies know of the machine, now and from now on, and decides every live socket again.
    package func changePlace(_ body: (inout Place) -> Void) {
        self.change { policy in
            var place = policy.place
            body(&place)
            return policy.placed(in: place)
        }
        let shadow = self.shadowPolicy
        if shadow != nil { self.shadowPolicy = shadow }
    }

    private func change(_ body: (Policy) -> Policy) {
        let policy = self.currentPolicy.withLock { policy in
            policy = body(policy)
            return policy
        }
        let inForce = policy.under(self.denylist())
        for session in self.registry.sessions { session.reapply(inForce) }
    }

    /// Ends the sessions and sockets that new entries of the denylist deny.
    ///
    /// - Parameter news: the new entries only.
    package func deny(by news: DenylistView) {
        guard !news.list.isEmpty else { return }
        for session in self.registry.sessions { session.deny(by: news) }
    }

    func uptimeNanoseconds() -> Int64 { self.clock.uptimeNanoseconds() }
}

/// The time, passed in: monotonic nanoseconds for intervals, and the ledger's instant.
package protocol RelayClock: Sendable {
    func uptimeNanoseconds() -> Int64
    func now() -> QuotaInstant
}
