import ArgumentParser
import WasmnetNet
import WasmnetPolicy

/// The cost of a lookup in the denylist and of a change, in a small list and in a large one.
struct DenylistBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "denylist", abstract: "What a lookup in the denylist and a change of it cost.")

    @Option(help: "Entries of the large list; 1,000 or more.")
    var entries = 100_000

    func validate() throws {
        guard self.entries >= 1000 else { throw ValidationError("--entries must be 1000 or more") }
    }

    func run() throws {
        let small = try DenylistFigures(entries: 1000)
        let large = try DenylistFigures(entries: self.entries)
        let header = ["denylist", "ns at 1,000", "ns at \(self.entries)", "ratio", "goal", ""]
        let rows = zip(small.rows(), large.rows()).map { small, large in
            let goal = large.goal.map { ["<= \(Int($0))", large.nanoseconds <= $0 ? "met" : "MISSED"] } ?? ["", ""]
            let ratio = format(large.nanoseconds / small.nanoseconds)
            return [large.work, format(small.nanoseconds), format(large.nanoseconds), ratio] + goal
        }
        print(Table(header: header, rows: rows).text)
    }
}

/// A list with two fifths of addresses, one of networks of four lengths, one of names, one of wildcards and some clients.
private struct DenylistFigures {
    struct Row {
        let work: String
        let nanoseconds: Double
        var goal: Double?
    }

    private let entries: [DenylistEntry]
    private let list: Denylist
    private let now = UnixTime(milliseconds: 1_800_000_000_000)

    init(entries count: Int) throws {
        self.entries = try (0..<count).map { try DenylistEntry(Self.text($0)) }
        self.list = Denylist(self.entries)
    }

    private static func text(_ index: Int) -> String {
        let (high, middle, low) = (index / 65_536 % 32, index / 256 % 256, index % 256)
        return switch index % 10 {
        case 0, 1, 2: "\(20 + high).\(middle).\(low).7"
        case 3: "2001:db8:\(String(middle, radix: 16)):\(String(low, radix: 16))::\(high)"
        case 4: "\(60 + high).\(middle).\(low).0/\(24 + index / 10 % 4 % 3)"
        case 5: "2a00:\(String(middle, radix: 16)):\(String(low, radix: 16)):\(high)::/64"
        case 6, 7: "host-\(index).bad-\(middle).example"
        case 8: "*.ads-\(index).example"
        default: "client:t:subject-\(index)"
        }
    }

    func rows() -> [Row] {
        let misses = (0..<1000).map { IPAddress(v4: (198, 51, UInt8($0 / 256), UInt8($0 % 256))) }
        let sixes = (0..<1000).map { IPAddress(v6: 0x2606_4700_0000_0000 + UInt64($0), low: UInt64($0)) }
        let hits = self.entries.compactMap { $0.text.contains("/") ? nil : IPAddress($0.text) }
        let strangers = (0..<1000).compactMap { try? HostName(parsing: "www.api-\($0).service.example.org") }
        let below = self.entries.compactMap {
            $0.text.hasPrefix("*.") ? try? HostName(parsing: "cdn.\($0.text.dropFirst(2))") : nil
        }
        let subjects = (0..<1000).map { "t:somebody-else-\($0)" }
        let clients = (0..<1000).map { "a:203.0.\($0 % 200).\($0 / 200)" }
        return [
            self.lookUp("IPv4 address, not on the list") { list, call in
                list.entry(for: misses[call], port: 443, at: self.now)
            },
            self.lookUp("IPv6 address, not on the list") { list, call in
                list.entry(for: sixes[call], port: 443, at: self.now)
            },
            self.lookUp("address on the list") { list, call in
                list.entry(for: hits[call * 97 % hits.count], port: 443, at: self.now)
            },
            self.lookUp("name of five labels, not on the list") { list, call in
                list.entry(for: strangers[call], port: 443, at: self.now)
            },
            self.lookUp("name below a wildcard of the list") { list, call in
                list.entry(for: below[call * 97 % below.count], port: 443, at: self.now)
            },
            self.lookUp("client by token") { list, call in list.entry(forClient: subjects[call], at: self.now) },
            self.lookUp("client by address") { list, call in list.entry(forClient: clients[call], at: self.now) },
        ] + self.changes()
    }

    private func lookUp(_ work: String, _ body: (Denylist, Int) -> DenylistEntry?) -> Row {
        Row(work: work, nanoseconds: nanosecondsPerCall(calls: 1000) { use(body(self.list, $0)) }, goal: 2000)
    }

    private func changes() -> [Row] {
        let fresh = (0..<1000).compactMap { try? DenylistEntry("100.\($0 / 250).\($0 % 250).9") }
        let add = nanosecondsPerCall(calls: fresh.count) { call in
            use(self.list.applying(CollectionOfOne(DenylistRecord.put(fresh[call])), version: 1))
        }
        let remove = nanosecondsPerCall(calls: 1000) { call in
            let text = self.entries[call * 97 % self.entries.count].text
            use(self.list.applying(CollectionOfOne(DenylistRecord.drop(text)), version: 1))
        }
        let whole = nanosecondsPerCall(calls: 1, rounds: 5) { _ in use(Denylist(self.entries)) }
        return [
            Row(work: "another version with one entry more", nanoseconds: add),
            Row(work: "another version with one entry less", nanoseconds: remove),
            Row(work: "the whole list anew", nanoseconds: whole),
        ]
    }
}
