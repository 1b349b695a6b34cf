import WasmnetPolicy
import WasmnetQuota

/// One client's rates and bytes while Redis is out of reach: this node's part of each limit, counted here. Fresh for each outage.
struct Outage: Sendable {
    private let modes: OutageModes
    private let nodes: Int
    private var model: ClientModel
    /// A client that is refused for the outage may come again after this.
    static let retry = QuotaDuration.seconds(1)

    /// - Parameter dayRest: bytes of the day that were left when Redis was last heard, nil if it never was.
    init(limits: QuotaLimits, modes: OutageModes, nodes: Int, dayRest: Int64?) {
        let nodes = max(nodes, 1)
        self.modes = modes
        self.nodes = nodes
        var part = QuotaLimits()
        if modes.connects == .static {
            part.connectsPerSecond = limits.connectsPerSecond / Double(nodes)
            part.connectBurst = Self.part(limits.connectBurst, nodes)
        }
        if modes.resolves == .static {
            part.resolvesPerSecond = limits.resolvesPerSecond / Double(nodes)
            part.resolveBurst = Self.part(limits.resolveBurst, nodes)
        }
        if modes.bandwidth == .static {
            part.bytesPerSecond = limits.bytesPerSecond / Double(nodes)
            part.byteBurst = Self.part(limits.byteBurst, nodes)
        }
        if modes.dayBytes == .static, limits.bytesPerDay > 0 {
            let rest = dayRest.map { UInt64(max($0, 0)) } ?? limits.bytesPerDay
            part.bytesPerDay = max(rest / UInt64(nodes), 1)
        }
        self.model = ClientModel(limits: part)
        self.hasByteRate = limits.bytesPerSecond > 0
        self.hasDay = limits.bytesPerDay > 0
        self.connectsLimited = limits.connectsPerSecond > 0
        self.resolvesLimited = limits.resolvesPerSecond > 0
    }

    private let hasByteRate: Bool
    private let hasDay: Bool
    private let connectsLimited: Bool
    private let resolvesLimited: Bool

    private static func part(_ burst: Int, _ nodes: Int) -> Int { burst > 0 ? max(burst / nodes, 1) : 0 }

    /// Whether one more slot may be taken beyond what was granted.
    func admitsSlot(_ kind: SlotKind, open: Int, limit: Int) -> QuotaRefusal? {
        guard limit > 0 else { return nil }
        let (mode, quota) =
            kind == .session ? (self.modes.sessions, QuotaKind.sessions) : (self.modes.sockets, .sockets)
        switch mode {
        case .open: return nil
        case .closed: return QuotaRefusal(kind: quota, retryAfter: Self.retry)
        case .static: return open < max(limit / self.nodes, 1) ? nil : QuotaRefusal(kind: quota, retryAfter: Self.retry)
        }
    }

    mutating func admitsConnect(now: QuotaInstant) -> QuotaRefusal? {
        if self.hasDay, let refusal = self.daySpent(now: now) { return refusal }
        if self.connectsLimited, self.modes.connects == .closed {
            return QuotaRefusal(kind: .connectRate, retryAfter: Self.retry)
        }
        return self.model.reserve(.socket, at: now)
    }

    mutating func admitsResolve(now: QuotaInstant) -> QuotaRefusal? {
        if self.resolvesLimited, self.modes.resolves == .closed {
            return QuotaRefusal(kind: .resolveRate, retryAfter: Self.retry)
        }
        return self.model.reserve(.resolve, at: now)
    }

    /// Takes what is about to pass; fewer bytes where the node's part of the day ends.
    mutating func draw(_ bytes: Int64, now: QuotaInstant) -> Int64 {
        self.hasDay && self.modes.dayBytes == .closed ? 0 : self.model.draw(bytes: bytes, at: now)
    }

    mutating func charge(_ bytes: Int64, now: QuotaInstant) { self.model.charge(bytes: bytes, at: now) }

    mutating func charge(overhead bytes: Int64, now: QuotaInstant) { self.model.charge(overhead: bytes, at: now) }

    mutating func pause(now: QuotaInstant) -> QuotaInstant? {
        if (self.hasByteRate && self.modes.bandwidth == .closed) || (self.hasDay && self.modes.dayBytes == .closed) {
            return now + Self.retry
        }
        return self.model.pause(at: now)
    }

    mutating func daySpent(now: QuotaInstant) -> QuotaRefusal? {
        self.hasDay ? self.model.daySpent(at: now) : nil
    }

    /// Bytes that passed while the cluster did not know.
    var passed: UInt64 { self.model.day.used }
}
