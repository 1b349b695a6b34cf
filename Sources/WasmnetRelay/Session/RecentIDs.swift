import DequeModule
import WasmnetProtocol

/// Ids that ended not long ago, so that messages which crossed our `closed` are silence and each unknown id is told only once.
struct RecentIDs {
    private var order = Deque<SocketID>()
    private var members: Set<SocketID> = []
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    func contains(_ id: SocketID) -> Bool { self.members.contains(id) }

    mutating func insert(_ id: SocketID) {
        guard self.members.insert(id).inserted else { return }
        self.order.append(id)
        if self.order.count > self.limit, let oldest = self.order.popFirst() { self.members.remove(oldest) }
    }

    /// The id is in use again.
    mutating func remove(_ id: SocketID) {
        guard self.members.remove(id) != nil else { return }
        self.order.removeAll { $0 == id }
    }
}
