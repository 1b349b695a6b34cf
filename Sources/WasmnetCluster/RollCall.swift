import WasmnetQuota

/// What a node knows of a bucket's roll call. A value without clock or I/O.
///
/// A node may be the first to notice, and may not know yet who joined since it last read the registry: it waits until the others have
/// noticed, and are in the registry again.
struct RollCall: Sendable {
    /// Other nodes check some bucket once a second.
    static let noticeTime = QuotaDuration.milliseconds(1500)
    private static let firstPause = QuotaDuration.milliseconds(250)
    private static let longestPause = QuotaDuration.seconds(2)

    private let began: QuotaInstant
    private let age: QuotaDuration
    private var next: QuotaInstant
    /// Nil: there is no other node.
    private var readsPeersAfter: QuotaInstant?
    private var hasDeclared = false

    /// - Parameter age: how long it lasted before the node noticed.
    init(now: QuotaInstant, age: QuotaDuration = .zero) {
        self.began = now
        self.age = age
        self.next = now
        self.readsPeersAfter = now + Self.noticeTime
    }

    enum Step: Sendable {
        case wait
        /// The registry must be read.
        case readPeers
        /// All is declared: it is time to report it, which ends nothing yet.
        case declare
        /// It is time to report it, again, and to check whether all others have.
        case answer
    }

    /// - Parameter peersReadAt: when the registry was last read.
    mutating func step(now: QuotaInstant, peersReadAt: QuotaInstant) -> Step {
        guard now >= self.next else { return .wait }
        if let time = self.readsPeersAfter, peersReadAt < time {
            if now >= time { return .readPeers }
            defer { self.hasDeclared = true }
            return self.hasDeclared ? .wait : .declare
        }
        let pause = max((now - self.began).microseconds / 2, Self.firstPause.microseconds)
        self.next = now + .microseconds(min(pause, Self.longestPause.microseconds))
        return .answer
    }

    /// Whether it took about as long as growth is held if a node does not answer: what a node knows of the hold is as old as its last
    /// answer, a heartbeat at most.
    func lasts(_ hold: QuotaDuration, until now: QuotaInstant) -> Bool {
        (now - self.began).microseconds + self.age.microseconds >= hold.microseconds - 6_000_000
    }

    /// There is no other node that could have lost anything.
    mutating func isAlone() { self.readsPeersAfter = nil }
}
