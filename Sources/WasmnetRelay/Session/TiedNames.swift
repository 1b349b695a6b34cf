import DequeModule
import WasmnetPolicy

/// Which addresses were resolved from which name in this session: guests resolve a name and then connect by address, and a rule
/// for the name is to decide then as well. Bounded; the oldest tie goes first.
struct TiedNames {
    private var names: [IPAddress: HostName] = [:]
    private var order = Deque<IPAddress>()
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    func name(of address: IPAddress) -> HostName? { self.names[address] }

    mutating func tie(_ addresses: [IPAddress], to name: HostName) {
        for address in addresses {
            if self.names.updateValue(name, forKey: address) == nil { self.order.append(address) }
        }
        while self.order.count > self.limit, let oldest = self.order.popFirst() { self.names[oldest] = nil }
    }
}
