import Crypto
import Foundation
import Testing
import WasmnetIdentity
import WasmnetProtocol
import WasmnetTesting

/// Key files, key sets and token files: accepted input, and the errors for the rest.
@Suite struct FileTests {
    static let mint = TokenMint()

    @Test func aPublicKeysTypeSaysItsAlgorithm() throws {
        #expect(try Self.mint.plainKeys().map(\.algorithm) == [.hs256, .es256, .edDSA])
        #expect(try KeyFile.parse(Array(Self.mint.p256PEM.utf8), as: .es256, file: "k").algorithm == .es256)
    }

    /// From another program: openssl genpkey -algorithm ed25519, and of EC P-256.
    @Test func opensslsKeysAreRead() throws {
        let ed25519 = """
            -----BEGIN PUBLIC KEY-----
            MCowBQYDK2VwAyEALh7MoiKr52GC3a+2ny1zomnQ7uDaRyF9i8v5zDtDzEM=
            -----END PUBLIC KEY-----
            """
        let p256 = """
            -----BEGIN PUBLIC KEY-----
            MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEt//DibNiJp7b+6gWpObvKjnkZq6W
            3+IW09dosXahmo5zi8GUK0G1Kix01m5Yz63EzH1kpuWr98yyd3JwrT+3jg==
            -----END PUBLIC KEY-----
            """
        #expect(try KeyFile.parse(Array(ed25519.utf8), as: nil, file: "k").algorithm == .edDSA)
        #expect(try KeyFile.parse(Array(p256.utf8), as: nil, file: "k").algorithm == .es256)
    }

