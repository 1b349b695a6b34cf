import NIOHTTP1
import Testing
import WasmnetIdentity

@Suite struct PresentedTokenTests {
    static let rows: [(String, [(String, String)], PresentedToken)] = [
        ("/", [], .none),
        ("/", [("Sec-WebSocket-Protocol", "wasmnet.v2")], .none),
        ("/", [("Sec-WebSocket-Protocol", "wasmnet.v2, wasmnet.bearer.abc")], .token("abc")),
        (
            "/", [("Sec-WebSocket-Protocol", "wasmnet.bearer.a.b.c"), ("Sec-WebSocket-Protocol", "wasmnet.v1")],
            .token("a.b.c")
        ),
        ("/", [("Sec-WebSocket-Protocol", "wasmnet.v2, wasmnet.bearer64.YS9iPT0")], .token("a/b==")),
        (
            "/?token=a/b%3D=",
            [("Authorization", "Bearer a/b=="), ("Sec-WebSocket-Protocol", "wasmnet.v2,wasmnet.bearer64.YS9iPT0")],
            .token("a/b==")
        ),
        ("/?token=abc", [("Sec-WebSocket-Protocol", "wasmnet.v2,wasmnet.bearer64.YWJk")], .unclear),
        ("/", [("Authorization", "Bearer abc")], .token("abc")),
        ("/", [("authorization", "bearer  abc ")], .token("abc")),
        ("/", [("Authorization", "Basic YTpi")], .none), ("/", [("Authorization", "Bearer")], .unclear),
        ("/", [("Authorization", "Bearer ")], .unclear),
        ("/?token=abc", [], .token("abc")), ("/?a=b&token=abc&c", [], .token("abc")),
        ("/?token=a%2Eb%2b", [], .token("a.b+")), ("/?token=a=b", [], .token("a=b")),
        ("/?Token=abc", [], .none), ("/?tokens=abc", [], .none), ("/?x=token=abc", [], .none),
        ("/?token=", [], .unclear), ("/?token", [], .unclear), ("/?token=%", [], .unclear),
        ("/?token=%4", [], .unclear), ("/?token=%zz", [], .unclear), ("/?token=%ff", [], .unclear),
        // An escaped letter is the letter, and a combining character belongs to no separator.
        ("/?%74oken=abc", [], .token("abc")), ("/?a=b&\u{301}&token=abc", [], .token("abc")),
        ("/?\u{301}=1&token=abc", [], .token("abc")), ("/?token=\u{301}", [], .token("\u{301}")),
        ("/", [("Authorization", "Bearer a b")], .unclear), ("/", [("Authorization", "Bearer\tabc")], .token("abc")),
        ("/?token=K", [("Authorization", "Bearer \u{212A}")], .unclear),
        // The same token twice counts once.
        ("/?token=abc&token=abc", [], .token("abc")), ("/?token=abc", [("Authorization", "Bearer abc")], .token("abc")),
        (
            "/?token=abc",
            [("Authorization", "Bearer abc"), ("Sec-WebSocket-Protocol", "wasmnet.v2,wasmnet.bearer.abc")],
            .token("abc")
        ),
        // Two that differ are invalid.
        ("/?token=abc&token=abd", [], .unclear), ("/?token=abc", [("Authorization", "Bearer abd")], .unclear),
        ("/", [("Authorization", "Bearer abc"), ("Authorization", "Bearer abd")], .unclear),
        (
            "/", [("Authorization", "Bearer abc"), ("Sec-WebSocket-Protocol", "wasmnet.v2,wasmnet.bearer.abd")],
            .unclear
        ),
        ("/?token=&token=abc", [], .unclear),
    ]

    @Test(arguments: Self.rows.indices) func theTable(index: Int) {
        let (uri, headers, expected) = Self.rows[index]
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: uri, headers: HTTPHeaders(headers))
        #expect(PresentedToken.find(in: head) == expected, "\(uri) \(headers)")
    }
}
