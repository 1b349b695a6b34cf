import Foundation
import Glibc
import NIOCore
import NIOPosix
import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol

@testable import WasmnetRelay

/// The sources of a lookup: hosts file, DNS, and the kernel for its own addresses.
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
        let own = try System.enumerateDevices().compactMap { $0.address?.hostAddress }
            .filter { !$0.description.hasPrefix("fe80") }
        #expect(!own.isEmpty)
        // By the routes, and without netlink if that is not allowed.
        let ways: [(IPAddress) -> Bool] = [
            { LocalAddress.isOwn($0) }, { LocalAddress.isOwn($0, byRoute: { _ in nil }) },
        ]
        for way in ways {
            for address in own { #expect(way(address), "\(address)") }
            for text in ["127.0.0.1", "127.3.2.1", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1"] {
                #expect(way(try #require(IPAddress(text))), "\(text)")
            }
            for text in ["8.8.8.8", "2001:4860:4860::8888", "198.51.100.77", "2001:db8:77::1", "255.255.255.255"] {
                #expect(!way(try #require(IPAddress(text))), "\(text)")
            }
        }
    }

    /// Gives the thread its own network namespace: unshare(CLONE_NEWNET), which Swift's module of the C library lacks.
    private func leavesTheNetwork() -> Bool {
        typealias Unshare = @convention(c) (CInt) -> CInt
        guard let symbol = dlsym(nil, "unshare") else { return false }
        return unsafeBitCast(symbol, to: Unshare.self)(0x4000_0000) == 0
    }

    /// A thread in its own network namespace. Needs root.
    @Test(.enabled(if: geteuid() == 0)) func aNetworkThatIsRoutedToTheMachineIsItsOwn() async throws {
        let commands = """
            echo 0 2>/dev/null >/proc/sys/net/ipv6/conf/all/disable_ipv6
            ip link set lo up && ip addr add 198.51.100.4/32 dev lo &&
            ip route add local 44.5.0.0/24 dev lo src 127.0.0.1 && ip -6 route add local 2600:9000:5::/64 dev lo &&
            ip route add 192.0.2.0/24 dev lo && ip -6 route add 2600:9000:6::/64 dev lo &&
            ip route add unreachable 192.0.3.0/24 && ip route add blackhole 192.0.4.0/24 &&
            ip route add prohibit 192.0.5.0/24
            """
        let asked = [
            "198.51.100.4", "44.5.0.0", "44.5.0.9", "::ffff:44.5.0.9", "2600:9000:5::77", "127.9.9.9", "198.51.100.5",
            "44.5.1.9", "192.0.2.9", "192.0.3.9", "192.0.4.9", "192.0.5.9", "2600:9000:6::1", "2600:9000:7::1",
        ].compactMap { IPAddress($0) }
        let (status, own) = await withCheckedContinuation { (answer: CheckedContinuation<(CInt, [IPAddress]), Never>) in
            Thread.detachNewThread {
                let status = self.leavesTheNetwork() ? system(commands) : -1
                answer.resume(returning: (status, asked.filter { LocalAddress.isOwn($0) }))
            }
        }
        #expect(status == 0, "the namespace cannot be made")
        #expect(own == Array(asked.prefix(6)), "\(own)")
    }

    /// Changes of the denylist reach targets behind a translator that the network announced.
    @Test func aNewEntryEndsWhatGoesThroughAnAnnouncedTranslator() throws {
        let harness = try CarrierHarness(.v2)
        let session = try #require(harness.session)
        let prefix = NAT64Prefix.proxiedAddress(by: [try #require(IPAddress("2a00:64::192.0.0.170"))])
        harness.environment.changePlace { $0.translators = prefix }
        for (id, address) in [(SocketID(1), "2a00:64::8.8.8.8"), (2, "2a00:64::8.8.4.4"), (3, "2a00:65::8.8.8.8")] {
            let target = SocketTarget(
                host: address, port: 443, name: nil, address: IPAddress(address), transport: .tcp)
            let stream = TargetStream(
                id: id, encoding: .binary, kind: .tcp, target: target, context: SocketContext(session))
            session.table.add(stream)
        }
        _ = try harness.events()
        let news = Denylist([try DenylistEntry("8.8.8.8")])
        session.deny(by: DenylistView(news, at: UnixTime(milliseconds: 0)))
        let ended = try harness.events().compactMap { event in
            if case .refused(let id, let refusal) = event, refusal.code == .denylisted { id } else { nil }
        }
        #expect(ended == [1] && Set(session.table.all.map(\.id)) == [2, 3])
    }
}
