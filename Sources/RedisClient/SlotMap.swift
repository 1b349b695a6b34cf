import WasmnetNet

/// Which node serves which slot of a Redis Cluster.
package struct SlotMap: Sendable, Equatable {
    /// The masters, each once, in the order of their first slots.
    package private(set) var masters: [RedisEndpoint] = []
    /// The replicas that the reply names, which may become masters.
    package private(set) var replicas: Set<RedisEndpoint> = []
    /// For each slot the index of its master, or -1.
    private var owners = [Int32](repeating: -1, count: HashSlot.count)

    package init() {}

    /// Parses the reply to `CLUSTER SLOTS`: ranges of first slot, last slot, master, replicas.
    ///
    /// - Parameter asked: the node that answered, whose host is used for one the cluster does not name.
    /// - Returns: nil if the reply has another form or serves no slot.
    package init?(_ reply: RESPValue, asked: RedisEndpoint) {
        guard let ranges = reply.array, !ranges.isEmpty else { return nil }
        for range in ranges {
            guard let parts = range.array, parts.count >= 3, let first = parts[0].int, let last = parts[1].int,
                first >= 0, first <= last, last < HashSlot.count, let node = parts[2].array, node.count >= 2,
                let port = node[1].int, (1...65535).contains(port)
            else { return nil }
            let master = Self.endpoint(host: node[0].string, port: port, asked: asked)
            for slot in first...last { self[slot] = master }
            for part in parts.dropFirst(3) {
                guard let replica = part.array, replica.count >= 2, let port = replica[1].int,
                    (1...65535).contains(port)
                else { continue }
                self.replicas.insert(Self.endpoint(host: replica[0].string, port: port, asked: asked))
            }
        }
    }

    /// The master of a slot of 0..<16,384; nil if no node serves it.
    package subscript(slot: Int) -> RedisEndpoint? {
        get {
            guard owners.indices.contains(slot) else { return nil }
            let owner = Int(owners[slot])
            return masters.indices.contains(owner) ? masters[owner] : nil
        }
        set {
            guard owners.indices.contains(slot) else { return }
            guard let newValue else {
                owners[slot] = -1
                return
            }
            let index = masters.firstIndex(of: newValue) ?? masters.endIndex
            if index == masters.endIndex { masters.append(newValue) }
            owners[slot] = Int32(clamping: index)
        }
    }

    static func endpoint(host: String?, port: Int, asked: RedisEndpoint) -> RedisEndpoint {
        // An empty name, `?` and null mean the host of the node that was asked (Redis 7).
        if let host, !host.isEmpty, host != "?" { return .host(host, port: port) }
        guard case .host(let same, _) = asked else { return asked }
        return .host(same, port: port)
    }
}

/// A reply that redirects a command.
package struct Redirection: Sendable, Equatable {
    package let slot: Int
    package let endpoint: RedisEndpoint
    /// For this command only, after `ASKING`; otherwise the slot has moved for good.
    package let isAsk: Bool

    /// Reads `MOVED slot host:port` or `ASK slot host:port`.
    package init?(_ error: RedisServerError, asked: RedisEndpoint) {
        guard error.code == "MOVED" || error.code == "ASK" else { return nil }
        let words = error.arguments
        guard words.count == 2, let slot = Int(words[0]), (0..<HashSlot.count).contains(slot),
            let (host, digits) = ByteText(words[1]).cutLast(at: ":"), let port = digits.decimal(as: UInt16.self),
            port > 0
        else { return nil }
        self.slot = slot
        endpoint = SlotMap.endpoint(host: host.text, port: Int(port), asked: asked)
        isAsk = error.code == "ASK"
    }
}
