import Testing
import WasmnetProtocol

@Suite("Negotiation of Sec-WebSocket-Protocol")
struct SubprotocolOfferTests {
    private static let alone = "a bearer token is offered beside wasmnet.v2 or wasmnet.v1, not alone"
    private static let unknown = "no known subprotocol: offer wasmnet.v2, wasmnet.v1 or none"
    private static let badToken = "the bearer token is empty, not plain ASCII or not base64url"

    @Test(
        arguments: [
            ([], .accepted(version: .v1, echo: nil, bearerToken: nil)),
            ([""], .accepted(version: .v1, echo: nil, bearerToken: nil)),
            ([" , ,", "\t"], .accepted(version: .v1, echo: nil, bearerToken: nil)),
            (["wasmnet.v1"], .accepted(version: .v1, echo: "wasmnet.v1", bearerToken: nil)),
            (["wasmnet.v2"], .accepted(version: .v2, echo: "wasmnet.v2", bearerToken: nil)),
            (["wasmnet.v1, wasmnet.v2"], .accepted(version: .v2, echo: "wasmnet.v2", bearerToken: nil)),
            (["wasmnet.v1", "wasmnet.v2"], .accepted(version: .v2, echo: "wasmnet.v2", bearerToken: nil)),
            (["wasmnet.v2,wasmnet.v1"], .accepted(version: .v2, echo: "wasmnet.v2", bearerToken: nil)),
            (["  wasmnet.v2 \t,, "], .accepted(version: .v2, echo: "wasmnet.v2", bearerToken: nil)),
            (["wasmnet.v1, wasmnet.v1"], .accepted(version: .v1, echo: "wasmnet.v1", bearerToken: nil)),
            (["chat, wasmnet.v1"], .accepted(version: .v1, echo: "wasmnet.v1", bearerToken: nil)),
            (["chat", "wasmnet.v3,wasmnet.v2"], .accepted(version: .v2, echo: "wasmnet.v2", bearerToken: nil)),
            (["wasmnet.v1, wasmnet.bearer.s3cret"], .accepted(version: .v1, echo: "wasmnet.v1", bearerToken: "s3cret")),
            (
                ["wasmnet.bearer.s3cret", "wasmnet.v2"],
                .accepted(version: .v2, echo: "wasmnet.v2", bearerToken: "s3cret")
            ),
            (
                ["wasmnet.v2,wasmnet.bearer.a.b-c_d~"],
                .accepted(version: .v2, echo: "wasmnet.v2", bearerToken: "a.b-c_d~")
            ),
            (
                ["wasmnet.bearer.a,wasmnet.v2,wasmnet.bearer.a"],
                .accepted(version: .v2, echo: "wasmnet.v2", bearerToken: "a")
            ),
            (["wasmnet.bearer.a,wasmnet.v2,wasmnet.bearer.b"], .refused("more than one bearer token")),
            // In base64url, for text that is not a token of RFC 9110: a/b==, then the 94 visible characters, a comma among them.
            (
                ["wasmnet.v2,wasmnet.bearer64.YS9iPT0"],
                .accepted(version: .v2, echo: "wasmnet.v2", bearerToken: "a/b==")
            ),
            (
                ["wasmnet.bearer64.YS9iPT0, wasmnet.v1"],
                .accepted(version: .v1, echo: "wasmnet.v1", bearerToken: "a/b==")
            ),
            (
                ["wasmnet.v2, wasmnet.bearer64.\(Base64URL.encode(Array(0x21...0x7E)))"],
                .accepted(
                    version: .v2, echo: "wasmnet.v2", bearerToken: String(decoding: 0x21...0x7E, as: UTF8.self))
            ),
            // The same token twice counts once, in either form.
            (
                ["wasmnet.v2, wasmnet.bearer.abc, wasmnet.bearer64.YWJj"],
                .accepted(version: .v2, echo: "wasmnet.v2", bearerToken: "abc")
            ),
            (["wasmnet.v2, wasmnet.bearer.abd, wasmnet.bearer64.YWJj"], .refused("more than one bearer token")),
            (["wasmnet.v2, wasmnet.bearer64.YWJj, wasmnet.bearer64.YWJk"], .refused("more than one bearer token")),
            (["wasmnet.bearer64.YWJj"], .refused(alone)),
            // Empty; padded; of another alphabet; a length and last bits that no encoder writes; a space, a line end, not UTF-8, not ASCII.
            (["wasmnet.v2, wasmnet.bearer64."], .refused(badToken)),
            (["wasmnet.v2, wasmnet.bearer64.YS9iPQ=="], .refused(badToken)),
            (["wasmnet.v2, wasmnet.bearer64.ab+/"], .refused(badToken)),
            (["wasmnet.v2, wasmnet.bearer64.YS9iP"], .refused(badToken)),
            (["wasmnet.v2, wasmnet.bearer64.YR"], .refused(badToken)),
            (["wasmnet.v2, wasmnet.bearer64.YSBi"], .refused(badToken)),
            (["wasmnet.v2, wasmnet.bearer64.YQpi"], .refused(badToken)),
            (["wasmnet.v2, wasmnet.bearer64.____"], .refused(badToken)),
            (["wasmnet.v2, wasmnet.bearer64.w6k"], .refused(badToken)),
            (["wasmnet.v2, wasmnet.bearer64.\u{301}"], .refused(badToken)),
            (["wasmnet.bearer.s3cret"], .refused(alone)),
            (["chat, wasmnet.bearer.s3cret"], .refused(alone)),
            (["wasmnet.v2, wasmnet.bearer."], .refused(badToken)),
            (["wasmnet.v2, wasmnet.bearer.a b"], .refused(badToken)),
            (["wasmnet.v2, wasmnet.bearer.é"], .refused(badToken)),
            (["wasmnet.v2, wasmnet.bearer.\u{301}"], .refused(badToken)),
            (["chat"], .refused(unknown)),
            (["wasmnet.v3"], .refused(unknown)),
            (["WASMNET.V2"], .refused(unknown)),
            (["wasmnet.v2x"], .refused(unknown)),
            (["wasmnet.v2 wasmnet.v1"], .refused(unknown)),
            (["\"wasmnet.v2\""], .refused(unknown)),
            (["wasmnet.bearer"], .refused(unknown)),
            (["wasmnet.bearer64"], .refused(unknown)),
            // Neither of the two words.
            (["wasmnet.v2, wasmnet.bearer6.YWJj"], .accepted(version: .v2, echo: "wasmnet.v2", bearerToken: nil)),
        ] as [([String], SubprotocolOffer.Answer)])
    func answers(lines: [String], answer: SubprotocolOffer.Answer) {
        #expect(SubprotocolOffer(headerLines: lines).answer == answer, "\(lines)")
    }

    @Test func noAnswerHoldsTheToken() {
        for line in [
            "wasmnet.bearer.s3cret", "wasmnet.v2,wasmnet.bearer.s3cret,wasmnet.bearer.s3cret2", "s3cret",
            "wasmnet.v2,wasmnet.bearer64.s3cret=",
        ] {
            guard case .refused(let reason) = SubprotocolOffer(headerLines: [line]).answer else {
                Issue.record("\(line) was accepted")
                continue
            }
            #expect(!reason.contains("s3cret"))
        }
    }

    @Test func names() {
        #expect(Subprotocol.v1 == "wasmnet.v1")
        #expect(Subprotocol.v2 == "wasmnet.v2")
        #expect(Subprotocol.bearerPrefix == "wasmnet.bearer.")
        #expect(Subprotocol.encodedBearerPrefix == "wasmnet.bearer64.")
        #expect(Subprotocol.headerName == "Sec-WebSocket-Protocol")
    }
}
