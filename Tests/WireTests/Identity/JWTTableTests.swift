import Crypto
import Foundation
import Testing
import WasmnetIdentity
import WasmnetPolicy
import WasmnetProtocol
import WasmnetTesting

/// Tokens, good and bad, and the result for each.
@Suite struct JWTTableTests {
    static let now = 1_800_000_000.0
    /// The clock's time in a token's text, this many seconds from now.
    static func at(_ seconds: Int) -> String { "\(Int(Self.now) + seconds)" }

    /// `sub` if good, else the fault.
    struct Case: Sendable, CustomStringConvertible {
        var name: String
        var token: String
        var expected: String
        var description: String { self.name }
    }

    static let mint = TokenMint()
    static let good = #"{"sub":"amy","exp":\#(at(600))}"#
    static let hs = #"{"alg":"HS256"}"#
    static let es = #"{"alg":"ES256"}"#
    static let ed = #"{"alg":"EdDSA"}"#

    private static func signed(_ name: String, _ header: String, _ payload: String, _ expected: String) throws -> Case {
        let signer: TokenMint.Signer =
            switch header {
            case _ where header.contains("ES256"): .es256(self.mint.p256)
            case _ where header.contains("EdDSA") || header.contains("Ed25519"): .edDSA(self.mint.ed25519)
            default: .hs256(self.mint.secret)
            }
        return Case(name: name, token: try self.mint.sign(header, payload, signer), expected: expected)
    }

    private static func forged(
        _ name: String, _ header: String, _ signer: TokenMint.Signer, _ expected: String
    ) throws -> Case {
        Case(name: name, token: try self.mint.sign(header, self.good, signer), expected: expected)
    }

