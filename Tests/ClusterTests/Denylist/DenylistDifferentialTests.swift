import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetTesting

/// A naive list without optimization: every question checks all entries.
private struct PlainList {
    var entries: [(subject: DenylistSubject, expiry: UnixTime?)] = []

    mutating func put(_ subject: DenylistSubject, _ expiry: UnixTime?) {
        self.entries.removeAll { $0.subject.text == subject.text }
        self.entries.append((subject, expiry))
    }

    func denies(at now: UnixTime, _ fits: (DenylistSubject) -> Bool) -> Bool {
        self.entries.contains { ($0.expiry.map { now.milliseconds < $0.milliseconds } ?? true) && fits($0.subject) }
    }

    /// By the text only: host and port are parsed from it again.
    static func split(_ subject: DenylistSubject) -> (host: String, ports: ClosedRange<UInt16>?) {
        guard case .destination(let entry) = subject.kind else { return (subject.text, nil) }
        guard let ports = entry.ports else { return (subject.text, nil) }
        let tail = ports.count == 1 ? ":\(ports.lowerBound)" : ":\(ports.lowerBound)-\(ports.upperBound)"
        return (String(subject.text.dropLast(tail.count)).filter { $0 != "[" && $0 != "]" }, ports)
    }

    static func network(_ text: String) -> Prefix? {
        let parts = text.split(separator: "/")
        guard let first = parts.first, let address = IPAddress(first) else { return nil }
        return Prefix(address, length: parts.count > 1 ? Int(parts[1]) ?? 0 : address.isIPv4 ? 32 : 128)
    }

    func denies(_ address: IPAddress, _ port: UInt16?, at now: UnixTime) -> Bool {
        self.denies(at: now) { subject in
            let (host, ports) = Self.split(subject)
            guard let network = Self.network(host), ports.map({ port.map($0.contains) ?? false }) ?? true else {
                return false
            }
            return network.contains(address) || address.embedded.contains { network.contains($0) }
        }
    }

    func denies(_ name: String, _ port: UInt16?, at now: UnixTime) -> Bool {
        self.denies(at: now) { subject in
            let (host, ports) = Self.split(subject)
            guard ports.map({ port.map($0.contains) ?? false }) ?? true else { return false }
            return host.hasPrefix("*.") ? ".\(name)".hasSuffix(host.dropFirst()) : host == name
        }
    }

    func denies(client: String, at now: UnixTime) -> Bool {
        self.denies(at: now) { subject in
            guard subject.text.hasPrefix("client:") else { return false }
            if subject.text == "client:\(client)" { return true }
            guard client.hasPrefix("a:"), let network = Self.network(String(subject.text.dropFirst("client:a:".count))),
                let address = IPAddress(client.dropFirst(2).prefix { $0 != "/" })
            else { return false }
            return network.contains(address)
        }
    }
}

@Suite struct DifferentialTests {
    /// 10,000 operations, half of them questions, over few enough subjects that they overlap.
    @Test func answersAsAPlainListDoes() throws {
        var random = seeded(2)
        var book = DenylistReplica()
        var plain = PlainList()
        var now = listStart
        var denied = 0
        for step in 0..<10_000 {
            now = now.adding(milliseconds: Int64.random(in: 0...3, using: &random))
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4:
                let subject = try subject(Draw.subject(&random))
                let expiry =
                    Bool.random(using: &random) ? nil : now.adding(milliseconds: .random(in: 1...900, using: &random))
                _ = book.write([.add(subject, expiry.map { .at($0) } ?? .never)], now: now)
                plain.put(subject, expiry)
            case 4:
                let subject = try subject(Draw.subject(&random))
                _ = book.write([.remove(subject)], now: now)
                plain.entries.removeAll { $0.subject.text == subject.text }
            case 5..<8:
                let address = Draw.address(&random)
                let port: UInt16? = Draw.port(&random)
                let found = book.list.entry(for: address, port: port, at: now)
                #expect(
                    (found != nil) == plain.denies(address, port, at: now), "seed \(listSeed), step \(step), \(address)"
                )
                denied += found == nil ? 0 : 1
            case 8:
                let name = Draw.name(&random)
                let port: UInt16? = Draw.port(&random)
                let found = book.list.entry(for: try HostName(parsing: name), port: port, at: now)
                #expect((found != nil) == plain.denies(name, port, at: now), "seed \(listSeed), step \(step), \(name)")
                denied += found == nil ? 0 : 1
            default:
                let client = Draw.client(&random)
                let found = book.list.entry(forClient: client, at: now)
                #expect(
                    (found != nil) == plain.denies(client: client, at: now), "seed \(listSeed), step \(step), \(client)"
                )
                denied += found == nil ? 0 : 1
            }
        }
        // Otherwise it proves little.
        #expect((500...4500).contains(denied), "\(denied)")
        let rest = plain.entries.filter { $0.expiry.map { now < $0 } ?? true }.map(\.subject.text).sorted()
        #expect(book.list.sorted().filter { $0.holds(at: now) }.map(\.text) == rest)
        #expect(book.list.digest == Denylist(book.list.sorted()).digest)
    }
}

