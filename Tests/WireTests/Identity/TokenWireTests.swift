import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing
import Wasmnet
import WasmnetCluster
import WasmnetPolicy
import WasmnetPolicyFile
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting

/// Tokens against the real server.
@Suite struct TokenWireTests {
    private static let byToken = "clients.identify_by = \"token\"\nclients.require_token = true\n"

    @Test func aTokenComesInThreeWaysAndOfEachKind() async throws {
        try await TokenNode.run(Self.byToken) { node async throws in
            let exp = Int(Date().timeIntervalSince1970) + 60
            let claims = #"{"sub":"amy","exp":\#(exp)}"#
            let tokens = [
                try node.mint.sign(#"{"alg":"HS256"}"#, claims, .hs256(node.mint.secret)),
                try node.mint.sign(#"{"alg":"ES256","kid":"any"}"#, claims, .es256(node.mint.p256)),
                try node.mint.sign(#"{"alg":"EdDSA"}"#, claims, .edDSA(node.mint.ed25519)),
            ]
            for token in tokens {
                #expect(try await node.name(token: token) == "t:amy")
                #expect(try await node.name(headers: ["Authorization": "Bearer \(token)"]) == "t:amy")
                #expect(try await node.name(path: "/?token=\(token)") == "t:amy")
                #expect(try await node.name(token: token, path: "/?token=\(token)") == "t:amy")
            }
            #expect(try await node.name(token: TokenNode.staticToken) == "t:ci")
            let client = try await node.session(token: tokens[0])
            #expect(client.response.headers["Sec-WebSocket-Protocol"] == ["wasmnet.v2"])
            await client.close()
        }
    }

    /// A token that cannot be a subprotocol's name is sent in base64url: it is never echoed, and is not in the log in either form.
    @Test(arguments: [WireVersion.v1, .v2])
    func aTokenInBase64URLLetsInAndIsNotEchoed(version: WireVersion) async throws {
        try await TokenNode.run(Self.byToken) { node async throws in
            let encoded = Base64URL.encode(Array(TokenNode.oddToken.utf8))
            let client = try await node.connect(offer: ["wasmnet.bearer64.\(encoded)"], version: version)
            let name = version == .v2 ? "wasmnet.v2" : "wasmnet.v1"
            #expect(client.response.headers["Sec-WebSocket-Protocol"] == [name])
            await client.close()
            let wrong = Base64URL.encode(Array((TokenNode.oddToken + "x").utf8))
            for (offer, status) in [
                ("wasmnet.bearer64.\(wrong)", 401), ("wasmnet.bearer64.\(encoded)=", 400), ("wasmnet.bearer64.", 400),
            ] {
                let refused = await #expect(throws: TestClient.UpgradeRefused.self) {
                    try await node.connect(offer: [offer], version: version)
                }
                #expect(refused?.status == UInt(status), "\(offer)")
                #expect(refused?.headers["Sec-WebSocket-Protocol"] == [])
            }
            let page: HTTPHeaders = ["Origin": "https://page.example"]
            let turnedAway = try await node.connect(
                offer: ["wasmnet.bearer64.\(wrong)"], headers: page, version: version)
            #expect(turnedAway.response.headers["Sec-WebSocket-Protocol"] == [name])
            #expect(try await turnedAway.next() == .close(code: 1008, reason: "not_admitted"))
            #expect(node.log.all.contains("client=t:odd") && node.log.all.contains("token refused"))
            for secret in [TokenNode.oddToken, encoded, wrong] { #expect(!node.log.all.contains(secret)) }
        }
    }

    /// The limit applies to the token, not to its encoding: 8 KiB are accepted in base64url too, and a byte more is not.
    @Test func aTokenOf8KiBFitsInBase64URL() async throws {
        try await TokenNode.run(Self.byToken) { node async throws in
            let bare = try node.token(#""pad":"""#).utf8.count
            for more in [0, 1] {
                // Four characters of base64url for three bytes: what is beyond the limit is so by whole characters.
                let pad = String(repeating: "p", count: (8192 - bare) / 4 * 3 + more * 3)
                let token = try node.token(#""pad":"\#(pad)""#)
                #expect((token.utf8.count > 8192) == (more == 1), "\(token.utf8.count)")
                let offer = ["wasmnet.bearer64.\(Base64URL.encode(Array(token.utf8)))"]
                if more == 0 {
                    await (try await node.connect(offer: offer)).close()
                } else {
                    let refused = await #expect(throws: TestClient.UpgradeRefused.self) {
                        try await node.connect(offer: offer)
                    }
                    #expect(refused?.status == 401)
                }
            }
        }
    }

    /// Whatever is wrong, the answer is the same, byte for byte.
    @Test func noAnswerHintsAtWhatIsWrong() async throws {
        try await TokenNode.run(Self.byToken) { node async throws in
            let good = try node.token()
            let bad = [
                "x", "a.b.c", try node.token(#""tier":"nobody""#), try node.token(#""allow":["10.0.0.1/8"]"#),
                try node.token(#""nbf":99999999999"#), try node.token(sub: #"a\nb"#), good + "A",
                String(good.dropLast(9)),
                try node.mint.token(#"{"sub":"amy","exp":1}"#), String(repeating: "A", count: 8200),
                try node.mint.sign(
                    #"{"alg":"HS256"}"#, #"{"sub":"amy","exp":9999999999}"#, .hs256(Array(node.mint.p256PEM.utf8))),
                try node.mint.sign(#"{"alg":"none"}"#, #"{"sub":"amy","exp":9999999999}"#, .bytes([0])),
            ]
            let none = try #require(await node.refusal())
            #expect(none.status == 401)
            #expect(none.headers["WWW-Authenticate"] == ["Bearer"])
            #expect(none.headers["Content-Type"] == ["text/plain; charset=utf-8"])
            #expect(none.body == "A valid token is needed to open a session here.\n")
            var refusals = try await [node.refusal(token: good, path: "/?token=\(good)A")]
            for token in bad {
                refusals.append(try await node.refusal(headers: ["Authorization": "Bearer \(token)"]))
                if token.utf8.count < 8192 { refusals.append(try await node.refusal(token: token)) }
            }
            for refusal in refusals {
                let refusal = try #require(refusal)
                #expect(refusal.status == none.status && refusal.body == none.body)
                #expect(refusal.headers.map(\.name).sorted() == none.headers.map(\.name).sorted())
            }
            let counters = node.node.server.admissionCounters
            #expect(counters.total(.tokenMissing) == 1)
            #expect(counters.total(.tokenRefused) == UInt64(refusals.count))
            // The operator's log names the invalid part, and nothing of any token.
            #expect(node.log.all.contains("fault=signature") && node.log.all.contains("fault=expired"))
        }
    }

    @Test func tokensAreNeverLogged() async throws {
        try await TokenNode.run(Self.byToken) { node async throws in
            let good = try node.token()
            let signature = try #require(good.split(separator: ".").last)
            _ = try await node.name(path: "/?token=\(good)")
            _ = try await node.name(token: good)
            _ = try await node.refusal(path: "/?token=\(good)x")
            _ = try await node.refusal(path: "/no/such?token=\(good)")
            _ = try await node.refusal(token: good + "x")
            _ = try await node.refusal(headers: ["Authorization": "Bearer \(good)x"])
            _ = try await node.name(token: TokenNode.staticToken)
            #expect(node.log.all.contains("t:amy"))
            #expect(!node.log.all.contains(signature) && !node.log.all.contains(TokenNode.staticToken))
            #expect(!node.log.all.contains("eyJ") && !node.log.all.contains("token="))
        }
    }

    @Test func withoutNeedOfATokenAWrongOneIsStillRefused() async throws {
        try await TokenNode.run("clients.identify_by = \"token\"\n") { node async throws in
            #expect(try await node.name() == "a:127.0.0.1")
            #expect(try await node.name(token: try node.token()) == "t:amy")
            #expect(try await node.refusal(token: "wrong")?.status == 401)
            #expect(try await node.refusal(path: "/?token=")?.status == 401)
            #expect(try await node.name(headers: ["Authorization": "Basic YTpi"]) == "a:127.0.0.1")
        }
    }

    @Test func byAddressATokenGivesTierAndDestinationsOnly() async throws {
        try await TokenNode.run("clients.require_token = true\n") { node async throws in
            #expect(try await node.refusal()?.status == 401)
            #expect(try await node.name(token: try node.token()) == "a:127.0.0.1")
        }
    }

    /// One identity is charged; the denylist is checked for each name that the client has.
    @Test(arguments: ["address", "token"]) func eachIdentityIsHeldAgainstTheDenylist(identity: String) async throws {
        let policy = "clients.identify_by = \"\(identity)\"\nclients.trusted_proxies = [\"127.0.0.0/8\"]\n"
        try await TokenNode.run(policy) { node async throws in
            let store = node.node.server.denylistStore
            let token = try node.token()
            for (from, entry) in [
                ("203.0.113.7", "client:t:amy"), ("203.0.113.7", "client:a:203.0.113.7"),
                ("203.0.113.7", "client:a:203.0.113.0/24"), ("2001:db8::7", "client:a:2001:db8::/64"),
                ("2001:db8::7", "client:t:amy"),
            ] {
                let headers: HTTPHeaders = ["X-Forwarded-For": from]
                let subject = try DenylistSubject(entry)
                let live = try await node.session(token: token, headers: headers)
                let other = try await node.session(token: TokenNode.staticToken, headers: ["X-Forwarded-For": "::9"])
                _ = try await store.write([.add(subject)], replaces: false)
                #expect(try await live.next() == .close(code: 1008, reason: "denylisted"), "\(entry) \(identity)")
                #expect(try await node.refusal(token: token, headers: headers)?.status == 403, "\(entry) \(identity)")
                other.send(.send(9, ByteBuffer(string: "x")))
                guard case .refused(9, _) = try await other.nextEvent() else {
                    Issue.record("another client's session ended by \(entry)")
                    return
                }
                await other.close()
                _ = try await store.write([.remove(subject)], replaces: false)
                #expect(try await node.node.settles(sockets: 0, sessions: 0))
            }
        }
    }

    // MARK: Pages

    @Test func aPageLearnsOfItsRefusalByAClose() async throws {
        let policy = Self.byToken + "clients.allowed_origins = [\"https://page.example\"]\n"
        try await TokenNode.run(policy) { node async throws in
            let page: HTTPHeaders = ["Origin": "https://page.example"]
            let evil: HTTPHeaders = ["Origin": "https://evil.example"]
            let token = TokenNode.staticToken
            for (token, headers, word) in [
                (nil, page, "not_admitted"), ("wrong", page, "not_admitted"), (token, evil, "policy_denied"),
            ] {
                for version in [WireVersion.v1, .v2] {
                    let client = try await node.connect(token: token, headers: headers, version: version)
                    #expect(
                        client.response.headers["Sec-WebSocket-Protocol"] == [
                            version == .v1 ? "wasmnet.v1" : "wasmnet.v2"
                        ])
                    #expect(try await client.next() == .close(code: 1008, reason: word))
                    #expect(try await client.next() == .ended)
                }
            }
            // A client that is not a page gets the status; a page without a subprotocol too, since no name could be answered.
            #expect(try await node.refusal(token: token)?.status == 403)
            #expect(try await node.refusal(token: "wrong")?.status == 403)
            let bare = await #expect(throws: TestClient.UpgradeRefused.self) {
                try await TestClient.connect(port: node.node.port, subprotocols: [], headers: page)
            }
            #expect(bare?.status == 401)
            // Errors of the page's author stay as they are.
            #expect(try await node.refusal(path: "/elsewhere", headers: page)?.status == 404)

            // Two sessions are the tier's limit; the third page may try later.
            let sessions = [
                try await node.session(token: token, headers: page),
                try await node.session(token: token, headers: page),
            ]
            let third = try await node.connect(token: token, headers: page)
            #expect(try await third.next() == .close(code: 1013, reason: "max_sessions"))
            for session in sessions { await session.close() }
            #expect(try await node.node.settles(sockets: 0, sessions: 0))
        }
    }

    @Test func overTheLimitOfSessionsIs429() async throws {
        try await TokenNode.run(Self.byToken) { node async throws in
            let token = TokenNode.staticToken
            let sessions = [try await node.session(token: token), try await node.session(token: token)]
            let refusal = try #require(await node.refusal(token: token))
            #expect(refusal.status == 429)
            #expect(refusal.headers.contains(name: "Retry-After"))
            for session in sessions { await session.close() }
        }
    }

    // MARK: Terms

    private func code(_ client: TestClient, _ request: Request) async throws -> ReasonCode? {
        switch try await client.ask(request) {
        case .refused(_, let refusal): refusal.code
        case .closed(_, let code, _): code
        default: nil
        }
    }

    @Test func aTiersLimitHoldsAlsoAfterAnotherPolicy() async throws {
        let target = try await TestTarget.start(.echo)
        try await TokenNode.run(Self.byToken) { node async throws in
            let port = UInt16(target.port)
            let pro = try await node.session(token: TokenNode.staticToken)
            let plain = try await node.session(token: try node.token())
            for id in 1...2 {
                #expect(try await self.code(pro, .connect(SocketID(id), host: "127.0.0.1", port: port)) == nil)
                #expect(try await self.code(plain, .connect(SocketID(id), host: "127.0.0.1", port: port)) == nil)
            }
            #expect(try await self.code(pro, .connect(3, host: "127.0.0.1", port: port)) == nil)
            #expect(try await self.code(pro, .connect(4, host: "127.0.0.1", port: port)) == .maxConnections)
            #expect(try await self.code(plain, .connect(3, host: "127.0.0.1", port: port)) == .maxConnections)
            let more = TokenNode.openPolicy.replacingOccurrences(of: "max_connections = 3", with: "max_connections = 5")
            node.node.server.replacePolicy(try PolicyFile.parse(more + Self.byToken, file: "test.toml"))
            #expect(try await self.code(plain, .connect(5, host: "127.0.0.1", port: port)) == .maxConnections)
            #expect(try await self.code(pro, .connect(5, host: "127.0.0.1", port: port)) == nil)
            await pro.close()
            await plain.close()
        }
        await target.stop()
    }

    /// Every entry point: TCP, TLS, UDP, single datagrams, lookups, binding; then under another policy.
    @Test func aTokensDestinationsHoldAtEveryGateAndAfterAnotherPolicy() async throws {
        let (target, other) = (try await TestTarget.start(.echo), try await TestTarget.start(.echo))
        let (port, wrong) = (UInt16(target.port), UInt16(other.port))
        try await TokenNode.run(Self.byToken) { node async throws in
            let allow = #""allow":["127.0.0.1:\#(port)","*.allowed.example:1"],"tier":"pro""#
            let client = try await node.session(token: try node.token(allow))
            #expect(try await self.code(client, .connect(1, host: "127.0.0.1", port: port)) == nil)
            #expect(try await self.code(client, .connect(2, host: "127.0.0.1", port: wrong)) == .policyDenied)
            #expect(try await self.code(client, .connect(2, host: "::ffff:127.0.0.1", port: wrong)) == .policyDenied)
            #expect(try await self.code(client, .connectTLS(2, host: "127.0.0.1", port: wrong)) == .policyDenied)
            #expect(try await self.code(client, .connectUDP(2, host: "127.0.0.1", port: wrong)) == .policyDenied)
            #expect(try await self.code(client, .bind(2, host: "127.0.0.1", port: wrong)) == .policyDenied)
            #expect(try await self.code(client, .bind(2, host: "127.0.0.1", port: 0)) == .policyDenied)
            #expect(try await self.code(client, .bindUDP(2, host: "127.0.0.1", port: 0)) == .policyDenied)
            // The network entry could match any name; but one port of it leads nowhere.
            #expect(try await self.code(client, .connect(2, host: "secret.evil.example", port: wrong)) == .policyDenied)
            #expect(try await self.code(client, .resolve(2, name: "localhost")) == nil)

            let names = try await node.session(token: try node.token(#""allow":["*.allowed.example:1"]"#, sub: "bob"))
            #expect(try await self.code(names, .resolve(2, name: "localhost")) == .policyDenied)
            #expect(try await self.code(names, .connect(2, host: "127.0.0.1", port: port)) == .policyDenied)
            await names.close()

            let udp = try await node.session(token: try node.token(#""allow":["127.0.0.1:\#(port)"]"#, sub: "eve"))
            #expect(try await self.code(udp, .connectUDP(1, host: "127.0.0.1", port: port)) == nil)
            #expect(
                try await self.code(udp, .sendTo(1, host: "127.0.0.1", port: wrong, ByteBuffer(string: "x")))
                    == .policyDenied)
            await udp.close()

            // Entries for one transport, binding among them.
            let apart = #""allow":["udp/127.0.0.1:\#(port)","tcp/127.0.0.1:\#(wrong)"],"tier":"pro""#
            let one = try await node.session(token: try node.token(apart, sub: "joe"))
            #expect(try await self.code(one, .connectUDP(1, host: "127.0.0.1", port: port)) == nil)
            #expect(try await self.code(one, .connect(2, host: "127.0.0.1", port: wrong)) == nil)
            #expect(try await self.code(one, .connect(3, host: "127.0.0.1", port: port)) == .policyDenied)
            #expect(try await self.code(one, .connectUDP(3, host: "127.0.0.1", port: wrong)) == .policyDenied)
            #expect(
                try await self.code(one, .sendTo(1, host: "127.0.0.1", port: wrong, ByteBuffer(string: "x")))
                    == .policyDenied)
            #expect(try await self.code(one, .bind(3, host: "127.0.0.1", port: port)) == .policyDenied)
            #expect(try await self.code(one, .bindUDP(3, host: "127.0.0.1", port: port)) == nil)
            await one.close()

            // A policy that allows everything gives the token no more; one that allows less ends its socket.
            node.node.server.replacePolicy(.unrestricted)
            #expect(try await self.code(client, .connect(3, host: "127.0.0.1", port: wrong)) == .policyDenied)
            #expect(try await self.code(client, .connect(4, host: "127.0.0.1", port: port)) == nil)
            let less = try PolicyFile.parse("network.deny = [\"127.0.0.1:\(port)\"]", file: "test.toml")
            node.node.server.replacePolicy(less)
            for _ in 0..<2 {
                guard case .closed(_, .policyDenied, _) = try await client.nextEvent() else {
                    Issue.record("a socket outlived its policy")
                    return
                }
            }
            await client.close()
        }
        await target.stop()
        await other.stop()
    }

    /// Looked-up names are sent to name servers, which can belong to anyone.
    @Test func aNameBeyondATokensDestinationsIsNeverLookedUp() async throws {
        let resolver = CountingResolver()
        try await TokenNode.run(Self.byToken, configure: { $0.resolver = resolver }) { node async throws in
            let allow = #""allow":["*.allowed.example:443"]"#
            let client = try await node.session(token: try node.token(allow))
            #expect(try await self.code(client, .resolve(1, name: "secret.evil.example")) == .policyDenied)
            #expect(try await self.code(client, .connect(1, host: "secret.evil.example", port: 443)) == .policyDenied)
            #expect(try await self.code(client, .connect(1, host: "x.allowed.example", port: 80)) == .policyDenied)
            #expect(resolver.names.isEmpty)
            #expect(try await self.code(client, .resolve(1, name: "x.allowed.example")) == .nameNotFound)
            #expect(resolver.names == ["x.allowed.example"])
            await client.close()
        }
    }

    @Test func aSocketOutlivesAReloadOfTheSamePolicy() async throws {
        let target = try await TestTarget.start(.echo)
        try await TokenNode.run(Self.byToken) { node async throws in
            let client = try await node.session(token: try node.token(#""allow":["127.0.0.1:\#(target.port)"]"#))
            #expect(try await self.code(client, .connect(1, host: "127.0.0.1", port: UInt16(target.port))) == nil)
            let same = try PolicyFile.parse(TokenNode.openPolicy + Self.byToken, file: "test.toml")
            node.node.server.replacePolicy(same)
            #expect(try await self.code(client, .send(9, ByteBuffer(string: "x"))) == .unknownSocket)
            client.send(.send(1, ByteBuffer(string: "still here")))
            var event = try await client.nextEvent()
            while case .window = event { event = try await client.nextEvent() }
            #expect(event == .data(1, ByteBuffer(string: "still here")))
            await client.close()
        }
        await target.stop()
    }

    // MARK: Connections that end

    /// Connections that request a session and close before they are identified leave nothing behind.
    @Test func aConnectionThatEndsWhileItsTokenIsReadLeavesNoSession() async throws {
        try await TokenNode.run(Self.byToken) { node async throws in
            let token = try node.token()
            let request =
                "GET /?token=\(token) HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            for _ in 0..<50 {
                let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .connect(host: "127.0.0.1", port: node.node.port).get()
                try await channel.writeAndFlush(ByteBuffer(string: request))
                try await channel.close()
            }
            #expect(try await node.node.settles(sockets: 0, sessions: 0))
            #expect(try await node.name(token: token) == "t:amy")
        }
    }

    /// A missing body would delay the upgrade, with the session's slot taken.
    @Test func aHandshakeHasNoBody() async throws {
        try await TokenNode.run { node async throws in
            #expect(try await node.refusal(headers: ["Content-Length": "9"])?.status == 400)
            #expect(try await node.refusal(headers: ["Transfer-Encoding": "chunked"])?.status == 400)
            #expect(try await node.name(headers: ["Content-Length": "0"]) == "a:127.0.0.1")
            #expect(try await node.node.settles(sockets: 0, sessions: 0))
        }
    }

    /// `Upgrade: websocket` repeated counts as one request.
    @Test func aTokenIsReadOnceARequest() async throws {
        try await TokenNode.run(Self.byToken) { node async throws in
            let upgrade = Array(repeating: ("Upgrade", "websocket"), count: 20)
            let headers = HTTPHeaders(upgrade + [("Authorization", "Bearer wrong")])
            #expect(try await node.refusal(headers: headers)?.status == 401)
            #expect(node.node.server.admissionCounters.total(.tokenRefused) == 1)
        }
    }
}
