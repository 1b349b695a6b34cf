package import RedisClient
package import WasmnetAdmin
import WasmnetCluster
package import WasmnetQuota

/// What a client uses and may use, wherever it is counted.
protocol QuotaStore: Sendable {
    /// Nil for an unknown client.
    ///
    /// - Parameter limits: the policy's, for a client that has no session on this node.
    func report(ofKnown client: ClientID, limits: ClientLimits) async throws -> QuotaReport?
    /// Replaces the client's overrides.
    func replace(with overrides: QuotaOverrides, for time: QuotaDuration, of client: ClientID) async throws
    /// - Returns: false if nothing was set.
    func clear(_ client: ClientID) async throws -> Bool
}

/// For a node that counts for itself.
struct InProcessQuotaStore: QuotaStore {
    let ledger: InProcessLedger
    let node: @Sendable () -> NodeEntry

    func report(ofKnown client: ClientID, limits: ClientLimits) async throws -> QuotaReport? {
        let node = self.node()
        guard let found = self.ledger.account(of: client, node: node.name) else { return nil }
        return QuotaReport(
            client, found.account, limits: found.limits ?? limits,
            holders: found.account.holdings.map { .init($0, name: node.name, address: node.address) })
    }

    func replace(with overrides: QuotaOverrides, for time: QuotaDuration, of client: ClientID) async throws {
        guard self.ledger.set(overrides, for: time, of: client) else {
            throw AdminError.unprocessable(
                "too_many_overrides", "limits are already set for \(InProcessLedger.maxOverrides) clients")
        }
    }

    func clear(_ client: ClientID) async throws -> Bool {
        self.ledger.clearOverrides(of: client)
    }
}

/// For a cluster: used by the admin API of its nodes, and by commands.
package struct RedisQuotaStore: QuotaStore {
    private let accounts: ClientAccounts
    private let registry: NodeRegistry
    /// The calling node's.
    private let ledger: RedisLedger?

    /// For a command, which is not a node.
    package init(redis: RedisClient) {
        self.accounts = ClientAccounts(redis: redis)
        self.registry = NodeRegistry(redis: redis)
        self.ledger = nil
    }

    init(member: ClusterMember) {
        self.accounts = member.accounts
        self.registry = member.registry
        self.ledger = member.ledger
    }

    /// Of any client: an unknown one has used nothing.
    ///
    /// - Parameters:
    ///   - limits: the policy's.
    ///   - policy: the file that they are from.
    package func report(
        of client: ClientID, limits: ClientLimits, policy: String?
    ) async throws(RedisError) -> QuotaReport {
        try await self.report(client, try await self.accounts.account(of: client), limits, policy)
    }

    func report(ofKnown client: ClientID, limits: ClientLimits) async throws -> QuotaReport? {
        let account = try await self.accounts.account(of: client)
        let known = self.ledger?.knownAllowance(of: client)?.usage(now: account.now)
        guard known != nil || account != account.unused else { return nil }
        return try await self.report(client, account, known?.limits ?? limits, nil)
    }

    private func report(
        _ client: ClientID, _ account: ClientAccount, _ limits: ClientLimits, _ policy: String?
    ) async throws(RedisError) -> QuotaReport {
        let nodes = try await account.holdings.isEmpty ? [] : self.registry.nodes().nodes
        let known = Dictionary(nodes.map { ($0.id, $0) }) { first, _ in first }
        return QuotaReport(
            client, account, limits: limits, policy: policy,
            holders: account.holdings.map {
                .init($0, name: known[$0.node]?.name, address: known[$0.node]?.address)
            })
    }

    /// Sets limits in addition to those set earlier, which then expire with these.
    package func add(
        _ overrides: QuotaOverrides, for time: QuotaDuration, of client: ClientID
    ) async throws(RedisError) {
        try await self.accounts.set(overrides, for: time, of: client)
    }

    func replace(with overrides: QuotaOverrides, for time: QuotaDuration, of client: ClientID) async throws {
        try await self.accounts.clearOverrides(of: client)
        try await self.accounts.set(overrides, for: time, of: client)
    }

    @discardableResult
    package func clear(_ client: ClientID) async throws(RedisError) -> Bool {
        try await self.accounts.clearOverrides(of: client)
    }

    /// Clears the usage of rates, of the bandwidth and of the day. What is open stays open, and overrides stay set.
    package func reset(_ client: ClientID) async throws(RedisError) {
        try await self.accounts.reset(client)
    }
}
