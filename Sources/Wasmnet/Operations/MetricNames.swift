package import PrometheusMetrics

/// Every metric of a node: the one place for their names, kinds and descriptions. No label ever contains a host, an address or a client.
package enum MetricNames {
    static let buildInfo = "wasmnet_build_info"
    static let sessions = "wasmnet_sessions"
    static let sessionOpens = "wasmnet_session_opens_total"
    static let sockets = "wasmnet_sockets"
    static let opens = "wasmnet_opens_total"
    static let closes = "wasmnet_closes_total"
    static let denials = "wasmnet_denials_total"
    static let bytes = "wasmnet_bytes_total"
    static let datagramsDropped = "wasmnet_datagrams_dropped_total"
    static let dial = "wasmnet_dial_duration_seconds"
    static let dns = "wasmnet_dns_duration_seconds"
    static let tls = "wasmnet_tls_handshake_duration_seconds"
    static let redis = "wasmnet_redis_command_duration_seconds"
    static let quotaRefusals = "wasmnet_quota_refusals_total"
    static let quotaWaits = "wasmnet_quota_waits_total"
    static let refusedMessages = "wasmnet_refused_messages_total"
    static let readPauses = "wasmnet_read_pauses_total"
    static let leaseSlots = "wasmnet_lease_slots"
    static let grantedBytes = "wasmnet_granted_bytes_total"
    static let reservations = "wasmnet_reservations_total"
    static let redisCalls = "wasmnet_redis_calls_total"
    static let redisErrors = "wasmnet_redis_errors_total"
    static let redisAvailable = "wasmnet_redis_available"
    static let redisEvicts = "wasmnet_redis_evicts"
    static let fences = "wasmnet_lease_fences_total"
    static let losses = "wasmnet_redis_losses_total"
    static let rollCall = "wasmnet_roll_call"
    static let rollCallTime = "wasmnet_roll_call_seconds"
    static let redisOutage = "wasmnet_redis_outage_seconds"
    static let excess = "wasmnet_excess_sockets_total"
    static let clusterNodes = "wasmnet_cluster_nodes"
    static let denylistVersion = "wasmnet_denylist_version"
    static let denylistEntries = "wasmnet_denylist_entries"
    static let denylistAge = "wasmnet_denylist_age_seconds"
    static let denylistMends = "wasmnet_denylist_mends_total"
    static let policyGeneration = "wasmnet_policy_generation"
    static let policyReloads = "wasmnet_policy_reloads_total"
    static let policyStale = "wasmnet_policy_stale"
    static let shadow = "wasmnet_shadow_decisions_total"
    static let untrustedHeaders = "wasmnet_untrusted_proxy_headers_total"
    static let pendingConnections = "wasmnet_pending_connections"
    static let pendingDropped = "wasmnet_pending_connections_dropped_total"
    static let loopLag = "wasmnet_event_loop_lag_seconds"
    static let draining = "wasmnet_draining"

    /// The metrics to describe to a Prometheus registry in advance.
    package static let descriptions: [MetricDescription] = [
        MetricDescription(Self.buildInfo, .gauge, help: "Always 1; the labels have the version."),
        MetricDescription(Self.sessions, .gauge, help: "Sessions (WebSockets) that are open."),
        MetricDescription(
            Self.sessionOpens, .counter,
            help: "Requests for a session, by outcome: admitted or the code of the refusal."),
        MetricDescription(Self.sockets, .gauge, help: "Sockets that are open, by kind."),
        MetricDescription(
            Self.opens, .counter, help: "Requests for a socket, by kind and outcome: ok or the code of the refusal."),
        MetricDescription(Self.closes, .counter, help: "Sockets that ended, by reason."),
        MetricDescription(Self.denials, .counter, help: "Opens and sockets denied, by policy or denylist."),
        MetricDescription(
            Self.bytes, .counter, help: "Payload bytes relayed: up from clients to targets, down the other way."),
        MetricDescription(Self.datagramsDropped, .counter, help: "Datagrams dropped for lack of room, by direction."),
        MetricDescription(
            Self.dial, .histogram, help: "Time to connect to a target, TLS included.", unit: "seconds",
            buckets: .seconds),
        MetricDescription(
            Self.dns, .histogram, help: "Time to look a name up.", unit: "seconds", buckets: .seconds),
        MetricDescription(
            Self.tls, .histogram, help: "Time of the TLS handshake with a target.", unit: "seconds", buckets: .seconds),
        MetricDescription(
            Self.redis, .histogram, help: "Time until Redis answers a command.", unit: "seconds", buckets: .fineSeconds),
        MetricDescription(
            Self.quotaRefusals, .counter, help: "Requests of clients refused because of a limit, by limit."),
        MetricDescription(
            Self.quotaWaits, .counter, help: "Times a client's bytes or messages waited for a limit, by limit."),
        MetricDescription(
            Self.refusedMessages, .counter,
            help:
                "Messages without effect (denied, refused, malformed, empty) and pings, which refusals_per_sec limits."
        ),
        MetricDescription(
            Self.readPauses, .counter,
            help:
                "Times reading from clients (client) or targets (target) stopped because the other side took no bytes."),
        MetricDescription(
            Self.leaseSlots, .gauge,
            help: "Socket slots of clients on this node: granted by Redis, used, and used without a grant (loose)."),
        MetricDescription(Self.grantedBytes, .counter, help: "Bytes that Redis granted to this node's clients."),
        MetricDescription(
            Self.reservations, .counter,
            help: "Slots and requests reserved: at once (local) or after Redis' answer (waited)."
        ),
        MetricDescription(Self.redisCalls, .counter, help: "Scripts that the quotas sent to Redis."),
        MetricDescription(
            Self.redisErrors, .counter, help: "Scripts of the quotas that got an error, an invalid answer or none."),
        MetricDescription(
            Self.redisAvailable, .gauge,
            help:
                "1 while Redis is connected and no outage lasts; 0 as soon as the connection is lost, or nothing was answered for --redis-outage, after which limits go by redis_failure."
        ),
        MetricDescription(
            Self.redisEvicts, .gauge, help: "1 if Redis evicts keys when its memory is full, and limits with them."),
        MetricDescription(
            Self.fences, .counter,
            help: "Times this node's leases had lapsed or were lost and were declared again, by groups of clients."),
        MetricDescription(
            Self.losses, .counter,
            help: "Times data in Redis was missing or old, counted for each of the 256 groups of clients."),
        MetricDescription(
            Self.rollCall, .gauge,
            help:
                "Groups of clients whose limits do not grow until all nodes have declared again what they hold, after data was lost."
        ),
        MetricDescription(
            Self.rollCallTime, .gauge, help: "How long the current roll call has lasted; 0 if there is none.",
            unit: "seconds"),
        MetricDescription(
            Self.redisOutage, .gauge,
            help: "How long Redis has been silent, once limits go by redis_failure; 0 if there is no outage.",
            unit: "seconds"),
        MetricDescription(
            Self.excess, .counter,
            help: "Sockets ended because their client had more open than its limit, after an outage or a loss."),
        MetricDescription(
            Self.clusterNodes, .gauge, help: "Nodes of the cluster that this node sees, itself included."),
        MetricDescription(Self.denylistVersion, .gauge, help: "Version of the denylist in force."),
        MetricDescription(Self.denylistEntries, .gauge, help: "Entries of the denylist in force."),
        MetricDescription(
            Self.denylistAge, .gauge, help: "Time since the denylist was last known to be the newest.", unit: "seconds"),
        MetricDescription(
            Self.denylistMends, .counter,
            help:
                "Times this node found that Redis had lost the denylist in force: written back, joined with another, replaced by another."
        ),
        MetricDescription(Self.policyGeneration, .gauge, help: "Number of policies that came into force."),
        MetricDescription(Self.policyReloads, .counter, help: "Times the policy was read again, by outcome."),
        MetricDescription(
            Self.policyStale, .gauge, help: "1 if the policy's file is wrong and an older policy stays in force."),
        MetricDescription(
            Self.shadow, .counter, help: "Requests for a socket, by what the shadow policy would have decided."),
        MetricDescription(
            Self.untrustedHeaders, .counter,
            help: "Proxies' headers from peers that are not trusted proxies; they are ignored."),
        MetricDescription(Self.pendingConnections, .gauge, help: "Connections that are not sessions yet."),
        MetricDescription(
            Self.pendingDropped, .counter,
            help:
                "Connections closed before they became sessions, because there were too many or their heads were too large together."
        ),
        MetricDescription(
            Self.loopLag, .histogram, help: "How late the event loops run what is due.", unit: "seconds",
            buckets: .fineSeconds),
        MetricDescription(Self.draining, .gauge, help: "1 while the node drains."),
    ]
}
