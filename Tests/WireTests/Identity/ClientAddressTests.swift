import NIOHTTP1
import Testing
import WasmnetIdentity
import WasmnetNet
import WasmnetPolicy
import WasmnetTesting

/// Whose address counts, behind proxies that are trusted and others that are not. 10.0.0.0/8 and fd00::/8 are trusted.
@Suite struct ClientAddressTests {
    static let trusted = ["10.0.0.0/8", "fd00::/8"].compactMap { try? PolicyEntry($0).network }

    /// peer, headers in order (`X:` X-Forwarded-For, `F:` Forwarded), the client or `unclear`, and whether they count as forged.
    struct Row: Sendable, CustomStringConvertible {
        var peer: String
        var lines: [String]
        var client: String
        var isForged = false
        var description: String { "\(self.peer) \(self.lines)" }

        init(_ peer: String, _ lines: [String], _ client: String, isForged: Bool = false) {
            (self.peer, self.lines, self.client, self.isForged) = (peer, lines, client, isForged)
        }

        var headers: HTTPHeaders {
            HTTPHeaders(
                self.lines.map { line in
                    (line.hasPrefix("X:") ? "x-forwarded-for" : "forwarded", String(line.dropFirst(2)))
                })
        }
    }

    static let table: [Row] = [
        Row("203.0.113.1", [], "203.0.113.1"), Row("10.0.0.1", [], "10.0.0.1"),
        // From peers that are not trusted proxies.
        Row("203.0.113.1", ["X:192.0.2.9"], "203.0.113.1", isForged: true),
        Row("203.0.113.1", ["F:for=192.0.2.9"], "203.0.113.1", isForged: true),
        Row("11.0.0.1", ["X:192.0.2.9", "F:for=192.0.2.9"], "11.0.0.1", isForged: true),
        Row("203.0.113.1", ["F:\"\"\"garbage"], "203.0.113.1", isForged: true),
        // X-Forwarded-For.
        Row("10.0.0.1", ["X:192.0.2.9"], "192.0.2.9"), Row("10.0.0.1", ["X: 192.0.2.9 "], "192.0.2.9"),
        Row("10.0.0.1", ["X:192.0.2.9:8080"], "192.0.2.9"), Row("10.0.0.1", ["X:2001:db8::9"], "2001:db8::9"),
        Row("10.0.0.1", ["X:[2001:db8::9]"], "2001:db8::9"), Row("10.0.0.1", ["X:[2001:db8::9]:80"], "2001:db8::9"),
        Row("10.0.0.1", ["X:::ffff:192.0.2.9"], "192.0.2.9"), Row("fd00::1", ["X:192.0.2.9"], "192.0.2.9"),
        Row("10.0.0.1", ["X:1.1.1.1, 192.0.2.9"], "192.0.2.9"),
        Row("10.0.0.1", ["X:1.1.1.1,192.0.2.9,10.0.0.2"], "192.0.2.9"),
        Row("10.0.0.1", ["X:1.1.1.1,192.0.2.9 , 10.0.0.2:99,10.0.0.3"], "192.0.2.9"),
        Row("10.0.0.1", ["X:10.0.0.7, 10.0.0.8"], "10.0.0.7"),
        Row("10.0.0.1", ["X:::ffff:10.0.0.8"], "10.0.0.8"),
        Row("10.0.0.1", ["X:192.0.2.9,::ffff:10.0.0.8"], "192.0.2.9"),
        Row("10.0.0.1", ["X:1.1.1.1", "X:192.0.2.9"], "192.0.2.9"),
        Row("10.0.0.1", ["X:192.0.2.9", "X:10.0.0.3"], "192.0.2.9"),
        Row("10.0.0.1", ["X:10.0.0.9", "X:192.0.2.9,10.0.0.3"], "192.0.2.9"),
        // Empty elements are ignored.
        Row("10.0.0.1", ["X:192.0.2.9,"], "192.0.2.9"), Row("10.0.0.1", ["X:1.1.1.1,192.0.2.9, ,\t,"], "192.0.2.9"),
        Row("10.0.0.1", ["X:192.0.2.9", "X:"], "192.0.2.9"), Row("10.0.0.1", ["X:192.0.2.9,,10.0.0.3"], "192.0.2.9"),
        Row("10.0.0.1", ["X:,,"], "10.0.0.1"),
        // An unnamed hop ends the walk at the hop that reported it.
        Row("10.0.0.1", ["X:"], "10.0.0.1"), Row("10.0.0.1", ["X:unknown"], "10.0.0.1"),
        Row("10.0.0.1", ["X:192.0.2.9, unknown"], "10.0.0.1"),
        Row("10.0.0.1", ["X:192.0.2.9,_hidden,10.0.0.5"], "10.0.0.5"),
        Row("10.0.0.1", ["X:192.0.2"], "10.0.0.1"), Row("10.0.0.1", ["X:0300.0.2.9"], "10.0.0.1"),
        Row("10.0.0.1", ["X:192.0.2.9:port"], "10.0.0.1"), Row("10.0.0.1", ["X:192.0.2.9:123456"], "10.0.0.1"),
        Row("10.0.0.1", ["X:[2001:db8::9"], "10.0.0.1"), Row("10.0.0.1", ["X:2001:db8::9%eth0"], "10.0.0.1"),
        Row("10.0.0.1", ["X:client.example"], "10.0.0.1"), Row("10.0.0.1", ["X:<script>"], "10.0.0.1"),
        Row("10.0.0.1", ["X:\"192.0.2.9\""], "10.0.0.1"),
        // Beyond the first untrusted hop is that hop's own text, garbage or not.
        Row("10.0.0.1", ["X:\"\"\"<>%%,,, 192.0.2.9"], "192.0.2.9"),
        // Forwarded.
        Row("10.0.0.1", ["F:for=192.0.2.9"], "192.0.2.9"), Row("10.0.0.1", ["F:For=192.0.2.9"], "192.0.2.9"),
        Row("10.0.0.1", ["F:for=\"192.0.2.9\""], "192.0.2.9"),
        Row("10.0.0.1", ["F:for=\"192.0.2.9:47011\""], "192.0.2.9"),
        Row("10.0.0.1", ["F:for=192.0.2.9:80"], "192.0.2.9"),
        Row("10.0.0.1", ["F:for=\"[2001:db8::9]\""], "2001:db8::9"),
        Row("10.0.0.1", ["F:for=\"[2001:db8::9]:4711\""], "2001:db8::9"),
        Row("10.0.0.1", ["F:for=\"[2001:db8::9]:_p\""], "2001:db8::9"),
        Row("10.0.0.1", ["F:for=192.0.2.9;proto=https;by=10.0.0.1"], "192.0.2.9"),
        Row("10.0.0.1", ["F:by=10.0.0.1;host=\"x, for=1.1.1.1\";for=192.0.2.9"], "192.0.2.9"),
        Row("10.0.0.1", ["F:for=1.1.1.1, for=192.0.2.9"], "192.0.2.9"),
        Row("10.0.0.1", ["F:for=1.1.1.1 ; proto=http , for=192.0.2.9,for=10.0.0.9"], "192.0.2.9"),
        Row("10.0.0.1", ["F:for=1.1.1.1", "F:for=192.0.2.9"], "192.0.2.9"),
        Row("10.0.0.1", ["F:for=\"\\1\\92.0.2.9\""], "192.0.2.9"), Row("10.0.0.1", ["F:for=192.0.2.9,"], "192.0.2.9"),
        Row("10.0.0.1", ["F:for=unknown"], "10.0.0.1"), Row("10.0.0.1", ["F:for=_hidden"], "10.0.0.1"),
        Row("10.0.0.1", ["F:for=1.1.1.1, for=_SEVKISEK"], "10.0.0.1"),
        Row("10.0.0.1", ["F:for=1.1.1.1, for=_x, for=10.0.0.5"], "10.0.0.5"),
        Row("10.0.0.1", ["F:for=1.1.1.1, proto=https"], "10.0.0.1"), Row("10.0.0.1", ["F:"], "10.0.0.1"),
        Row("10.0.0.1", ["F:for=\"2001:db8::9\""], "2001:db8::9"),
        // Text without the grammar cannot be parsed.
        Row("10.0.0.1", ["F:for=\"192.0.2.9"], "unclear"), Row("10.0.0.1", ["F:for=\"x, for=192.0.2.9"], "unclear"),
        Row("10.0.0.1", ["F:for"], "unclear"), Row("10.0.0.1", ["F:for="], "unclear"),
        Row("10.0.0.1", ["F:for=1.1.1.1;for=192.0.2.9"], "unclear"), Row("10.0.0.1", ["F:for=[::1]"], "unclear"),
        Row("10.0.0.1", ["F:for=1.1.1.1 for=192.0.2.9"], "unclear"), Row("10.0.0.1", ["F:=x"], "unclear"),
        Row("10.0.0.1", ["F:for=\"1.1.1.1\\"], "unclear"),
        // Both: one of them is the client's own unless they agree.
        Row("10.0.0.1", ["X:192.0.2.9", "F:for=192.0.2.9"], "192.0.2.9"),
        Row("10.0.0.1", ["X:192.0.2.9", "F:for=192.0.2.8"], "unclear"),
        Row("10.0.0.1", ["X:1.1.1.1,192.0.2.9", "F:for=192.0.2.9;proto=https"], "192.0.2.9"),
        Row("10.0.0.1", ["X:192.0.2.9", "F:for=_hidden"], "unclear"),
    ]

