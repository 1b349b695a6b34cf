import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetTesting

/// The guard's table against the one in Python's `ipaddress`, which follows the same registries, in whatever version is installed.
@Suite struct SpecialRangesTests {
    /// Ranges of the guard that some or all versions of Python call global.
    static let stricter = [
        // Multicast and addresses outside 2000::/3 are not in the registries; the guard denies them.
        "224.0.0.0/4", "ff00::/8", "fec0::/10", "::/3", "4000::/2", "8000::/1",
        // Globally reachable by the registry, and the network's own gateways or its own protocols.
        "192.0.0.9", "192.0.0.10", "2001:1::1", "2001:1::2", "2001:1::3", "2001:3::/32", "2001:4:112::/48",
        "2001:20::/28",
        "2001:30::/28",
        // Not in every version: deprecated, or registered later.
        "192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "3fff::/20", "5f00::/16", "100:0:0:1::/64",
        "64:ff9b:1::/48",
        "168.63.129.16",
    ]

    private static let program = """
        import ipaddress, sys
        for line in sys.stdin.read().split():
            print(line, ipaddress.ip_address(line).is_global)
        """

    private func edges(_ text: String) throws -> [IPAddress] {
        let prefix = try #require(try PolicyEntry(text).network)
        let bytes = prefix.address.bytes
        var last = bytes
        for bit in prefix.length..<(bytes.count * 8) { last[bit / 8] |= 0x80 >> UInt8(bit % 8) }
        return [
            Self.step(bytes, by: -1), bytes, Self.step(bytes, by: 1), Self.step(last, by: -1), last,
            Self.step(last, by: 1),
        ]
        .compactMap { IPAddress(bytes: $0) }
    }

    private static func step(_ bytes: [UInt8], by change: Int) -> [UInt8] {
        var bytes = bytes
        for index in bytes.indices.reversed() {
            let sum = Int(bytes[index]) + change
            bytes[index] = UInt8(truncatingIfNeeded: sum)
            if (0...255).contains(sum) { break }
        }
        return bytes
    }

    @Test func everythingThatPythonCallsSpecialIsGuarded() async throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededRandom(seed)
        var addresses: [IPAddress] = []
        let registered = [
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
            "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24", "::/128", "::1/128", "64:ff9b::/96", "100::/64",
            "2001:2::/48", "2001:10::/28", "2001:db8::/32", "2620:4f:8000::/48", "fc00::/7", "fe80::/10", "2000::/3",
        ]
        for text in registered + Self.stricter { addresses += try self.edges(text) }
        for _ in 0..<20_000 {
            addresses.append(IPAddress(v6: random.next(), low: random.next()))
            addresses.append(IPAddress(v6: 0x2001_0000_0000_0000 | random.next() >> 16, low: random.next()))
            let bits = random.next()
            addresses += [IPAddress(bytes: (0..<4).map { UInt8(truncatingIfNeeded: bits >> ($0 * 8)) })].compactMap {
                $0
            }
        }
        // An address with another inside is decided by that one, which Python's versions treat differently.
        addresses.removeAll { !$0.embedded.isEmpty }
        let (status, output) = try await ChildProgram.run(
            "python3", ["-c", Self.program], input: addresses.map { "\($0)\n" }.joined())
        #expect(status == 0, "\(output.prefix(1000))")
        let answers = output.split(separator: "\n")
        #expect(answers.count == addresses.count)
        let stricter = try Self.stricter.map { try #require(try PolicyEntry($0).network) }
        for (address, answer) in zip(addresses, answers) {
            let decision = Policy.default.decide(address: address, port: 443, name: nil, transport: .tcp)
            let isGlobal = answer.hasSuffix(" True")
            if decision.allowed {
                #expect(isGlobal, "\(answer): \(decision.reason), seed \(seed)")
            } else if isGlobal {
                #expect(stricter.contains { $0.contains(address) }, "\(answer): \(decision.reason), seed \(seed)")
            }
        }
    }
}
