import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing
import WasmnetIdentity
import WasmnetPolicy
import WasmnetQuota
import WasmnetRelay

@Suite struct AddressAdmissionTests {
    private func admit(
        origins allowed: [String], origin: String?, peer: String? = "192.0.2.7"
    ) throws -> Result<AdmittedClient, HTTPRefusal> {
        var rules = Policy.Rules()
        rules.clients.allowedOrigins = allowed
        rules.limits.maxConnections = 7
        var request = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
        if let origin { request.headers.add(name: "Origin", value: origin) }
        let address = try peer.map { try SocketAddress(ipAddress: $0, port: 5) }
        let asked = AdmissionRequest(head: request, peer: address?.hostAddress)
        let loop = EmbeddedEventLoop()
        return Result { try AddressAdmission().admit(asked, policy: Policy(rules), on: loop).wait() }
            .mapError { $0 as? HTTPRefusal ?? HTTPRefusal(.internalServerError, "\($0)") }
    }

    private func isAdmitted(_ result: Result<AdmittedClient, HTTPRefusal>) -> Bool {
        if case .success = result { true } else { false }
    }

    @Test func withoutListedOriginsEveryoneMayCome() throws {
        #expect(self.isAdmitted(try self.admit(origins: [], origin: "https://anyone.example")))
        #expect(self.isAdmitted(try self.admit(origins: [], origin: nil)))
    }

    @Test func onlyListedOriginsMayComeWhateverTheCase() throws {
        let listed = ["https://Page.example", "http://localhost:8080"]
        #expect(self.isAdmitted(try self.admit(origins: listed, origin: "https://page.EXAMPLE")))
        #expect(self.isAdmitted(try self.admit(origins: listed, origin: "http://localhost:8080")))
        let others = [
            nil, "", "null", "https://page.example.evil.example", "http://page.example", "https://page.example:444",
            "http://localhost", "https://evil.example/?https://page.example",
        ]
        for other in others {
            guard case .failure(let refusal) = try self.admit(origins: listed, origin: other) else {
                Issue.record("\(other ?? "no origin") was let in")
                continue
            }
            #expect(refusal.status == .forbidden)
        }
    }

    @Test func twoOriginsAreNone() throws {
        var rules = Policy.Rules()
        rules.clients.allowedOrigins = ["https://page.example"]
        var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
        head.headers.add(name: "Origin", value: "https://page.example")
        head.headers.add(name: "Origin", value: "https://evil.example")
        let counters = AdmissionCounters()
        let answer = AddressAdmission(counters: counters).admit(
            AdmissionRequest(head: head, peer: nil), policy: Policy(rules), on: EmbeddedEventLoop())
        #expect(throws: HTTPRefusal.self) { try answer.wait() }
        #expect(counters.total(.originRefused) == 1)
    }

    @Test func theLimitsAreThePolicys() throws {
        let admitted = try self.admit(origins: [], origin: nil).get()
        #expect(admitted.limits.maxConnections == 7)
    }

    /// All of one subscriber's addresses are one client.
    @Test(arguments: [
        ("192.0.2.7", "a:192.0.2.7"), ("::ffff:192.0.2.7", "a:192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "a:2001:db8:1:2::/64"), ("2001:db8:1:2:ffff::", "a:2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "a:2001:db8:1:3::/64"), ("::1", "a:::/64"),
    ]) func aClientIsAnAddressOrItsNetwork(peer: String, client: String) throws {
        #expect(try self.admit(origins: [], origin: nil, peer: peer).get().client.text == client)
    }

    @Test func aPeerWithoutAnAddressIsLocal() throws {
        #expect(try self.admit(origins: [], origin: nil, peer: nil).get().client.text == "a:local")
    }
}
