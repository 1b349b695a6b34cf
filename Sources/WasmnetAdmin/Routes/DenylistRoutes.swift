import NIOHTTP1
import WasmnetNet

extension AdminRoutes {
    /// The denied destinations and clients.
    var denylist: [Route] {
        [
            Route(.GET, "/v1/denylist", "denylist.list", parameters: ["cursor", "limit"]) { call in
                try .json(try await self.backend.denylist(try call.query.window()))
            },
            Route(.POST, "/v1/denylist", "denylist.add", body: .json) { call in
                let additions = try JSONText.decode(DenylistAdditions.self, from: call.body).entries
                let change = try await self.backend.addToDenylist(additions.map(\.addition))
                return try .json(change, subject: Self.subject(additions.map(\.addition.entry)))
            },
            Route(.DELETE, "/v1/denylist", "denylist.remove", body: .json) { call in
                let entries = try JSONText.decode(DenylistRemovals.self, from: call.body).entries
                let change = try await self.backend.removeFromDenylist(entries)
                return try .json(change, subject: Self.subject(entries))
            },
        ]
    }

    private static func subject(_ entries: [String]) -> String {
        "\(entries.count): " + entries.prefix(10).joined(separator: ", ")
    }
}

/// `{"entries": [{"entry": "10.0.0.0/8", "ttl_seconds": 60, "reason": "…"}]}`
private struct DenylistAdditions: Decodable {
    struct Item: Decodable {
        let addition: DenylistAddition

        enum CodingKeys: String, CodingKey, CaseIterable {
            case entry
            case reason
            case timeToLive = "ttl_seconds"
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.strictContainer(CodingKeys.self)
            let seconds = try values.decodeIfPresent(Double.self, forKey: .timeToLive)
            // A century in seconds: far from the limits of a Duration or a Redis expiry.
            if let seconds, !(seconds > 0 && seconds <= 3_155_760_000) {
                throw BodyError(
                    path: "ttl_seconds", "an entry lives longer than 0 seconds and at most a century, not \(seconds) s")
            }
            let reason = try values.decodeIfPresent(String.self, forKey: .reason)
            if let reason, reason.utf8.count > 256 { throw BodyError(path: "reason", "a reason is at most 256 bytes") }
            self.addition = DenylistAddition(
                entry: try values.decode(String.self, forKey: .entry), reason: reason,
                timeToLive: seconds.map { .seconds($0) })
            try DenylistRemovals.check([self.addition.entry])
        }
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case entries
    }

    let entries: [Item]

    init(from decoder: any Decoder) throws {
        self.entries = try decoder.strictContainer(CodingKeys.self).decode([Item].self, forKey: .entries)
        if self.entries.isEmpty { throw BodyError(path: "entries", "must not be empty") }
    }
}

/// `{"entries": ["10.0.0.0/8"]}`
private struct DenylistRemovals: Decodable {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case entries
    }

    let entries: [String]

    init(from decoder: any Decoder) throws {
        self.entries = try decoder.strictContainer(CodingKeys.self).decode([String].self, forKey: .entries)
        if self.entries.isEmpty { throw BodyError(path: "entries", "must not be empty") }
        try Self.check(self.entries)
    }

    /// The backend decides what an entry means; this only checks that it is one line of sensible length.
    static func check(_ entries: [String]) throws {
        for entry in entries
        where entry.isEmpty || entry.utf8.count > 1_024 || ByteText(entry).hasControls {
            throw BodyError(path: "entry", "an entry is 1 to 1024 bytes without control characters")
        }
    }
}
