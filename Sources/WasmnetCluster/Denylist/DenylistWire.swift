import NIOCore
import RedisClient
import WasmnetPolicy
import WasmnetNet

/// The denylist's text formats in Redis, as the scripts write them.
enum DenylistWire {
    /// The range of a script's numbers: integers that a double holds exactly.
    static let numbers: ClosedRange<Int64> = 0...(1 << 53)

    /// A change as script arguments.
    static func words(_ change: DenylistChange) -> [RedisArgument] {
        switch change {
        case .remove(let subject): return ["-", .string(subject.text)]
        case .add(let subject, let expiry, let reason):
            let mark = DenylistDigest.mark(of: subject.text, reason: reason)
            let (kind, value): (Int64, Int64) =
                switch expiry {
                case .never: (0, 0)
                case .after(let milliseconds): (1, max(milliseconds, 0))
                case .at(let time): (2, time.milliseconds)
                }
            let numbers = [kind, value, mark].map { RedisArgument.integer($0) }
            return ["+", .string(subject.text)] + numbers + [.string(reason?.text ?? "")]
        }
    }

    /// An entry as script arguments, for a node that writes its list back.
    static func words(_ entry: DenylistEntry) -> [RedisArgument] {
        [
            .string(entry.text), .integer(entry.expiry?.milliseconds ?? 0),
            .integer(DenylistDigest.mark(of: entry.text, reason: entry.reason)), .string(entry.reason?.text ?? ""),
        ]
    }

    /// `+ EXPIRY SUBJECT REASON` or `- SUBJECT`; nil for anything not written by a node.
    static func record(_ text: ByteText) -> DenylistRecord? {
        let words = text.split(at: " ", atMost: 4)
        if words.count == 2, words[0] == "-" { return .drop(words[1].text) }
        guard words.count == 4, words[0] == "+", let expiry = words[1].decimal(as: Int64.self) else { return nil }
        return self.entry(words[2].text, expiry, words[3]).map { .put($0) }
    }

    /// A field and value of the hash: `MARK EXPIRY REASON`; nil for anything not written by a node.
    static func entry(_ field: String, _ value: String) -> DenylistEntry? {
        let words = ByteText(value).split(at: " ", atMost: 3)
        guard words.count == 3, let expiry = words[1].decimal(as: Int64.self) else { return nil }
        return self.entry(field, expiry, words[2])
    }

    private static func entry(_ text: String, _ expiry: Int64, _ reason: ByteText) -> DenylistEntry? {
        guard (0...UnixTime.last.milliseconds).contains(expiry), let subject = try? DenylistSubject(text),
            subject.text == text
        else { return nil }
        // An entry whose reason this version would not accept still applies.
        return DenylistEntry(
            subject, expiry: expiry == 0 ? nil : UnixTime(milliseconds: expiry),
            reason: (try? DenylistReason(reason.text)) ?? nil)
    }
}

/// A published message: `GENERATION FROM TO DIGEST bID nID`, the ids of the version before and of the new one, then the records between
/// the two versions if there are few. Earlier versions of the program ignore the ids, and write none.
struct DenylistMessage: Equatable {
    var generation: Int64
    var from: Int64
    var to: Int64
    var digest: DenylistDigest
    /// Empty if there was none.
    var before = ""
    var id = ""
    /// Nil: they must be read from the log.
    var records: [DenylistRecord]?

    init?(_ payload: ByteBuffer) {
        let lines = ByteText(payload.readableBytesView).split(at: "\n")
        guard let head = lines.first else { return nil }
        let words = head.words
        let numbers = words.compactMap { $0.decimal(as: Int64.self) }
        guard numbers.count == 4, numbers.allSatisfy(DenylistWire.numbers.contains) else { return nil }
        (self.generation, self.from, self.to) = (numbers[0], numbers[1], numbers[2])
        self.digest = DenylistDigest(value: numbers[3])
        for word in words.dropFirst(4) {
            if let id = word.dropping(prefix: "b") { self.before = DenylistLineage.id(id.text) }
            if let id = word.dropping(prefix: "n") { self.id = DenylistLineage.id(id.text) }
        }
        let records = lines.dropFirst().compactMap { DenylistWire.record($0) }
        guard self.to >= self.from, records.count == self.to - self.from else { return }
        self.records = records
    }
}

/// The answer of the poll script.
struct DenylistPoll {
    enum Status: Int64 {
        case none, same, records, trimmed
        /// The list in Redis has not passed through the version that was asked for.
        case unknown
    }

    let status: Status
    /// Microseconds since the Unix epoch, by Redis' clock.
    let time: Int64
    let generation: Int64
    let version: Int64
    let digest: DenylistDigest
    let count: Int64
    /// It is not in force yet.
    let isBuilding: Bool
    /// It was begun to replace all earlier ones.
    let replaces: Bool
    /// The id is this version's own, not an earlier one's.
    let hasOwnID: Bool
    /// Empty if no version had one.
    let id: String
    /// Nil in place of anything not written by a node.
    let records: [DenylistRecord?]

    init(_ reply: RESPValue) throws(RedisError) {
        let parts = reply.array ?? []
        let numbers = parts.prefix(7).compactMap(\.int64)
        guard parts.count >= 8, numbers.count == 7, numbers.allSatisfy(DenylistWire.numbers.contains),
            let status = Status(rawValue: numbers[0]), let id = parts[7].string
        else {
            throw .unavailable("the denylist's script answered with something other than was agreed")
        }
        self.status = status
        (self.time, self.generation, self.version) = (numbers[1], numbers[2], numbers[3])
        self.digest = DenylistDigest(value: numbers[4])
        self.count = numbers[5]
        (self.isBuilding, self.replaces, self.hasOwnID) = (
            numbers[6] & 1 != 0, numbers[6] & 2 != 0, numbers[6] & 4 != 0
        )
        self.id = DenylistLineage.id(id)
        self.records = parts.dropFirst(8).map { $0.string.flatMap { DenylistWire.record(ByteText($0)) } }
    }

    /// - Parameter id: of the known version, or of the last one before it that had an id.
    static func ask(
        _ redis: RedisClient, generation: Int64, version: Int64, id: String = "", deadline: TimeAmount
    ) async throws(RedisError) -> DenylistPoll {
        let keys = [
            RedisKeys.denylist, RedisKeys.denylistEntries, RedisKeys.denylistLog, RedisKeys.denylistIDs,
        ]
        return try DenylistPoll(
            try await redis.evaluate(
                ClusterScripts.denylistPoll, keys: keys.map { .string($0) },
                arguments: [
                    0, .integer(generation), .integer(version), RedisArgument(DenylistLimits.page), .string(id),
                ],
                deadline: deadline))
    }

    /// The list in Redis, as the restore script expects it.
    var text: String { "\(self.generation) \(self.version) \(self.id)" }
}
