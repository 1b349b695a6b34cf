import WasmnetNet
import WasmnetPolicy

/// The connections not admitted yet, and which of them gives way when there are too many. A value, without I/O.
///
/// Each operation takes constant time.
struct PendingTable: Sendable {
    typealias ID = UInt64

    /// The unit that connections are counted by.
    enum Owner: Hashable, Sendable {
        /// IPv4 by address, IPv6 by its /64.
        case address(IPAddress)
        /// A connection counted alone: a trusted proxy's, whose client is not known yet.
        case connection(ID)

        init(_ address: IPAddress) {
            self = .address(address.isIPv4 ? address : IPAddress(v6: address.high, low: 0))
        }
    }

    /// A connection's progress, in the order in which connections give way.
    enum Stage: Int, Comparable, Sendable {
        /// No byte of a request has arrived.
        case idle
        /// It has its answer, which ends it.
        case answered
        /// A part of a request's head has arrived.
        case unfinished
        /// Its request is being decided; it does not give way.
        case whole

        static func < (left: Stage, right: Stage) -> Bool { left.rawValue < right.rawValue }
    }

    private struct Entry: Sendable {
        var owner: Owner
        var stage = Stage.idle
        var headBytes = 0
    }

    /// From one address.
    static let maxOfOne = 64
    /// Bytes of all heads together.
    static let maxHeadBytes = 32 << 20
    /// How many owners are searched for a connection that can give way.
    private static let maxAsked = 32

    let most: Int
    private var entries: [ID: Entry] = [:]
    /// An owner's connections, the oldest first.
    private var groups: [Owner: [ID]] = [:]
    /// The owners by their number of connections.
    private var levels: [AgeOrder<Owner>]
    private var lastID: ID = 0
    private(set) var headBytes = 0
    /// Unfinished heads by their size in KiB.
    private var heads: [AgeOrder<ID>]

    /// - Parameter most: connections in total.
    init(most: Int) {
        self.most = max(1, most)
        self.levels = Array(repeating: AgeOrder(), count: Self.maxOfOne + 1)
        self.heads = Array(repeating: AgeOrder(), count: HeadReader.maxBytes / 1024 + 1)
    }

    var count: Int { self.entries.count }

    /// Adds a connection.
    ///
    /// - Parameter address: its owner's; nil if not known yet.
    /// - Returns: its id, and which one must end for it; nil if none can, so that the new one must.
    mutating func enter(_ address: IPAddress?) -> (id: ID, leaving: ID?)? {
        self.lastID += 1
        let id = self.lastID
        let owner = address.map(Owner.init) ?? .connection(id)
        let isFullHere = self.groups[owner, default: []].count >= Self.maxOfOne
        var leaving: ID?
        if isFullHere || self.entries.count >= self.most {
            leaving = isFullHere ? self.weakest(of: owner) : self.weakest()
            guard let leaving else { return nil }
            self.leave(leaving)
        }
        self.entries[id] = Entry(owner: owner)
        self.join(id, owner)
        return (id, leaving)
    }

    /// A connection's owner has become known.
    ///
    /// - Returns: which one must end for it, possibly itself.
    mutating func name(_ id: ID, _ address: IPAddress) -> ID? {
        guard let entry = self.entries[id] else { return nil }
        let owner = Owner(address)
        let isFull = self.groups[owner, default: []].count >= Self.maxOfOne
        let leaving = isFull ? self.weakest(of: owner) ?? id : nil
        if let leaving { self.leave(leaving) }
        guard leaving != id else { return leaving }
        self.part(id, entry.owner)
        self.entries[id]?.owner = owner
        self.join(id, owner)
        return leaving
    }

    /// A connection has progressed.
    ///
    /// - Parameter headBytes: memory held by its head.
    /// - Returns: whose heads must be dropped, the largest first.
    mutating func set(_ id: ID, _ stage: Stage, headBytes: Int) -> [ID] {
        guard let entry = self.entries[id] else { return [] }
        self.countHead(id, entry.stage, -entry.headBytes)
        self.entries[id]?.stage = stage
        self.entries[id]?.headBytes = headBytes
        self.countHead(id, stage, headBytes)
        var leaving: [ID] = []
        while self.headBytes > Self.maxHeadBytes, let largest = self.heads.last(where: { !$0.isEmpty })?.first {
            guard let entry = self.entries[largest] else { break }
            self.countHead(largest, entry.stage, -entry.headBytes)
            self.entries[largest]?.stage = .answered
            self.entries[largest]?.headBytes = 0
            leaving.append(largest)
        }
        return leaving
    }

    mutating func leave(_ id: ID) {
        guard let entry = self.entries.removeValue(forKey: id) else { return }
        self.countHead(id, entry.stage, -entry.headBytes)
        self.part(id, entry.owner)
    }

    /// Adjusts the total size of heads.
    private mutating func countHead(_ id: ID, _ stage: Stage, _ bytes: Int) {
        self.headBytes += bytes
        guard stage == .unfinished, bytes != 0 else { return }
        let bucket = min(abs(bytes) >> 10, self.heads.count - 1)
        if bytes > 0 { self.heads[bucket].append(id) } else { self.heads[bucket].remove(id) }
    }

    // MARK: Owners

    private mutating func join(_ id: ID, _ owner: Owner) {
        let before = self.groups[owner, default: []].count
        self.groups[owner, default: []].append(id)
        self.move(owner, from: before, to: before + 1)
    }

    private mutating func part(_ id: ID, _ owner: Owner) {
        guard var group = self.groups[owner], let index = group.firstIndex(of: id) else { return }
        group.remove(at: index)
        self.groups[owner] = group.isEmpty ? nil : group
        self.move(owner, from: group.count + 1, to: group.count)
    }

    private mutating func move(_ owner: Owner, from old: Int, to new: Int) {
        if old > 0 { self.levels[old].remove(owner) }
        if new > 0 { self.levels[new].append(owner) }
    }

    /// The oldest idle connection of the owner with the most; if none is idle, one at the earliest stage.
    private func weakest() -> ID? {
        var asked = 0
        for level in self.levels.reversed() {
            var owner = level.first
            var best: (id: ID, stage: Stage)?
            while let current = owner, asked < Self.maxAsked {
                asked += 1
                if let id = self.weakest(of: current), let stage = self.entries[id]?.stage {
                    if stage == .idle { return id }
                    if stage < best?.stage ?? .whole { best = (id, stage) }
                }
                owner = level.after(current)
            }
            if let best { return best.id }
        }
        return nil
    }

    private func weakest(of owner: Owner) -> ID? {
        var best: (id: ID, stage: Stage)?
        for id in self.groups[owner, default: []] {
            guard let stage = self.entries[id]?.stage, stage < best?.stage ?? .whole else { continue }
            best = (id, stage)
            if stage == .idle { break }
        }
        return best?.id
    }
}
