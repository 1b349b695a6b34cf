package import RedisClient
package import WasmnetQuota

/// A script with its keys and arguments, as the ledger sends it; the script's file says what they mean.
package struct ClusterCall: Sendable {
    package let script: RedisScript
    package let keys: [String]
    /// What Redis calls the type of each key.
    let types: [String]
    /// Without the clock, which comes first.
    package let arguments: [RedisArgument]
    /// How many integers a sound answer has.
    package let integers: Int

    package var isGrant: Bool { self.script == ClusterScripts.grant }

    /// Under which epoch a bucket's leases are kept, and what is known of its data.
    package struct Standing: Sendable {
        /// The epoch's name.
        package var name: String
        /// 0: not known yet.
        package var generation: Int64
        /// The epoch is not known in Redis yet.
        package var joins: Bool

        package init(name: String, generation: Int64, joins: Bool) {
            self.name = name
            self.generation = generation
            self.joins = joins
        }
    }

    /// Slots and requests of one client.
    package static func reserve(
        _ lane: LaneKind, of client: ClientID, _ ask: Lane.Ask, pace: GCRA.Pace?, dayLimit: UInt64,
        _ standing: Standing,
        _ settings: ClusterSettings
    ) -> ClusterCall {
        let bucket = RedisKeys.bucket(of: client)
        return ClusterCall(
            script: ClusterScripts.reserve,
            keys: [
                RedisKeys.generation(bucket), RedisKeys.epochs(bucket),
                RedisKeys.leases(lane == .sessions ? .session : .socket, of: client),
                RedisKeys.requests(lane == .resolves ? .resolve : .connect, of: client),
                RedisKeys.overrides(of: client), RedisKeys.day(of: client), RedisKeys.ungranted(lane, of: client),
            ],
            types: ["hash", "zset", "hash", "string", "hash", "hash", "hash"],
            arguments: [
                .integer(standing.generation), .integer(settings.hold.microseconds),
                .string(standing.name), .integer(settings.timeToLive.microseconds), standing.joins ? 1 : 0,
                .string(ask.replaces), .integer(ask.sequence),
                RedisArgument(ask.target), RedisArgument(ask.open), RedisArgument(ask.held),
                RedisArgument(ask.slotLimit), ask.slotNeeded ? 1 : 0,
                .integer(pace?.interval ?? 0), .integer(pace?.burst ?? 0), RedisArgument(ask.requests),
                RedisArgument(ask.requestsNeeded), .integer(Int64(clamping: dayLimit)),
                .string(lane == .sessions ? "max_sessions" : "max_connections"),
                .string(lane == .resolves ? "resolves" : "connects"), RedisArgument(ask.requestsOwed),
            ],
            integers: 8)
    }

    /// Bytes of one client.
    package static func grant(
        of client: ClientID, _ ask: ByteBudget.Ask, rate: TokenBucket.Rate?, bytesPerDay: UInt64
    ) -> ClusterCall {
        ClusterCall(
            script: ClusterScripts.grant,
            keys: [
                RedisKeys.bandwidth(of: client), RedisKeys.day(of: client), RedisKeys.leases(.session, of: client),
                RedisKeys.overrides(of: client),
            ],
            types: ["string", "hash", "hash", "hash"],
            arguments: [
                .integer(rate?.bytesPerSecond ?? 0), .integer(rate?.burst ?? 0), .integer(ask.debt),
                .integer(ask.wanted),
                .integer(Int64(clamping: bytesPerDay)), .integer(ask.dayDebt), .integer(ask.dayReturned),
                .integer(ask.returnedDay), .integer(ask.wantsDay ? max(ask.dayWanted, 1) : 0),
            ],
            integers: 6)
    }

    /// All leases of a node in one bucket.
    package static func heartbeat(bucket: Int, _ standing: Standing, _ settings: ClusterSettings) -> ClusterCall {
        ClusterCall(
            script: ClusterScripts.heartbeat, keys: [RedisKeys.generation(bucket), RedisKeys.epochs(bucket)],
            types: ["hash", "zset"],
            arguments: [
                .integer(standing.generation), .integer(settings.hold.microseconds), .string(standing.name),
                .integer(settings.timeToLive.microseconds),
            ],
            integers: 3)
    }
}

extension ClusterCall {
    /// Removes those of a call's keys that are of another type.
    static func repair(of call: ClusterCall) -> ClusterCall {
        ClusterCall(
            script: ClusterScripts.repair, keys: call.keys, types: call.types,
            arguments: call.types.map { .string($0) }, integers: 1)
    }
}
