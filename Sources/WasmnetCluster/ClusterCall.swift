package import RedisClient
package import WasmnetQuota

/// A script with its keys and arguments, as the ledger sends it; the script's file documents them.
package struct ClusterCall: Sendable {
    package let script: RedisScript
    package let keys: [String]
    /// The Redis type of each key.
    let types: [String]
    /// Without the clock, which is prepended.
    package let arguments: [RedisArgument]
    /// Number of integers in a valid answer; the last is Redis' time in microseconds.
    package let integers: Int

    package var isGrant: Bool { self.script == ClusterScripts.grant }

    /// The epoch that holds a bucket's leases, and what is known of its data.
    package struct LeaseState: Sendable {
        /// The epoch's name.
        package var name: String
        /// 0: not known yet.
        package var generation: Int64
        /// The epoch is not known in Redis yet.
        package var joins: Bool
        /// Start of the contact and the present time, both by Redis' clock in microseconds; 0: not known.
        package var stamp: (since: Int64, time: Int64)

        package init(name: String, generation: Int64, joins: Bool, stamp: (since: Int64, time: Int64)) {
            self.name = name
            self.generation = generation
            self.joins = joins
            self.stamp = stamp
        }
    }

    /// Slots and requests of one client.
    package static func reserve(
        _ resource: ResourceKind, of client: ClientID, _ query: LocalGrant.Query, pace: GCRA.Pace?, dayLimit: UInt64,
        _ leaseState: LeaseState,
        _ settings: ClusterSettings
    ) -> ClusterCall {
        let bucket = RedisKeys.bucket(of: client)
        return ClusterCall(
            script: ClusterScripts.reserve,
            keys: [
                RedisKeys.generation(bucket), RedisKeys.epochs(bucket),
                RedisKeys.leases(resource.slots, of: client),
                RedisKeys.requests(resource == .resolves ? .resolve : .connect, of: client),
                RedisKeys.overrides(of: client), RedisKeys.day(of: client), RedisKeys.ungranted(resource, of: client),
            ],
            types: ["hash", "zset", "hash", "string", "hash", "hash", "hash"],
            arguments: [
                .integer(leaseState.generation), .integer(settings.hold.microseconds),
                .string(leaseState.name), .integer(settings.timeToLive.microseconds), leaseState.joins ? 1 : 0,
                .string(query.replaces), .integer(query.sequence),
                RedisArgument(query.target), RedisArgument(query.open), RedisArgument(query.held),
                RedisArgument(query.slotLimit), query.slotNeeded ? 1 : 0,
                .integer(pace?.interval ?? 0), .integer(pace?.burst ?? 0), RedisArgument(query.requests),
                RedisArgument(query.requestsNeeded), .integer(ClusterLink.number(dayLimit)),
                .string(resource == .sessions ? "max_sessions" : "max_connections"),
                .string(resource == .resolves ? "resolves" : "connects"), RedisArgument(query.requestsOwed),
                .integer(leaseState.stamp.since), .integer(leaseState.stamp.time), RedisArgument(query.loose),
            ],
            integers: 9)
    }

    /// Bytes of one client.
    package static func grant(
        of client: ClientID, _ query: ByteBudget.Query, rate: TokenBucket.Rate?, bytesPerDay: UInt64
    ) -> ClusterCall {
        ClusterCall(
            script: ClusterScripts.grant,
            keys: [
                RedisKeys.bandwidth(of: client), RedisKeys.day(of: client), RedisKeys.leases(.session, of: client),
                RedisKeys.overrides(of: client),
            ],
            types: ["string", "hash", "hash", "hash"],
            arguments: [
                .integer(rate?.bytesPerSecond ?? 0), .integer(rate?.burst ?? 0), .integer(query.debt),
                .integer(query.wanted),
                .integer(ClusterLink.number(bytesPerDay)), .integer(query.dayDebt), .integer(query.dayReturned),
                .integer(query.returnedDay), .integer(query.wantsDay ? max(query.dayWanted, 1) : 0),
            ],
            integers: 7)
    }

    /// The most leases that a heartbeat checks.
    static let maxLeases = 32

    /// All leases of a node in one bucket.
    ///
    /// - Parameter leases: keys of the leases to check, ``maxLeases`` at most.
    package static func heartbeat(
        bucket: Int, leases: [String] = [], _ leaseState: LeaseState, _ settings: ClusterSettings
    ) -> ClusterCall {
        .ofBucket(
            ClusterScripts.heartbeat, bucket, leases: leases, leaseState, settings,
            [.string(leaseState.name), .integer(settings.timeToLive.microseconds)], integers: 5)
    }

    /// The generation of a bucket.
    static func generation(bucket: Int, _ leaseState: LeaseState, _ settings: ClusterSettings) -> ClusterCall {
        .ofBucket(ClusterScripts.generation, bucket, leaseState, settings, [], integers: 3)
    }

    /// Reports that this node has declared all that it holds in a bucket.
    ///
    /// - Parameter peers: the nodes that must have declared too.
    static func rollCall(
        bucket: Int, peers: [String], _ leaseState: LeaseState, _ settings: ClusterSettings
    ) -> ClusterCall {
        .ofBucket(
            ClusterScripts.rollCall, bucket, leaseState, settings, ([settings.nodeID] + peers).map { .string($0) },
            integers: 5)
    }

    private static func ofBucket(
        _ script: RedisScript, _ bucket: Int, leases: [String] = [], _ leaseState: LeaseState,
        _ settings: ClusterSettings, _ arguments: [RedisArgument], integers: Int
    ) -> ClusterCall {
        ClusterCall(
            script: script, keys: [RedisKeys.generation(bucket), RedisKeys.epochs(bucket)] + leases,
            types: ["hash", "zset"] + leases.map { _ in "hash" },
            arguments: [
                .integer(leaseState.generation), .integer(settings.hold.microseconds), .integer(leaseState.stamp.since),
                .integer(leaseState.stamp.time),
            ] + arguments, integers: integers)
    }
}

extension ClusterCall {
    /// Removes the call's keys that have the wrong type.
    static func repair(of call: ClusterCall) -> ClusterCall {
        ClusterCall(
            script: ClusterScripts.repair, keys: call.keys, types: call.types,
            arguments: call.types.map { .string($0) }, integers: 2)
    }
}