/// Subjects and questions over a small world.
enum Draw {
    static func subject(_ random: inout SeededRandom) -> String {
        let tail = ["", "", "", ":25", ":80-443"].randomElement(using: &random) ?? ""
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return "10.\(Self.digit(&random)).\(Self.digit(&random)).\(Self.digit(&random))\(tail)"
        case 1: return "10.\(Self.digit(&random)).\(Self.digit(&random)).0/24\(tail)"
        case 2: return "10.\(Self.digit(&random)).0.0/16\(tail)"
        case 3:
            let address = "2001:db8:\(Self.digit(&random))::\(Self.digit(&random))"
            return tail.isEmpty ? address : "[\(address)]\(tail)"
        case 4:
            return tail.isEmpty
                ? "2001:db8:\(Self.digit(&random))::/48" : "[2001:db8:\(Self.digit(&random))::]/48\(tail)"
        case 5: return "\(Self.name(&random))\(tail)"
        case 6: return "*.\(Self.name(&random))\(tail)"
        default:
            return "client:"
                + (Bool.random(using: &random) ? Self.client(&random) : "a:10.\(Self.digit(&random)).0.0/16")
        }
    }

    static func address(_ random: inout SeededRandom) -> IPAddress {
        let (a, b, c) = (Self.digit(&random), Self.digit(&random), Self.digit(&random))
        let inner = IPAddress(v4: (10, UInt8(a), UInt8(b), UInt8(c)))
        switch Int.random(in: 0..<6, using: &random) {
        case 0: return IPAddress(v6: 0, low: 0xFFFF_0000_0000 | inner.low)
        case 1: return IPAddress(v6: 0x0064_FF9B_0000_0000, low: inner.low)
        case 2: return IPAddress(v6: 0x2001_0DB8_0000_0000 | UInt64(a) << 16, low: UInt64(b))
        default: return inner
        }
    }

    static func port(_ random: inout SeededRandom) -> UInt16? {
        ([25, 80, 443, 8080, nil] as [UInt16?]).randomElement(using: &random) ?? nil
    }

    static func name(_ random: inout SeededRandom) -> String {
        let labels = ["a", "b", "c"]
        let depth = Int.random(in: 0...2, using: &random)
        return (0..<depth).map { _ in (labels.randomElement(using: &random) ?? "a") + "." }.joined()
            + "n\(Self.digit(&random)).test"
    }

    static func client(_ random: inout SeededRandom) -> String {
        switch Int.random(in: 0..<3, using: &random) {
        case 0: "a:10.\(Self.digit(&random)).\(Self.digit(&random)).1"
        case 1: "a:2001:db8:\(Self.digit(&random))::/64"
        default: "t:someone-\(Self.digit(&random))"
        }
    }

    private static func digit(_ random: inout SeededRandom) -> Int { Int.random(in: 0...4, using: &random) }
}
