import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetTesting

@Suite struct ListTests {
    @Test func theLongestNetworkAnswersAndPortsCount() throws {
        let list = Denylist(
            try ["10.0.0.0/8", "10.1.0.0/16:25", "10.1.2.3:443", "2001:db8::/32"].map { try DenylistEntry($0) })
        func hit(_ address: String, _ port: UInt16?) throws -> String? {
            let address = try #require(IPAddress(address))
            return list.entry(for: address, port: port, at: listStart)?.text
        }
        #expect(try hit("10.1.2.3", 443) == "10.1.2.3:443")
        #expect(try hit("10.1.2.3", 25) == "10.1.0.0/16:25")
        #expect(try hit("10.1.2.3", 80) == "10.0.0.0/8")
        #expect(try hit("10.1.2.3", nil) == "10.0.0.0/8")
        #expect(try hit("11.1.2.3", 443) == nil)
        #expect(try hit("2001:db8::9", 1) == "2001:db8::/32")
        // The addresses inside others, as the policy decides them.
        for address in ["::ffff:10.9.9.9", "64:ff9b::10.9.9.9", "2002:0a09:0909::1", "2001:0:0a09:0909::1"] {
            #expect(try hit(address, 80) == "10.0.0.0/8", "\(address)")
        }
        #expect(try hit("2001:0:0b00:1:0:0:f5f6:f6f6", 80) == "10.0.0.0/8")
        #expect(try hit("64:ff9b::11.9.9.9", 80) == nil)
    }

