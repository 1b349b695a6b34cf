import WasmnetNet
import WasmnetPolicy

/// The cost of one decision under a policy of 1,000 entries: CIDRs, addresses, names and wildcards.
enum PolicyBenchmark {
    static func rows() throws -> [[String]] {
        var rules = Policy.Rules()
        for index in 0..<250 {
            rules.deny.append(try PolicyEntry("198.\(index % 200).\(index % 7 * 32).0/19"))
            rules.deny.append(try PolicyEntry("*.ads-\(index).example"))
            rules.allow.append(try PolicyEntry("203.0.\(index).0/24:443"))
            rules.allow.append(try PolicyEntry("host-\(index).test:1-1024"))
        }
        let policy = Policy(rules)
        let addresses = (0..<1000).map { IPAddress(v4: (203, 0, UInt8($0 % 250), UInt8($0 / 250))) }
        let names = try (0..<1000).map { try HostName(parsing: "host-\($0 % 400).test") }
        let byAddress = nanosecondsPerCall(calls: 1000) { call in
            use(policy.decide(address: addresses[call], port: 443, name: nil, transport: .tcp))
        }
        let byName = nanosecondsPerCall(calls: 1000) { call in
            use(policy.decide(name: names[call], port: 443, transport: .tcp))
            use(policy.decide(address: addresses[call], port: 443, name: names[call], transport: .tcp))
        }
        func row(_ work: String, _ nanoseconds: Double) -> [String] {
            [work, format(nanoseconds), "<= 2000", nanoseconds <= 2000 ? "met" : "MISSED"]
        }
        return [row("by address, 1,000 entries", byAddress), row("by name and its address, 1,000 entries", byName)]
    }
}
