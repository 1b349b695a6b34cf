import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing
import WasmnetPolicy
import WasmnetRelay
import WasmnetTesting

@testable import WasmnetIdentity
import WasmnetNet

/// Wrong tokens: 20 a second by address, 100 at once.
@Suite struct FailureLimitTests {
    private static let second: Int64 = 1_000_000_000
    private let here = IPAddress("192.0.2.1")
    private let there = IPAddress("192.0.2.2")

    @Test func aBurstAndThenARate() {
        var limit = FailureLimit()
        for index in 0..<100 {
            #expect(!limit.isReached(by: self.here, now: 0), "\(index)")
            limit.count(self.here, now: 0)
        }
        #expect(limit.isReached(by: self.here, now: 0) && !limit.isReached(by: self.there, now: 0))
        #expect(limit.isReached(by: self.here, now: Self.second / 21))
        var failures = 0
        for step in 0..<1000 {
            let now = Int64(step) * Self.second / 100
            guard !limit.isReached(by: self.here, now: now) else { continue }
            limit.count(self.here, now: now)
            failures += 1
        }
        // Ten seconds.
        #expect((195...200).contains(failures))
        #expect(!limit.isReached(by: self.here, now: 20 * Self.second))
    }

    @Test func aClientIsAnAddressOrItsNetwork() {
        var limit = FailureLimit()
        for last in 0..<100 { limit.count(IPAddress(v6: 0x2001_0DB8_0000_0001, low: UInt64(last)), now: 0) }
        #expect(limit.isReached(by: IPAddress("2001:db8:0:1:ffff::"), now: 0))
        #expect(!limit.isReached(by: IPAddress("2001:db8:0:2::"), now: 0))
        for _ in 0..<100 { limit.count(IPAddress("::ffff:192.0.2.1"), now: 0) }
        #expect(limit.isReached(by: self.here, now: 0))
        for _ in 0..<100 { limit.count(nil, now: 0) }
        #expect(limit.isReached(by: nil, now: 0))
    }

    @Test func theTableIsBoundedAndKeepsTheWorst() {
        var limit = FailureLimit()
        for _ in 0..<100 { limit.count(self.here, now: 0) }
        for host in 0..<100_000 {
            limit.count(IPAddress(v6: UInt64(host) | 0x2001 << 48, low: 0), now: Int64(host))
            #expect(limit.count <= FailureLimit.maxAddresses)
        }
        #expect(limit.isReached(by: self.here, now: 100_000))
    }

    /// The clock does not advance, so that nothing is forgiven: a client with wrong tokens does not keep others from showing a good one.
    @Test func oneAddressIsNotHeldForAnother() async throws {
        let mint = TokenMint()
        let jwt = JWTVerifier(keys: try mint.plainKeys(), rules: ClaimRules())
        let verifier = try #require(TokenVerifier(tokens: nil, jwt: jwt))
        let admission = TokenAdmission(
            verifier: verifier, counters: AdmissionCounters(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, uptime: { 0 }, now: { 1000 })
        let good = try mint.token(#"{"sub":"amy","exp":2000}"#)
        func status(_ token: String, from address: IPAddress?) async -> UInt {
            let headers: HTTPHeaders = ["Authorization": "Bearer \(token)"]
            let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/", headers: headers)
            do {
                _ = try await admission.admit(
                    AdmissionRequest(head: head, peer: address), policy: .unrestricted,
                    on: MultiThreadedEventLoopGroup.singleton.any()
                ).get()
                return 101
            } catch { return (error as? HTTPRefusal)?.status.code ?? 0 }
        }
        for index in 0..<100 { #expect(await status("wrong", from: self.here) == 401, "\(index)") }
        #expect(await status("wrong", from: self.here) == 429)
        #expect(await status(good, from: self.here) == 429, "not looked at")
        #expect(await status(good, from: self.there) == 101)
        #expect(await status("wrong", from: self.there) == 401)
    }

    /// From outside: the 101st is not checked, however good it is; clients without a token are not affected.
    @Test func whoFailsTooOftenIsToldToTryLater() async throws {
        let policy = "clients.identify_by = \"token\"\nclients.trusted_proxies = [\"127.0.0.0/8\"]\n"
        try await TokenNode.run(policy) { node async throws in
            func from(_ address: String, page: Bool = false) -> HTTPHeaders {
                var headers: HTTPHeaders = ["X-Forwarded-For": address]
                if page { headers.add(name: "Origin", value: "https://page.example") }
                return headers
            }
            // More often than is forgiven meanwhile, however slow this machine is.
            var statuses: [UInt] = []
            while statuses.last != 429, statuses.count < 5000 {
                let batch = try await withThrowingTaskGroup(of: UInt.self) { tasks in
                    for _ in 0..<25 {
                        tasks.addTask {
                            try await node.refusal(token: "wrong", headers: from("203.0.113.7"))?.status ?? 0
                        }
                    }
                    return try await tasks.reduce(into: [UInt]()) { $0.append($1) }
                }
                statuses += batch.sorted()
            }
            #expect(statuses.prefix(100).allSatisfy { $0 == 401 } && statuses.last == 429)
            #expect(Set(statuses) == [401, 429])
            let good = try node.token()
            #expect(try await node.name(token: good, headers: from("203.0.113.8")) == "t:amy")
            #expect(try await node.name(headers: from("203.0.113.7")) == "a:203.0.113.7")
            var close = TestClient.Incoming.ended
            for _ in 0..<500 where close != .close(code: 1013, reason: "connect_rate") {
                let page = try await node.connect(token: "wrong", headers: from("203.0.113.7", page: true))
                close = try await page.next()
                await page.close()
            }
            #expect(close == .close(code: 1013, reason: "connect_rate"))
        }
    }
}
