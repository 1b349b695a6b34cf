import NIOCore
import RedisClient
import WasmnetPolicy
import WasmnetText

/// The denylist's texts in Redis, as the scripts write them.
enum DenylistWire {
    /// What a script writes and answers: all that a double tells apart.
    static let numbers: ClosedRange<Int64> = 0...(1 << 53)

    /// The words of a change.
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

    /// `+ EXPIRY SUBJECT REASON` or `- SUBJECT`; nil for what no node wrote.
    static func record(_ text: ByteText) -> DenylistRecord? {
        let words = text.split(at: " ", atMost: 4)
        if words.count == 2, words[0] == "-" { return .drop(words[1].text) }
        guard words.count == 4, words[0] == "+", let expiry = words[1].decimal(as: Int64.self) else { return nil }
        return self.entry(words[2].text, expiry, words[3]).map { .put($0) }
    }

    /// A field and value of the hash: `MARK EXPIRY REASON`; nil for what no node wrote.
    static func entry(_ field: String, _ value: String) -> DenylistEntry? {
        let words = ByteText(value).split(at: " ", atMost: 3)
        guard words.count == 3, let expiry = words[1].decimal(as: Int64.self) else { return nil }
        return self.entry(field, expiry, words[2])
    }

    private static func entry(_ text: String, _ expiry: Int64, _ reason: ByteText) -> DenylistEntry? {
        guard (0...UnixTime.last.milliseconds).contains(expiry), let subject = try? DenylistSubject(text),
            subject.text == text
        else { return nil }
        // A reason that this version would not take is no reason to forget the entry.
        return DenylistEntry(
            subject, expiry: expiry == 0 ? nil : UnixTime(milliseconds: expiry),
            reason: (try? DenylistReason(reason.text)) ?? nil)
    }
}

/// What is published: `GENERATION FROM TO DIGEST`, then the records from one version to the other where they are few.
struct DenylistMessage: Equatable {
    var generation: Int64
    var from: Int64
    var to: Int64
    var digest: DenylistDigest
    /// Nil: they are to be read from the log.
    var records: [DenylistRecord]?

    init?(_ payload: ByteBuffer) {
        let lines = ByteText(payload.readableBytesView).split(at: "\n")
        guard let head = lines.first else { return nil }
        let numbers = head.words.compactMap { $0.decimal(as: Int64.self) }
        guard numbers.count == 4, numbers.allSatisfy(DenylistWire.numbers.contains) else { return nil }
        (self.generation, self.from, self.to) = (numbers[0], numbers[1], numbers[2])
        self.digest = DenylistDigest(value: numbers[3])
        let records = lines.dropFirst().compactMap { DenylistWire.record($0) }
        guard self.to >= self.from, records.count == self.to - self.from else { return }
        self.records = records
    }
}

/// The answer of the script that tells what changed.
struct DenylistPoll {
    enum Status: Int64 {
        case none, same, records, trimmed
    }

    let status: Status
    /// Microseconds since the Unix epoch, by Redis' clock.
    let time: Int64
    let generation: Int64
    let version: Int64
    let digest: DenylistDigest
    let count: Int64
    /// Nil in place of what no node wrote.
    let records: [DenylistRecord?]

    init(_ reply: RESPValue) throws(RedisError) {
        let parts = reply.array ?? []
        let numbers = parts.prefix(6).compactMap(\.int64)
        guard numbers.count == 6, numbers.allSatisfy(DenylistWire.numbers.contains),
            let status = Status(rawValue: numbers[0])
        else {
            throw .unavailable("the denylist's script answered with something else than six numbers")
        }
        self.status = status
        (self.time, self.generation, self.version) = (numbers[1], numbers[2], numbers[3])
        self.digest = DenylistDigest(value: numbers[4])
        self.count = numbers[5]
        self.records = parts.dropFirst(6).map { $0.string.flatMap { DenylistWire.record(ByteText($0)) } }
    }

    static func ask(
        _ redis: RedisClient, generation: Int64, version: Int64, deadline: TimeAmount
    ) async throws(RedisError) -> DenylistPoll {
        try DenylistPoll(
            try await redis.evaluate(
                ClusterScripts.denylistPoll,
                keys: [
                    .string(RedisKeys.denylist), .string(RedisKeys.denylistEntries), .string(RedisKeys.denylistLog),
                ],
                arguments: [0, .integer(generation), .integer(version), RedisArgument(DenylistLimits.page)],
                deadline: deadline))
    }
}
