import DequeModule
import WasmnetNet
import WasmnetPolicy

/// Which names each address was resolved from in this session: guests resolve a name and then connect by address, and the rules for
/// the name then apply too. Several names may share an address. Bounded; the oldest pair is dropped first.
struct ResolvedNames {
    private struct Tie: Hashable {
        var address: IPAddress
        var name: HostName
    }

    private var names: [IPAddress: [HostName]] = [:]
    private var order = Deque<Tie>()
    private let limit: Int

    /// - Parameter limit: pairs of an address and a name to remember.
    init(limit: Int) {
        self.limit = limit
    }

    /// In the order in which they were first resolved to the address.
    func names(of address: IPAddress) -> [HostName] { self.names[address] ?? [] }

    mutating func remember(_ addresses: [IPAddress], of name: HostName) {
        for address in addresses where self.names[address]?.contains(name) != true {
            self.names[address, default: []].append(name)
            self.order.append(Tie(address: address, name: name))
        }
        while self.order.count > self.limit, let oldest = self.order.popFirst() { self.forget(oldest) }
    }

    private mutating func forget(_ tie: Tie) {
        self.names[tie.address]?.removeAll { $0 == tie.name }
        if self.names[tie.address]?.isEmpty == true { self.names[tie.address] = nil }
    }
}
