import DequeModule
import WasmnetNet
import WasmnetPolicy

/// One endpoint of datagrams.
struct DatagramPeer: Hashable {
    var address: IPAddress
    var port: UInt16
}

/// The peers a socket sent to; the oldest are forgotten first.
struct RecentPeers {
    private var order = Deque<DatagramPeer>()
    private var members: Set<DatagramPeer> = []
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    func contains(_ peer: DatagramPeer) -> Bool { self.members.contains(peer) }

    mutating func keep(where holds: (DatagramPeer) -> Bool) {
        self.order.removeAll { !holds($0) }
        self.members.formIntersection(self.order)
    }

    mutating func insert(_ peer: DatagramPeer) {
        guard self.members.insert(peer).inserted else { return }
        self.order.append(peer)
        if self.order.count > self.limit, let oldest = self.order.popFirst() { self.members.remove(oldest) }
    }
}