    @Test func badKeyFilesAreRefusedByName() throws {
        let pem = Array(Self.mint.p256PEM.utf8)
        let p384 = P384.Signing.PrivateKey().publicKey.pemRepresentation
        let rows: [([UInt8], SigningAlgorithm?, String)] = [
            (pem, .hs256, "k: this is a PEM file, not a secret for HS256"),
            (pem, .edDSA, "k: this is a key for ES256, not for EdDSA"),
            (Array(Self.mint.ed25519PEM.utf8), .es256, "k: this is a key for EdDSA, not for ES256"),
            (Array(Self.mint.p256.pemRepresentation.utf8), nil, "k: this is a private key"),
            (Array(p384.utf8), nil, "k: this is not a public key of P-256"),
            (Self.mint.secret, nil, "k: this is not a public key in PEM; give a secret as HS256:k"),
            (Array("short".utf8), .hs256, "k: a secret for HS256 has at least 32 bytes"),
            (Array((String(repeating: "s", count: 31) + "\n").utf8), .hs256, "k: a secret for HS256 has at least"),
            ([], nil, "k: this is not a public key in PEM"),
            (Array("-----BEGIN X-----".utf8), nil, "k: this is not a public key of"),
        ]
        for (bytes, algorithm, words) in rows {
            let complaint = wordsThrown { _ = try KeyFile.parse(bytes, as: algorithm, file: "k") }
            #expect(complaint.hasPrefix(words), "\(complaint)")
            #expect(!complaint.contains("short"))
        }
        #expect(
            wordsThrown { _ = try KeyFile.load("HS256:no-such-file") }
                == "no-such-file: the file cannot be read: No such file or directory")
        #expect(
            wordsThrown { _ = try KeyFile.load("no-such.pem") }
                == "no-such.pem: the file cannot be read: No such file or directory")
    }

    /// With a point of small order as a key, anyone can make a signature that verifies, for any message: each of the eight points, in every
    /// spelling that decodes to one (Chalkias, Garillot and Nikolaenko, "Taming the many EdDSAs", table 1; RFC 8032, section 5.1.3).
    @Test(arguments: [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ])
    func keysOfSmallOrderAreRefused(hex: String) throws {
        let digits = Array(hex)
        let point = try (0..<32).map { try #require(UInt8(String(digits[$0 * 2...$0 * 2 + 1]), radix: 16)) }
        let words = "the key is a point of small order: anybody can sign for it"
        let der: [UInt8] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00] + point
        let pem = "-----BEGIN PUBLIC KEY-----\n\(Data(der).base64EncodedString())\n-----END PUBLIC KEY-----\n"
        for algorithm in [nil, SigningAlgorithm.edDSA] {
            let complaint = wordsThrown { _ = try KeyFile.parse(Array(pem.utf8), as: algorithm, file: "k") }
            #expect(complaint == "k: \(words)")
        }
        let bad = #"{"kty":"OKP","crv":"Ed25519","x":"\#(Base64URL.encode(point))"}"#
        let x = Base64URL.encode(Array(Self.mint.ed25519.publicKey.rawRepresentation))
        let good = #"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"\#(x)"}"#
        let set = try KeySetFile(json: Array(#"{"keys":[\#(bad),\#(good)]}"#.utf8), file: "j")
        #expect(set.keys.map(\.id) == ["a"] && set.skipped == ["j: keys[0]: \(words)"])
        let complaint = wordsThrown { _ = try KeySetFile(json: Array(#"{"keys":[\#(bad)]}"#.utf8), file: "j") }
        #expect(complaint.contains("keys[0]: \(words)"))
    }

    @Test func badKeySetsAreRefused() throws {
        let x = Base64URL.encode(Array(Self.mint.ed25519.publicKey.rawRepresentation))
        let rows = [
            ("{}", "j: this is not a JSON Web Key Set"), ("[]", "j: this is not a JSON"), ("", "j: this is not a JSON"),
            (#"{"keys":[]}"#, "j: there is no key"), (#"{"keys":[{"kty":"RSA"}]}"#, "j: there is no key"),
            (#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"\#(x)","d":"\#(x)"}]}"#, "j: keys[0]: this is a private key"),
            (#"{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"HS256","x":"\#(x)"}]}"#, "j: there is no key"),
        ]
        for (json, words) in rows {
            let complaint = wordsThrown { _ = try KeySetFile(json: Array(json.utf8), file: "j") }
            #expect(complaint.hasPrefix(words), "\(complaint): \(json)")
            #expect(!complaint.contains(x))
        }
    }

    /// Invalid keys are ignored, for any reason, and reported (RFC 7517, section 5).
    @Test func aBadKeyDoesNotTakeTheOthersAway() throws {
        let x = Base64URL.encode(Array(Self.mint.ed25519.publicKey.rawRepresentation))
        let good = #"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"\#(x)"}"#
        for (bad, reason) in [
            (#"{"kty":"oct","k":"AAAA"}"#, "the key's value is"),
            (#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#, "the key's value is"),
            (#"{"kty":"OKP","crv":"Ed25519","x":"\#(x)="}"#, "the key's value is"),
            (#"{"kty":"EC","crv":"P-256","x":"\#(x)","y":"\#(x)"}"#, "the key's value is"),
            (#"{"kty":"EC","crv":"P-256","x":"\#(x)"}"#, "the key's value is"),
            (#"{"kty":"EC","crv":"P-256","x":7,"y":"\#(x)"}"#, "it is not a key"), (#"{"kid":"a"}"#, "it is not a key"),
            (#"{"kty":"OKP","crv":"Ed25519","key_ops":["sign"],"x":"\#(x)"}"#, #"its key_ops do not include "verify""#),
            (#"{"kty":"OKP","crv":"Ed25519","key_ops":[],"x":"\#(x)"}"#, #"its key_ops do not include "verify""#),
            (#"{"kty":"OKP","crv":"Ed25519","key_ops":"verify","x":"\#(x)"}"#, "it is not a key"),
            ("7", "it is not a key"), ("null", "it is not a key"),
        ] {
            let set = try KeySetFile(json: Array(#"{"keys":[\#(bad),\#(good)]}"#.utf8), file: "j")
            #expect(set.keys.map(\.id) == ["a"], "\(bad)")
            #expect(set.skipped.count == 1 && set.skipped[0].hasPrefix("j: keys[0]: \(reason)"), "\(set.skipped)")
            let complaint = wordsThrown {
                _ = try KeySetFile(json: Array(#"{"keys":[\#(bad)]}"#.utf8), file: "j")
            }
            #expect(complaint.hasPrefix("j: there is no key") && complaint.contains("keys[0]: \(reason)"))
        }
        let operations = #"{"kty":"OKP","crv":"Ed25519","kid":"b","key_ops":["sign","verify"],"x":"\#(x)"}"#
        #expect(try KeySetFile(json: Array(#"{"keys":[\#(operations)]}"#.utf8), file: "j").keys.map(\.id) == ["b"])
        // Two keys can share a kid (section 4.5); both are tried.
        #expect(try KeySetFile(json: Array(#"{"keys":[\#(good),\#(good)]}"#.utf8), file: "j").keys.count == 2)
    }

    // MARK: Static tokens

    private let first = "first-token-of-32-characters-or-so"
    private let second = "second-token-of-32-characters-or-so"

    @Test func aLineIsMadeAndFoundAgain() throws {
        let text = """
            # staff
            \(try StaticTokens.line(token: self.first, client: "amy", tier: nil))  # her laptop

            \t\(try StaticTokens.line(token: self.second, client: "ci@build", tier: "pro").uppercased().replacingOccurrences(of: "CI@BUILD PRO", with: "ci@build pro"))\r
            """
        let tokens = try StaticTokens(bytes: Array(text.utf8), file: "t")
        #expect(tokens.count == 2)
        #expect(tokens.tiers == ["pro"])
        #expect(tokens.grant(for: self.first) == TokenGrant(subject: "amy"))
        #expect(tokens.grant(for: self.second) == TokenGrant(subject: "ci@build", tier: "pro"))
        for other in ["", "amy", self.first + " ", String(self.first.dropLast()), self.first.uppercased()] {
            #expect(tokens.grant(for: other) == nil)
        }
        // The hash itself is not a valid token.
        #expect(tokens.grant(for: String(text.split(separator: "\n")[1].prefix(64))) == nil)
    }

    @Test func aTokenFileOfWindowsReadsAsTheSame() throws {
        let line = try StaticTokens.line(token: self.first, client: "amy", tier: "pro")
        let other = try StaticTokens.line(token: self.second, client: "ci", tier: nil)
        let text = "\u{FEFF}# staff\r\n\(line)\r\n# a comment\r\n\r\n\(other)\t# ci\r\n"
        let tokens = try StaticTokens(bytes: Array(text.utf8), file: "t")
        #expect(tokens.grant(for: self.first) == TokenGrant(subject: "amy", tier: "pro"))
        #expect(tokens.grant(for: self.second) == TokenGrant(subject: "ci"))
        #expect(tokens.count == 2)
    }

    @Test(arguments: [
        "José Ñandú", "O'Brien", "50% #1", "a\"b", "{x}\\", "e\u{301}", String(repeating: "é", count: 128),
    ])
    func anyNameIsWrittenAndReadAgain(name: String) throws {
        let line = try StaticTokens.line(token: self.first, client: name, tier: "pro")
        let grant = try StaticTokens(bytes: Array("\(line)\n".utf8), file: "t").grant(for: self.first)
        #expect(grant?.tier == "pro")
        #expect(grant?.subject.utf8.elementsEqual(name.utf8) == true)
    }

    @Test func keyFilesOfWindowsAreRead() throws {
        for (pem, algorithm) in [(Self.mint.p256PEM, SigningAlgorithm.es256), (Self.mint.ed25519PEM, .edDSA)] {
            let lines = pem.split(separator: "\n", omittingEmptySubsequences: false)
            let windows = "\u{FEFF}" + lines.joined(separator: "\r\n")
            #expect(try KeyFile.parse(Array(windows.utf8), as: nil, file: "k").algorithm == algorithm)
        }
    }

    /// printf %s abc | sha256sum, of FIPS 180-4's example; the token itself is too short for a line.
    @Test func theHashIsSHA256() throws {
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(try StaticTokens(bytes: Array("\(hash) amy".utf8), file: "t").grant(for: "abc")?.subject == "amy")
    }

    @Test func badTokenFilesAreRefusedByLine() throws {
        let hash = String(repeating: "ab", count: 32)
        let rows = [
            ("", "t: there is no token in it"), ("# nothing\n\n", "t: there is no token"),
            (hash, "t:1: a line is the SHA-256"), ("\n\(hash) amy pro more", "t:2: a line is"),
            ("\(hash.dropLast()) amy", "t:1: a line is"), ("\(hash)a amy", "t:1: a line is"),
            ("\(hash.dropLast())g amy", "t:1: a line is"), (self.first + " amy", "t:1: a line is"),
            ("\(hash) O'Brien", "t:1: a client's name"), ("\(hash) a%", "t:1: a client's name"),
            ("\(hash) a%0Ab", "t:1: a client's name"),
            ("\(hash) \(String(repeating: "a", count: 257))", "t:1: a client's name"),
            ("# a\n\(hash) amy\u{0}", "t:2: there is a control character"),
            ("\u{9B}", "t:1: there is a control character"),
            ("\(hash) amy a.b", "t:1: a tier's name"), ("\(hash) amy\n\(hash) eve", "t:2: the same token"),
        ]
        for (text, words) in rows {
            let complaint = wordsThrown { _ = try StaticTokens(bytes: Array(text.utf8), file: "t") }
            #expect(complaint.hasPrefix(words), "\(complaint)")
            // The text may be a token that was not hashed by mistake.
            #expect(!complaint.contains(self.first))
        }
        for token in ["", "short", "has a space in its middle", "has,commas,in,its,middle"] {
            #expect(
                wordsThrown { _ = try StaticTokens.line(token: token, client: "amy", tier: nil) }.hasPrefix(
                    "a token is"))
        }
    }
}
