import WasmnetNet
import WasmnetPolicy

/// What a node reports about itself to the others and to operators.
package struct NodeEntry: Sendable, Equatable {
    package enum State: String, Sendable, Codable, CaseIterable {
        case serving
        /// Takes no new sessions and exits after its last.
        case draining
    }

    /// Hexadecimal; the same as in the epochs of its leases.
    package var id: String
    package var name: String
    /// Where clients reach it, `host:port`.
    package var address: String
    package var version: String
    package var state: State
    package var sessions: Int
    package var sockets: Int
    /// The version of the denylist in force there.
    package var denylistVersion: Int64
    /// Milliseconds since the Unix epoch, by the node's clock.
    package var startedAt: Int64
    /// Milliseconds since the Unix epoch, by Redis' clock. Ignored when written.
    package var seenAt: Int64 = 0

    package init(
        id: String, name: String, address: String, version: String, state: State, sessions: Int, sockets: Int,
        startedAt: Int64, denylistVersion: Int64 = 0
    ) {
        self.id = id
        self.name = name
        self.address = address
        self.version = version
        self.state = state
        self.sessions = sessions
        self.sockets = sockets
        self.startedAt = startedAt
        self.denylistVersion = denylistVersion
    }

    var fields: [(String, String)] {
        [
            ("name", self.name), ("address", self.address), ("version", self.version), ("state", self.state.rawValue),
            ("sessions", "\(self.sessions)"), ("sockets", "\(self.sockets)"), ("started", "\(self.startedAt)"),
            ("denylist", "\(self.denylistVersion)"),
        ]
    }

    /// Reads a hash; nil for anything not written by a node.
    init?(id: String, fields: [String: String]) {
        guard id.utf8.count <= 64, Self.isPlain(id),
            let name = fields["name"], let address = fields["address"], let version = fields["version"],
            [name, address, version].allSatisfy({ $0.utf8.count <= 255 && Self.isPlain($0) }),
            let state = fields["state"].flatMap(State.init(rawValue:)),
            let sessions = fields["sessions"].flatMap(Int.init), Self.counts.contains(sessions),
            let sockets = fields["sockets"].flatMap(Int.init), Self.counts.contains(sockets),
            let started = fields["started"].flatMap(Int64.init), Self.times.contains(started),
            let seen = fields["seen"].flatMap(Int64.init), Self.times.contains(seen / 1000)
        else { return nil }
        self.init(
            id: id, name: name, address: address, version: version, state: state, sessions: sessions, sockets: sockets,
            startedAt: started, denylistVersion: fields["denylist"].flatMap(Int64.init) ?? 0)
        self.seenAt = seen / 1000
    }

    /// Sums over all nodes fit.
    private static let counts = 0...1 << 40
    private static let times = 0...UnixTime.last.milliseconds

    /// No control characters, which could affect a terminal.
    private static func isPlain(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } }
}