    /// Payloads, all correctly signed with HS256.
    static let claims: [(String, String, String)] = [
        ("plain", good, "amy"),
        ("unknown claims", #"{"sub":"amy","exp":\#(at(9)),"jti":"x","roles":["a"],"deep":{"sub":"eve"}}"#, "amy"),
        ("fraction of a second", #"{"sub":"amy","exp":\#(at(9)).5}"#, "amy"),
        ("exponent", #"{"sub":"amy","exp":1.9e9}"#, "amy"),
        ("subject like a mail address", #"{"sub":"amy@page.example","exp":\#(at(9))}"#, "amy@page.example"),
        ("subject like an issuer's", #"{"sub":"auth0|5f7c","exp":\#(at(9))}"#, "auth0|5f7c"),
        ("expired", #"{"sub":"amy","exp":\#(at(-60))}"#, "expired"),
        ("expired within the leeway", #"{"sub":"amy","exp":\#(at(-29))}"#, "amy"),
        ("expired at the leeway's end", #"{"sub":"amy","exp":\#(at(-30))}"#, "expired"),
        ("no exp", #"{"sub":"amy"}"#, "claims"),
        ("exp is null", #"{"sub":"amy","exp":null}"#, "claims"),
        ("exp as text", #"{"sub":"amy","exp":"\#(at(9))"}"#, "claims"),
        ("exp beyond all numbers", #"{"sub":"amy","exp":1e999}"#, "claims"),
        ("exp beyond every clock never comes", #"{"sub":"amy","exp":1e300}"#, "amy"),
        ("exp as bool", #"{"sub":"amy","exp":true}"#, "claims"),
        ("negative exp", #"{"sub":"amy","exp":-1}"#, "expired"),
        ("exp in milliseconds is far away but a time", #"{"sub":"amy","exp":1800000600000}"#, "amy"),
        ("nbf past", #"{"sub":"amy","exp":\#(at(9)),"nbf":\#(at(-9))}"#, "amy"),
        ("nbf future", #"{"sub":"amy","exp":\#(at(999)),"nbf":\#(at(60))}"#, "not_yet_valid"),
        ("nbf within the leeway", #"{"sub":"amy","exp":\#(at(999)),"nbf":\#(at(30))}"#, "amy"),
        ("nbf just beyond the leeway", #"{"sub":"amy","exp":\#(at(999)),"nbf":\#(at(31))}"#, "not_yet_valid"),
        ("nbf as text", #"{"sub":"amy","exp":\#(at(999)),"nbf":"0"}"#, "claims"),
        ("nbf is null", #"{"sub":"amy","exp":\#(at(999)),"nbf":null}"#, "claims"),
        ("nbf beyond every clock", #"{"sub":"amy","exp":\#(at(999)),"nbf":1e300}"#, "not_yet_valid"),
        ("iat", #"{"sub":"amy","exp":\#(at(999)),"iat":\#(at(-9))}"#, "amy"),
        ("iat as text", #"{"sub":"amy","exp":\#(at(999)),"iat":"0"}"#, "claims"),
        ("iat as bool", #"{"sub":"amy","exp":\#(at(999)),"iat":true}"#, "claims"),
        ("iat as list", #"{"sub":"amy","exp":\#(at(999)),"iat":[1]}"#, "claims"),
        ("iat as object", #"{"sub":"amy","exp":\#(at(999)),"iat":{}}"#, "claims"),
        ("iat is null", #"{"sub":"amy","exp":\#(at(999)),"iat":null}"#, "claims"),
        ("no sub", #"{"exp":\#(at(9))}"#, "claims"),
        ("empty sub", #"{"sub":"","exp":\#(at(9))}"#, "subject"),
        ("sub as number", #"{"sub":7,"exp":\#(at(9))}"#, "claims"),
        ("sub with a space", #"{"sub":"a b","exp":\#(at(9))}"#, "a b"),
        ("sub with an apostrophe", #"{"sub":"O'Brien","exp":\#(at(9))}"#, "O'Brien"),
        ("sub with a line's end", #"{"sub":"a\nb","exp":\#(at(9))}"#, "subject"),
        ("sub with a control of C1", #"{"sub":"a\u009bb","exp":\#(at(9))}"#, "subject"),
        ("sub with a NUL", #"{"sub":"a\u0000","exp":\#(at(9))}"#, "subject"),
        ("sub with a brace", #"{"sub":"a}b","exp":\#(at(9))}"#, "a}b"),
        ("sub not ASCII", #"{"sub":"amé","exp":\#(at(9))}"#, "amé"),
        (
            "sub of 256 bytes", #"{"sub":"\#(String(repeating: "é", count: 128))","exp":\#(at(9))}"#,
            String(repeating: "é", count: 128)
        ),
        ("sub of 257 bytes", #"{"sub":"s\#(String(repeating: "é", count: 128))","exp":\#(at(9))}"#, "subject"),
        ("a name with an escape", #"{"sub":"amy","exp":\#(at(9)),"https:\/\/page.example\/roles":["a"]}"#, "amy"),
        ("sub with an escape in its name", #"{"\u0073ub":"amy","e\u0078p":\#(at(9))}"#, "amy"),
        ("one name twice, once with an escape", #"{"sub":"amy","exp":\#(at(9)),"a\/b":1,"a/b":2}"#, "malformed"),
        ("names that only look alike", #"{"sub":"amy","exp":\#(at(9)),"\u212a":1,"K":2}"#, "amy"),
        ("iat and nbf with fractions", #"{"sub":"amy","exp":\#(at(9)).25,"nbf":\#(at(-9)).75,"iat":1.5}"#, "amy"),
        ("duplicate sub", #"{"sub":"amy","sub":"eve","exp":\#(at(9))}"#, "malformed"),
        ("duplicate sub in other letters", #"{"sub":"amy","\u0073ub":"eve","exp":\#(at(9))}"#, "malformed"),
        ("duplicate exp", #"{"sub":"amy","exp":1,"exp":\#(at(9))}"#, "malformed"),
        ("tier", #"{"sub":"amy","exp":\#(at(9)),"tier":"pro"}"#, "amy"),
        ("tier with a dot", #"{"sub":"amy","exp":\#(at(9)),"tier":"a.b"}"#, "tier"),
        ("empty tier", #"{"sub":"amy","exp":\#(at(9)),"tier":""}"#, "tier"),
        ("tier as list", #"{"sub":"amy","exp":\#(at(9)),"tier":["pro"]}"#, "claims"),
        ("allow", #"{"sub":"amy","exp":\#(at(9)),"allow":["*.db.example:5432","10.0.0.0/8"]}"#, "amy"),
        ("allow nothing", #"{"sub":"amy","exp":\#(at(9)),"allow":[]}"#, "amy"),
        (
            "allow with a bad entry", #"{"sub":"amy","exp":\#(at(9)),"allow":["db.example","10.0.0.1/8"]}"#,
            "destinations"
        ),
        ("allow with an empty entry", #"{"sub":"amy","exp":\#(at(9)),"allow":[""]}"#, "destinations"),
        ("allow as text", #"{"sub":"amy","exp":\#(at(9)),"allow":"*"}"#, "claims"),
        ("allow of null", #"{"sub":"amy","exp":\#(at(9)),"allow":null}"#, "claims"),
        ("allow of numbers", #"{"sub":"amy","exp":\#(at(9)),"allow":[1]}"#, "claims"),
        ("no object", #"["sub","amy"]"#, "claims"),
        ("no JSON", "sub=amy", "claims"),
        ("nothing", "", "claims"),
        ("truncated JSON", #"{"sub":"amy","exp":\#(at(9))"#, "claims"),
    ]

    /// Headers, all over the same good claims and correctly signed with the key that the header seems to name.
    static let headers: [(String, String, String)] = [
        ("HS256", hs, "amy"), ("ES256", es, "amy"), ("EdDSA", ed, "amy"),
        ("any kid with keys that have none", #"{"alg":"HS256","kid":"whatever"}"#, "amy"),
        ("none", #"{"alg":"none"}"#, "algorithm"), ("None", #"{"alg":"None"}"#, "algorithm"),
        ("empty alg", #"{"alg":""}"#, "algorithm"), ("hs256", #"{"alg":"hs256"}"#, "algorithm"),
        ("HS512", #"{"alg":"HS512"}"#, "algorithm"), ("ES384", #"{"alg":"ES384"}"#, "algorithm"),
        ("RS256", #"{"alg":"RS256"}"#, "algorithm"),
        ("no alg", #"{"typ":"JWT"}"#, "malformed"), ("alg as number", #"{"alg":1}"#, "malformed"),
        ("alg twice, none last", #"{"alg":"HS256","alg":"none"}"#, "malformed"),
        ("alg twice, none first", #"{"alg":"none","alg":"HS256"}"#, "malformed"),
        (
            "no typ, another cty, unknown members",
            #"{"alg":"HS256","cty":"x","x":[null,{"a":1}],"jku":7,"zip":"DEF"}"#, "amy"
        ),
        ("another typ", #"{"typ":"at+jwt","alg":"HS256"}"#, "amy"),
        ("alg with an escape", #"{"\u0061lg":"HS256"}"#, "amy"),
        ("Ed25519 as RFC 9864 names it", #"{"alg":"Ed25519"}"#, "amy"), ("Ed448", #"{"alg":"Ed448"}"#, "algorithm"),
        ("ED25519", #"{"alg":"ED25519"}"#, "algorithm"), ("PS256", #"{"alg":"PS256"}"#, "algorithm"),
        ("JWE", #"{"alg":"dir","enc":"A256GCM"}"#, "algorithm"),
        ("crit", #"{"alg":"HS256","crit":["exp"]}"#, "malformed"),
        ("crit of nothing", #"{"alg":"HS256","crit":[]}"#, "malformed"),
        ("crit that is null", #"{"alg":"HS256","crit":null}"#, "malformed"),
        ("crit for an unencoded payload", #"{"alg":"HS256","b64":false,"crit":["b64"]}"#, "malformed"),
        ("kid as number", #"{"alg":"HS256","kid":1}"#, "malformed"),
        ("a key of its own", #"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}"#, "amy"),
        ("header is a list", #"["HS256"]"#, "malformed"), ("header is no JSON", "HS256", "malformed"),
    ]

    static func forgeries() throws -> [Case] {
        let mint = self.mint
        let pem = Array(mint.p256PEM.utf8)
        let point = Array(mint.p256.publicKey.x963Representation)
        let (wrongSecret, zeros) = (Array("another secret of 32 bytes or more.".utf8), [UInt8](repeating: 0, count: 64))
        let token = try mint.sign(self.hs, self.good, .hs256(mint.secret))
        let parts = token.split(separator: ".").map(String.init)
        let other = #"{"sub":"eve","exp":\#(self.at(600))}"#
        let long = #"{"sub":"amy","exp":\#(self.at(9)),"x":"\#(String(repeating: "x", count: 8192))"}"#
        return [
            try self.forged("none, unsigned", #"{"alg":"none"}"#, .bytes([]), "malformed"),
            try self.forged("none, signed with zeros", #"{"alg":"none"}"#, .bytes(zeros), "algorithm"),
            try self.forged("HS256 with the public PEM as secret", self.hs, .hs256(pem), "signature"),
            try self.forged("HS256 with the public point as secret", self.hs, .hs256(point), "signature"),
            try self.forged("HS256 with another secret", self.hs, .hs256(wrongSecret), "signature"),
            try self.forged("HS256 with no secret", self.hs, .hs256([]), "signature"),
            try self.forged("ES256 with another key", self.es, .es256(mint.otherP256), "signature"),
            try self.forged("EdDSA with another key", self.ed, .edDSA(mint.otherEd25519), "signature"),
            try self.forged("ES256 that is HS256", self.es, .hs256(mint.secret), "refused"),
            try self.forged("EdDSA that is ES256", self.ed, .es256(mint.p256), "signature"),
            try self.forged("HS256 that is ES256", self.hs, .es256(mint.p256), "signature"),
            try self.forged("ES256 of zeros (CVE-2022-21449)", self.es, .bytes(zeros), "refused"),
            try self.forged("ES256 of one byte", self.es, .bytes([1]), "refused"),
            try self.forged("EdDSA of zeros", self.ed, .bytes(zeros), "signature"),
            Case(name: "unsigned", token: "\(parts[0]).\(parts[1]).", expected: "malformed"),
            Case(name: "two parts", token: "\(parts[0]).\(parts[1])", expected: "malformed"),
            Case(name: "four parts", token: token + ".AAAA", expected: "malformed"),
            Case(name: "one part", token: parts[0], expected: "malformed"),
            Case(name: "dots", token: "..", expected: "malformed"),
            Case(name: "nothing", token: "", expected: "malformed"),
            Case(name: "signature cut short", token: String(token.dropLast(3)), expected: "signature"),
            Case(name: "signature with other spare bits", token: try Self.sparing(token), expected: "malformed"),
            Case(name: "signature with one byte more", token: token + "AAAA", expected: "signature"),
            Case(
                name: "claims changed", token: "\(parts[0]).\(Base64URL.encode(Array(other.utf8))).\(parts[2])",
                expected: "signature"),
            Case(name: "padding", token: "\(parts[0]).\(parts[1])=.\(parts[2])", expected: "malformed"),
            Case(name: "base64 garbage", token: "\(parts[0]).!!!!.\(parts[2])", expected: "malformed"),
            Case(name: "standard base64", token: "\(parts[0]).ab+/.\(parts[2])", expected: "malformed"),
            Case(name: "space in front", token: " " + token, expected: "malformed"),
            Case(name: "line's end behind", token: token + "\n", expected: "malformed"),
            Case(name: "NUL behind", token: token + "\0", expected: "malformed"),
            Case(name: "too long", token: try mint.token(long), expected: "too_long"),
            Case(name: "8193 letters", token: String(repeating: "A", count: 8193), expected: "too_long"),
            Case(name: "8192 dots", token: String(repeating: ".", count: 8192), expected: "malformed"),
        ]
    }

    /// The same 32 bytes of signature, encoded as no encoder does: 43 letters have two bits to spare.
    private static func sparing(_ token: String) throws -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        let last = try #require(token.last.flatMap { alphabet.firstIndex(of: $0) })
        return token.dropLast() + String(alphabet[last ^ 1])
    }

    static let table: [Case] =
        (try? Self.claims.map { try Self.signed("claims: \($0.0)", Self.hs, $0.1, $0.2) }
            + Self.headers.map { try Self.signed("header: \($0.0)", $0.1, Self.good, $0.2) } + Self.forgeries()) ?? []

    private static func outcome(_ verifier: JWTVerifier, _ token: String) async -> String {
        switch await verifier.verify(token, now: Self.now) {
        case .success(let grant): grant.subject
        case .failure(let fault): fault.rawValue
        }
    }

    @Test func theTableIsWhole() {
        #expect(Self.table.count >= 95)
    }

    @Test(arguments: Self.table) func eachTokenComesToWhatTheTableSays(row: Case) async throws {
        let verifier = JWTVerifier(keys: try Self.mint.plainKeys(), rules: ClaimRules())
        let outcome = await Self.outcome(verifier, row.token)
        if row.expected == "refused" {
            #expect(["signature", "claims"].contains(outcome), "\(row.name)")
        } else {
            #expect(outcome == row.expected, "\(row.name)")
        }
    }

    /// A token and the required issuer and audience.
    @Test(arguments: [
        (#""iss":"me","aud":"node""#, "amy"), (#""iss":"me","aud":["x","node"]"#, "amy"),
        (#""iss":"you","aud":"node""#, "issuer"), (#""aud":"node""#, "issuer"), (#""iss":"me""#, "audience"),
        (#""iss":"me","aud":"nodes""#, "audience"), (#""iss":"me","aud":["x"]"#, "audience"),
        (#""iss":"me","aud":[]"#, "audience"), (#""iss":"me","aud":7"#, "claims"), (#""iss":7,"aud":"node""#, "claims"),
        (#""iss":"ME","aud":"node""#, "issuer"), (#""iss":["me"],"aud":"node""#, "claims"),
        (#""iss":"me","aud":"node","aud":"x""#, "malformed"),
    ]) func issuerAndAudience(claims: String, expected: String) async throws {
        let verifier = JWTVerifier(
            keys: try Self.mint.plainKeys(), rules: ClaimRules(issuer: "me", audience: "node"))
        let token = try Self.mint.token(#"{"sub":"amy","exp":\#(Self.at(9)),\#(claims)}"#)
        #expect(await Self.outcome(verifier, token) == expected)
    }

    /// kid, alg of the signature, expected, with keys that all have a kid.
    @Test(arguments: [
        (#"{"alg":"HS256","kid":"h"}"#, "amy"), (#"{"alg":"ES256","kid":"e"}"#, "amy"),
        (#"{"alg":"EdDSA","kid":"d"}"#, "amy"), (#"{"alg":"HS256"}"#, "amy"), (#"{"alg":"HS256","kid":"x"}"#, "key"),
        (#"{"alg":"HS256","kid":"e"}"#, "key"), (#"{"alg":"ES256","kid":"h"}"#, "key"),
        (#"{"alg":"ES256","kid":"enc"}"#, "key"), (#"{"alg":"HS256","kid":""}"#, "key"),
        (#"{"alg":"RS256","kid":"r"}"#, "algorithm"), (#"{"alg":"EdDSA","kid":"D"}"#, "key"),
        (#"{"alg":"HS256","kid":"x","kid":"h"}"#, "malformed"), (#"{"alg":"HS256","kid":null}"#, "amy"),
        (#"{"alg":"HS256","kid":"../../dev/null"}"#, "key"),
    ]) func aKeySetsKeysAreFoundByTheirIDs(header: String, expected: String) async throws {
        let set = try KeySetFile(json: Array(Self.mint.keySet.utf8), file: "jwks.json")
        #expect(set.keys.map(\.id) == ["h", "e", "d"])
        #expect(set.skipped.count == 2)
        let row = try Self.signed("", header, Self.good, expected)
        #expect(await Self.outcome(JWTVerifier(keys: set.keys, rules: ClaimRules()), row.token) == expected)
    }

    /// For any token, four keys of its algorithm are tried: the one it names first.
    @Test func noMoreThanFourKeysAreTried() async throws {
        let keys = (0..<6).map { _ in P256.Signing.PrivateKey() }
        let set = keys.enumerated().map { index, key in
            let point = Array(key.publicKey.rawRepresentation)
            let (x, y) = (Base64URL.encode(Array(point[..<32])), Base64URL.encode(Array(point[32...])))
            return #"{"kty":"EC","crv":"P-256","kid":"k\#(index)","x":"\#(x)","y":"\#(y)"}"#
        }
        let json = "{\"keys\":[\(set.joined(separator: ","))]}"
        let loaded = try KeySetFile(json: Array(json.utf8), file: "j").keys
        let verifier = JWTVerifier(keys: loaded, rules: ClaimRules())
        for (index, key) in keys.enumerated() {
            let bare = try Self.mint.sign(Self.es, Self.good, .es256(key))
            #expect(await Self.outcome(verifier, bare) == (index < 4 ? "amy" : "signature"))
            let named = try Self.mint.sign(#"{"alg":"ES256","kid":"k\#(index)"}"#, Self.good, .es256(key))
            #expect(await Self.outcome(verifier, named) == "amy")
        }
        let warnings = JWTVerifier.warnings(about: loaded + (try Self.mint.plainKeys()))
        #expect(warnings.count == 1 && warnings.first?.contains("7 keys for ES256") == true)
        #expect(JWTVerifier.warnings(about: try Self.mint.plainKeys()).isEmpty)
    }

    /// RFC 7515, appendix A.1: the signature is valid; the missing `sub` is the fault.
    @Test func theStandardsOwnExample() async throws {
        let k = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
        let secret = try #require(Base64URL.decode(k))
        let token =
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
            + "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
            + "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        let verifier = JWTVerifier(keys: [try KeyFile.parse(secret, as: .hs256, file: "k")], rules: ClaimRules())
        #expect(await Self.outcome(verifier, token) == "claims")
        #expect(await Self.outcome(verifier, token.replacingOccurrences(of: "dBjf", with: "dBjg")) == "signature")
    }

    @Test func aGrantSaysTierAndDestinations() async throws {
        let verifier = JWTVerifier(keys: try Self.mint.plainKeys(), rules: ClaimRules())
        let token = try Self.mint.token(
            #"{"sub":"amy","exp":\#(Self.at(9)),"tier":"pro","allow":["db.example:5432"]}"#)
        let grant = try await verifier.verify(token, now: Self.now).get()
        #expect(grant == TokenGrant(subject: "amy", tier: "pro", allow: [try PolicyEntry("db.example:5432")]))
    }

    /// Every single byte of a good token changed: never admitted as any client but its own.
    @Test(arguments: ["HS256", "ES256", "EdDSA"]) func noChangedByteIsLetIn(algorithm: String) async throws {
        let verifier = JWTVerifier(keys: try Self.mint.plainKeys(), rules: ClaimRules())
        let row = try Self.signed("", #"{"alg":"\#(algorithm)"}"#, Self.good, "amy")
        #expect(await Self.outcome(verifier, row.token) == "amy")
        var generator = SeededRandom(7)
        for index in row.token.utf8.indices {
            var bytes = Array(row.token.utf8)
            let offset = row.token.utf8.distance(from: row.token.utf8.startIndex, to: index)
            let alphabet = Array("ABCwxyz0189-_.=".utf8)
            let change = alphabet.filter { $0 != bytes[offset] }.randomElement(using: &generator) ?? 0x2E
            bytes[offset] = change
            let changed = String(decoding: bytes, as: UTF8.self)
            #expect(await Self.outcome(verifier, changed) != "amy", "byte \(offset) as \(change): \(changed)")
        }
    }
}
