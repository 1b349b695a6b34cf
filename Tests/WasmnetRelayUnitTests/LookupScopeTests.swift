import Foundation
import NIOCore
import NIOPosix
import Testing
import WasmnetPolicy
import WasmnetProtocol

@testable import WasmnetRelay

/// What is asked where: hosts file, DNS, and the kernel about its own addresses.
@Suite struct LookupScopeTests {
    @Test func theHostsFileIsReadAsItIsWritten() throws {
        let path = NSTemporaryDirectory() + "hosts-\(UInt64.random(in: 0 ... .max))"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let text =
            "127.0.0.1 localhost\n10.0.0.1\tdb Db.Example  alias # not-me\r\n# 10.0.0.2 db\n::ffff:10.0.0.3 db\nfe80::1%eth0 db\n"
            + "10.0.0.1 db\nnonsense db\n\u{FFFD}\u{0}10.0.0.9 db\n2001:db8::5 db.example.corp"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        func find(_ name: String) -> [String] { HostsFile.addresses(of: name, in: path).map(\.description) }
        #expect(find("db") == ["10.0.0.1", "10.0.0.3"])
        #expect(find("db.example") == ["10.0.0.1"])
        #expect(find("alias") == ["10.0.0.1"])
        #expect(find("db.example.corp") == ["2001:db8::5"])
        for name in ["not-me", "10.0.0.1", "example", "db.", "ali", "aliases", ""] {
            #expect(find(name) == [], "\(name)")
        }
        #expect(HostsFile.addresses(of: "db", in: path + "-gone") == [])
    }

    @Test func oneLabelInTheHostsFileAloneIsNotAskedOfDNS() throws {
        #expect(try AddressLookup.addresses(of: "localhost", .hostsFile).contains { $0.isLoopback })
        #expect(try AddressLookup.addresses(of: "localhost", .wholeName).contains { $0.isLoopback })
        #expect(throws: Refusal.self) { try AddressLookup.addresses(of: "no-such-host", .hostsFile) }
    }

    @Test func theKernelKnowsItsOwnAddresses() throws {
        let own = try System.enumerateDevices().compactMap { $0.address?.bareAddress }
            .filter { !$0.description.hasPrefix("fe80") }
        #expect(!own.isEmpty)
        for address in own { #expect(LocalAddress.isOwn(address), "\(address)") }
        for text in ["127.0.0.1", "127.3.2.1", "::1", "0.0.0.0", "::"] {
            #expect(try LocalAddress.isOwn(#require(IPAddress(text))), "\(text)")
        }
        for text in ["8.8.8.8", "2001:4860:4860::8888", "198.51.100.77", "2001:db8:77::1", "255.255.255.255"] {
            #expect(try !LocalAddress.isOwn(#require(IPAddress(text))), "\(text)")
        }
    }
}