    @Test(arguments: Self.table) func theTable(row: Row) throws {
        var forged = 0
        let peer = try #require(IPAddress(row.peer))
        let found = ClientAddress.find(row.headers, peer: peer, trusted: Self.trusted) { forged += 1 }
        #expect(found == (row.client == "unclear" ? .unclear : .of(IPAddress(row.client))))
        #expect(forged == (row.isForged ? 1 : 0))
    }

    @Test func theTableIsWhole() { #expect(Self.table.count >= 70) }

    @Test func noTrustedProxyMeansNoHeaderIsBelieved() throws {
        let peer = try #require(IPAddress("10.0.0.1"))
        #expect(ClientAddress.find(["X-Forwarded-For": "192.0.2.9"], peer: peer, trusted: []) == .of(peer))
        #expect(ClientAddress.find(["X-Forwarded-For": "192.0.2.9"], peer: nil, trusted: Self.trusted) == .of(nil))
    }

    /// Past the cap the walk ends at the last hop checked, which is a trusted proxy.
    @Test func aChainIsWalkedForSoManyHopsOnly() throws {
        let peer = try #require(IPAddress("10.0.0.1"))
        let hops = (0..<ForwardedHeaders.maxHops).map { "10.0.1.\($0)" }
        let long = (["192.0.2.9"] + hops).joined(separator: ",")
        #expect(
            ClientAddress.find(["X-Forwarded-For": long], peer: peer, trusted: Self.trusted)
                == .of(IPAddress("10.0.1.0")))
        let short = (["192.0.2.9"] + hops.dropFirst()).joined(separator: ",")
        #expect(
            ClientAddress.find(["X-Forwarded-For": short], peer: peer, trusted: Self.trusted)
                == .of(IPAddress("192.0.2.9")))
        let stuffed = String(repeating: "1.1.1.1,", count: 9000) + "192.0.2.9"
        #expect(
            ClientAddress.find(["X-Forwarded-For": stuffed], peer: peer, trusted: Self.trusted)
                == .of(IPAddress("192.0.2.9")))
        let forwarded = String(repeating: "for=1.1.1.1,", count: 9000) + "for=192.0.2.9"
        #expect(ClientAddress.find(["Forwarded": forwarded], peer: peer, trusted: Self.trusted) == .unclear)
    }

    /// Whatever a client puts first, the element appended by the trusted proxy counts.
    @Test(arguments: 1...4) func nothingInFrontOfTheProxysOwnHopCounts(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let peer = try #require(IPAddress("10.0.0.1"))
        let alphabet = Array(" \t,;=\"\\[]:._-forunkw0123456789abcdef<>%\u{7F}é")
        for _ in 0..<5000 {
            let count = Int.random(in: 0...40, using: &random)
            let text = String((0..<count).map { _ in alphabet.randomElement(using: &random) ?? "x" })
            let chained = ClientAddress.find(
                ["X-Forwarded-For": "\(text),192.0.2.9"], peer: peer, trusted: Self.trusted)
            #expect(chained == .of(IPAddress("192.0.2.9")), "seed \(seed): \(text)")
            let forwarded = ClientAddress.find(
                ["Forwarded": "\(text),for=192.0.2.9"], peer: peer, trusted: Self.trusted)
            #expect(
                forwarded == .of(IPAddress("192.0.2.9")) || forwarded == .unclear, "seed \(seed): \(text)")
        }
    }
}
