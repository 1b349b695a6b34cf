import ArgumentParser

/// A hostile client's behaviour, which costs none of its quotas.
enum Abuse: String, CaseIterable, ExpressibleByArgument {
    /// Opens that are refused before a dial, and messages for sockets that do not exist.
    case refusedOpens = "refused-opens"
    /// Names that are answered late or never, by `resolve`, `connect` and `send_to`.
    case lookups
    /// Datagrams and messages without a byte.
    case emptyDatagrams = "empty-datagrams"
    /// Frames of one byte: whole messages, and fragments of one.
    case tinyFrames = "tiny-frames"
    /// Requests with 15 KiB of header that do not end.
    case unfinishedUpgrades = "unfinished-upgrades"
    /// Downloads that are read at 1 KB a second.
    case slowReaders = "slow-readers"
    /// Sockets that are opened and closed at once, at the allowed rate and above it.
    case opensAndCloses = "opens-and-closes"
    /// WebSocket pings.
    case pings

    /// Messages a second that a client offers; connections, if the abuse consists of connections.
    /// - Parameter client: 0 to 7.
    func rate(client: Int) -> Double {
        switch self {
        case .refusedOpens, .emptyDatagrams, .tinyFrames, .pings: 15_000
        case .lookups: 1000
        case .unfinishedUpgrades, .slowReaders: 100
        // An open and a close are two messages: the policy allows 20 sockets a second.
        case .opensAndCloses: client.isMultiple(of: 2) ? 40 : 5000
        }
    }
}

extension Abuse {
    /// The number of messages that a client has offered after this many seconds of a run. A hostile one does not pace a flood: it has all
    /// messages ready at once.
    func offered(client: Int, after seconds: Double, of run: Double, polite: Bool) -> Int {
        let isFlood = self != .unfinishedUpgrades && self != .slowReaders && self != .opensAndCloses
        return Int((isFlood && !polite ? run : min(seconds, run)) * self.rate(client: client))
    }
}

/// The clients' work in one run: the same number of messages, polite or not.
struct Crowd {
    static let size = 8

    var name: String
    /// One for each client.
    var abuses: [Abuse]

    static let all =
        Abuse.allCases.map { abuse in
            Crowd(name: abuse.rawValue, abuses: [Abuse](repeating: abuse, count: Crowd.size))
        } + [Crowd(name: "one-of-each", abuses: Abuse.allCases)]

    /// Messages a second that all offer together.
    var rate: Double {
        self.abuses.indices.reduce(0) { $0 + self.abuses[$1].rate(client: $1) }
    }
}
