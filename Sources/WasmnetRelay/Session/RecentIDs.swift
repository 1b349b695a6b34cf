import DequeModule
import WasmnetProtocol

/// Ids that ended not long ago, so that messages which crossed our `closed` are silence and each unknown id is answered only once.
struct RecentIDs {
    private var order = Deque<SocketID>()
    private var crossingEnds: [SocketID: Int64] = [:]
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    func contains(_ id: SocketID) -> Bool { self.crossingEnds[id] != nil }

    /// Monotonic nanoseconds until which a message for the id may have crossed its end; nil where it did not end of late.
    func crossingEnds(_ id: SocketID) -> Int64? { self.crossingEnds[id] }

    mutating func insert(_ id: SocketID, crossingEnds: Int64) {
        guard self.crossingEnds.updateValue(crossingEnds, forKey: id) == nil else { return }
        self.order.append(id)
        if self.order.count > self.limit, let oldest = self.order.popFirst() { self.crossingEnds[oldest] = nil }
    }

    /// The id is in use again.
    mutating func remove(_ id: SocketID) {
        guard self.crossingEnds.removeValue(forKey: id) != nil else { return }
        self.order.removeAll { $0 == id }
    }
}
