import RedisClient
package import WasmnetQuota

/// The names of everything that wasmnet keeps in Redis.
///
/// Clients are divided into 256 buckets by a hash of their name. All keys of a bucket carry its hash tag, so that each script touches one
/// slot of a Redis Cluster, and a node's heartbeats are one key a bucket however many clients it has. The tags are spread evenly:
/// bucket b lies in the b-th 256th of the 16,384 slots.
package enum RedisKeys {
    package static let bucketCount = 256

    /// A client's bucket.
    package static func bucket(of client: ClientID) -> Int {
        Int(HashSlot.crc16(client.text.utf8)) % Self.bucketCount
    }

    /// Hash: when the bucket's data began and which process wrote it last; until when nothing grows because of a loss, and the nodes that
    /// have declared again what they hold.
    static func generation(_ bucket: Int) -> String { "wn:{\(Self.tags[bucket])}:g" }

    /// Sorted set: the epochs of the nodes with leases in the bucket, by the time at which they end.
    static func epochs(_ bucket: Int) -> String { "wn:{\(Self.tags[bucket])}:e" }

    /// Hash: the leases of one kind of slot of one client, by epoch.
    package static func leases(_ kind: SlotKind, of client: ClientID) -> String {
        Self.key(kind == .session ? "ls" : "lc", client)
    }

    /// String: the theoretical arrival time of the next connect or lookup.
    static func requests(_ kind: RequestKind, of client: ClientID) -> String {
        Self.key(kind == .connect ? "rc" : "rr", client)
    }

    /// Hash: what is open or passed without a grant: slots by epoch, and requests that are owed.
    package static func ungranted(_ resource: ResourceKind, of client: ClientID) -> String {
        switch resource {
        case .sessions: Self.key("us", client)
        case .sockets: Self.key("uc", client)
        case .resolves: Self.key("ur", client)
        }
    }

    /// String: the level of the bandwidth's bucket, and its time.
    static func bandwidth(of client: ClientID) -> String { Self.key("b", client) }

    /// Hash: the UTC day, and the bytes debited in it.
    static func day(of client: ClientID) -> String { Self.key("d", client) }

    /// Hash: limits that an operator set for this client, with an expiry.
    static func overrides(of client: ClientID) -> String { Self.key("o", client) }

    /// Sorted set: the nodes by the time of their last heartbeat. All keys of the registry are in one slot.
    static let nodes = "wn:{nodes}:all"
    /// Never exists for longer than a script runs.
    static let rights = "wn:{nodes}:rights"

    /// Hash: a node's entry.
    static func node(_ id: String) -> String { "wn:{nodes}:n:\(id)" }

    /// Hash: the denylist's generation, version, its id and digest. All keys of the denylist are in one slot.
    package static let denylist = "wn:{denylist}:m"

    /// Hash: the entries.
    package static let denylistEntries = "wn:{denylist}:e"

    /// Sorted set: the entries with an expiry, by expiry.
    package static let denylistExpiries = "wn:{denylist}:x"

    /// Stream: the last changes.
    package static let denylistLog = "wn:{denylist}:l"

    /// Sorted set: the ids of the versions that the list has passed through, the newest last.
    package static let denylistIDs = "wn:{denylist}:i"

    /// Hash: the progress of a node that writes its list back; and what it has written so far: the entries, and those with an expiry.
    static let denylistPieces = "wn:{denylist}:p"
    static let denylistPieceEntries = "wn:{denylist}:pe"
    static let denylistPieceExpiries = "wn:{denylist}:px"

    /// String: which node is mending the list.
    static let denylistMender = "wn:{denylist}:w"

    /// The channel on which changes are published.
    package static let denylistChannel = "wn:{denylist}:changes"

    private static func key(_ kind: String, _ client: ClientID) -> String {
        "wn:{\(Self.tags[Self.bucket(of: client)])}:\(kind):\(client.text)"
    }

    /// The shortest tag of each bucket, in base 36: a table that never changes, since the hash does not.
    static let tags: [String] = {
        var found = [String?](repeating: nil, count: Self.bucketCount)
        var missing = Self.bucketCount
        var number = 0
        while missing > 0 {
            let tag = String(number, radix: 36)
            let bucket = HashSlot.of(tag) / (HashSlot.count / Self.bucketCount)
            if found[bucket] == nil {
                found[bucket] = tag
                missing -= 1
            }
            number += 1
        }
        return found.map { $0 ?? "" }
    }()
}

/// What has a rate.
package enum RequestKind: CaseIterable, Sendable {
    case connect
    case resolve
}