    @Test func namesAndWildcards() throws {
        let list = Denylist(
            try ["*.example.org", "api.example.org:443", "*.deep.example.org:25", "host.test"].map {
                try DenylistEntry($0)
            })
        func hit(_ name: String, _ port: UInt16?) throws -> String? {
            list.entry(for: try HostName(parsing: name), port: port, at: listStart)?.text
        }
        #expect(try hit("example.org", 1) == "*.example.org")
        #expect(try hit("API.example.org.", 443) == "api.example.org:443")
        #expect(try hit("api.example.org", 80) == "*.example.org")
        #expect(try hit("a.deep.example.org", 25) == "*.deep.example.org:25")
        #expect(try hit("a.deep.example.org", nil) == "*.example.org")
        #expect(try hit("myexample.org", 1) == nil)
        #expect(try hit("host.test", nil) == "host.test")
        #expect(try hit("a.host.test", 1) == nil)
        let name = try HostName(parsing: "elsewhere.test")
        let address = IPAddress(v4: (10, 0, 0, 1))
        #expect(list.entry(for: name, address, port: 1, at: listStart) == nil)
        let both = list.applying([.put(try DenylistEntry("10.0.0.1"))], version: 2)
        #expect(both.entry(for: name, address, port: 1, at: listStart)?.text == "10.0.0.1")
        #expect(
            both.entry(for: try HostName(parsing: "host.test"), address, port: 1, at: listStart)?.text == "host.test")
    }

    @Test func clientsByAddressAndByToken() throws {
        let list = Denylist(
            try ["client:a:203.0.113.0/24", "client:a:2001:db8::/48", "client:t:mallory", "198.51.100.1"].map {
                try DenylistEntry($0)
            })
        #expect(list.entry(forClient: "a:203.0.113.200", at: listStart)?.text == "client:a:203.0.113.0/24")
        #expect(list.entry(forClient: "a:2001:db8:0:77::/64", at: listStart)?.text == "client:a:2001:db8::/48")
        #expect(list.entry(forClient: "a:2001:db8:1::/64", at: listStart) == nil)
        #expect(list.entry(forClient: "t:mallory", at: listStart)?.text == "client:t:mallory")
        #expect(list.entry(forClient: "t:mallory2", at: listStart) == nil)
        #expect(list.entry(forClient: "a:local", at: listStart) == nil)
        // A destination is not a client, a client not a destination.
        #expect(list.entry(forClient: "a:198.51.100.1", at: listStart) == nil)
        #expect(list.entry(for: IPAddress(v4: (203, 0, 113, 9)), port: 1, at: listStart) == nil)
        let mapped = try #require(IPAddress("::ffff:203.0.113.9"))
        #expect(list.entry(forClientAt: mapped, at: listStart)?.text == "client:a:203.0.113.0/24")
    }

    @Test func whatIsOverDoesNotHold() throws {
        let end = listStart.adding(milliseconds: 10)
        let texts = ["10.0.0.0/8", "host.test", "*.wild.test", "client:t:x", "client:a:203.0.113.7"]
        let list = Denylist(try texts.map { DenylistEntry(try subject($0), expiry: end) })
        let host = try HostName(parsing: "host.test")
        let wild = try HostName(parsing: "a.wild.test")
        for (now, holds) in [(end.adding(milliseconds: -1), true), (end, false), (UnixTime.last, false)] {
            #expect((list.entry(for: IPAddress(v4: (10, 0, 0, 1)), port: 1, at: now) != nil) == holds)
            #expect((list.entry(for: host, port: 1, at: now) != nil) == holds)
            #expect((list.entry(for: wild, port: 1, at: now) != nil) == holds)
            #expect((list.entry(forClient: "t:x", at: now) != nil) == holds)
            #expect((list.entry(forClient: "a:203.0.113.7", at: now) != nil) == holds)
        }
        // After an expired entry another answers.
        let wider = list.applying([.put(try DenylistEntry("0.0.0.0/0"))], version: 2)
        #expect(wider.entry(for: IPAddress(v4: (10, 0, 0, 1)), port: 1, at: end)?.text == "0.0.0.0/0")
    }

    @Test func anotherVersionLeavesTheOldOneAsItWas() throws {
        let first = Denylist([try DenylistEntry("10.0.0.1")], generation: 7, version: 1)
        let second = first.applying(
            [.put(try DenylistEntry("10.0.0.2")), .drop("10.0.0.1"), .drop("10.9.9.9")], version: 4)
        #expect(first.texts == ["10.0.0.1"])
        #expect(second.texts == ["10.0.0.2"])
        #expect((second.generation, second.version) == (7, 4))
        #expect(first.entry(for: IPAddress(v4: (10, 0, 0, 1)), port: 1, at: listStart) != nil)
        #expect(second.entry(for: IPAddress(v4: (10, 0, 0, 1)), port: 1, at: listStart) == nil)
    }

    @Test func theDigestIsThatOfTheEntriesWhateverTheWay() throws {
        var random = seeded(1)
        var entries: [DenylistEntry] = []
        for index in 0..<200 {
            let expiry = index % 3 == 0 ? listStart.adding(milliseconds: Int64(index)) : nil
            let reason = index % 5 == 0 ? try DenylistReason("r\(index)") : nil
            entries.append(
                DenylistEntry(try subject("10.0.\(index / 20).\(index % 20)"), expiry: expiry, reason: reason))
        }
        let straight = Denylist(entries)
        var list = Denylist.empty
        for entry in entries.shuffled(using: &random) {
            list = list.applying(
                [.put(try DenylistEntry(entry.text)), .drop(entry.text), .put(entry), .put(entry)], version: 1)
        }
        #expect(list.digest == straight.digest)
        #expect(list.applying(entries.map { DenylistRecord.drop($0.text) }, version: 2).digest == Denylist.empty.digest)
        // Text, expiry and reason count, and entries that exchange a part of theirs do not cancel out.
        func digest(_ texts: (String, String?)...) throws -> DenylistDigest {
            Denylist(
                try texts.map { DenylistEntry(try subject($0.0), reason: try $0.1.flatMap { try DenylistReason($0) }) }
            ).digest
        }
        #expect(try digest(("10.0.0.1", nil), ("10.0.1.2", nil)) != digest(("10.0.0.2", nil), ("10.0.1.1", nil)))
        #expect(try digest(("10.0.0.1", "a"), ("10.0.0.2", "b")) != digest(("10.0.0.1", "b"), ("10.0.0.2", "a")))
        #expect(try digest(("10.0.0.1", nil)) != digest(("10.0.0.1", "a")))
    }
}
