import NIOCore
import WasmnetProtocol

/// One request in each encoding; `json` is nil if v1 does not have it.
struct GoldenRequest {
    var request: Request
    var json: String?
    var binary: String

    init(_ request: Request, _ json: String?, _ binary: String) {
        self.request = request
        self.json = json
        self.binary = binary
    }

    static let table = [
        GoldenRequest(
            .connect(1, host: "example.com", port: 443),
            #"{"op":"connect","id":1,"addr":"example.com","port":443}"#,
            "01 0000000000000001 01BB 'example.com'"),
        GoldenRequest(
            .bind(2, host: "0.0.0.0", port: 0),
            #"{"op":"bind","id":2,"addr":"0.0.0.0","port":0}"#,
            "02 0000000000000002 0000 '0.0.0.0'"),
        GoldenRequest(
            .listen(2, backlog: 128),
            #"{"op":"listen","id":2,"backlog":128}"#,
            "03 0000000000000002 00000080"),
        GoldenRequest(
            .send(3, ByteBuffer(string: "hello")),
            #"{"op":"send","id":3,"data":"aGVsbG8="}"#,
            "04 0000000000000003 'hello'"),
        GoldenRequest(
            .send(0x1F_FFFF_FFFF_FFFF, ByteBuffer()),
            #"{"op":"send","id":9007199254740991,"data":""}"#,
            "04 001FFFFFFFFFFFFF"),
        GoldenRequest(
            .close(UInt64.max),
            #"{"op":"close","id":18446744073709551615}"#,
            "05 FFFFFFFFFFFFFFFF"),
        GoldenRequest(
            .connectUDP(4, host: "9.9.9.9", port: 53),
            #"{"op":"connect_udp","id":4,"addr":"9.9.9.9","port":53}"#,
            "06 0000000000000004 0035 '9.9.9.9'"),
        GoldenRequest(
            .sendTo(4, host: "[::1]", port: 65535, ByteBuffer(bytes: [0, 255])),
            #"{"op":"send_to","id":4,"addr":"[::1]","port":65535,"data":"AP8="}"#,
            "07 0000000000000004 FFFF 0005 '[::1]' 00FF"),
        GoldenRequest(
            .resolve(5, name: "bücher.example"),
            #"{"op":"resolve","id":5,"name":"bücher.example"}"#,
            "08 0000000000000005 'bücher.example'"),
        GoldenRequest(
            .connectTLS(6, host: "a\"b\\c\n", port: 1),
            #"{"op":"connect_tls","id":6,"addr":"a\"b\\c\n","port":1}"#,
            "09 0000000000000006 0001 'a\"b\\c\n'"),
        GoldenRequest(
            .bindUDP(7, host: "::", port: 5353),
            #"{"op":"bind_udp","id":7,"addr":"::","port":5353}"#,
            "0D 0000000000000007 14E9 '::'"),
        GoldenRequest(.window(8, bytes: 262_144), nil, "0A 0000000000000008 00040000"),
        GoldenRequest(.shutdown(8), nil, "0B 0000000000000008"),
        GoldenRequest(.reset(8), nil, "0C 0000000000000008"),
    ]
}

/// One event in each encoding; `json` and `v1` are nil if v1 does not have it.
struct GoldenEvent {
    var event: Event
    var json: String?
    var v1: String?
    var v2: String

    init(_ event: Event, json: String?, v1: String?, v2: String) {
        self.event = event
        self.json = json
        self.v1 = v1
        self.v2 = v2
    }

    static let table = [
        GoldenEvent(
            .connected(1, local: "10.0.0.2:40000", remote: "[2001:db8::1]:443", alpn: "h2"),
            json: #"{"ev":"connected","id":1,"local":"10.0.0.2:40000","remote":"[2001:db8::1]:443"}"#,
            v1: "81 0000000000000001",
            v2: #"81 0000000000000001 '{"local":"10.0.0.2:40000","remote":"[2001:db8::1]:443","alpn":"h2"}'"#),
        GoldenEvent(
            .connected(1, local: "10.0.0.2:1", remote: "10.0.0.3:2", alpn: nil),
            json: #"{"ev":"connected","id":1,"local":"10.0.0.2:1","remote":"10.0.0.3:2"}"#,
            v1: "81 0000000000000001",
            v2: #"81 0000000000000001 '{"local":"10.0.0.2:1","remote":"10.0.0.3:2"}'"#),
        GoldenEvent(
            .data(2, ByteBuffer(bytes: [0xFB, 0xEF, 0xBE, 0xFF])),
            json: #"{"ev":"data","id":2,"data":"++++/w=="}"#,
            v1: "82 0000000000000002 FBEFBEFF",
            v2: "82 0000000000000002 FBEFBEFF"),
        GoldenEvent(
            .listening(3, port: 8080),
            json: #"{"ev":"listening","id":3,"port":8080}"#,
            v1: "83 0000000000000003 1F90",
            v2: "83 0000000000000003 1F90"),
        GoldenEvent(
            .accepted(3, connection: 1 << 52, remote: "192.0.2.1:5000"),
            json: #"{"ev":"accepted","id":3,"conn_id":4503599627370496,"remote":"192.0.2.1:5000"}"#,
            v1: "84 0000000000000003 0010000000000000 '192.0.2.1:5000'",
            v2: "84 0000000000000003 0010000000000000 '192.0.2.1:5000'"),
        GoldenEvent(
            .closed(4, .normal, message: ""),
            json: #"{"ev":"closed","id":4,"code":"normal"}"#,
            v1: "85 0000000000000004",
            v2: "85 0000000000000004 00"),
        GoldenEvent(
            .closed(4, .targetReset, message: "reset by `x`"),
            json: #"{"ev":"closed","id":4,"code":"target_reset"}"#,
            v1: "85 0000000000000004",
            v2: "85 0000000000000004 02 'reset by `x`'"),
        GoldenEvent(
            .refused(5, Refusal(.refused, "connection refused: \"a\"\t\u{1}")),
            json: #"{"ev":"error","id":5,"msg":"connection refused: \"a\"\t\u0001","code":"refused"}"#,
            v1: "86 0000000000000005 'connection refused: \"a\"\t\u{1}'",
            v2: "86 0000000000000005 20 00000000 'connection refused: \"a\"\t\u{1}'"),
        GoldenEvent(
            .refused(5, Refusal(.connectRate, "slow down", retryAfterMilliseconds: 250)),
            json: #"{"ev":"error","id":5,"msg":"slow down","code":"connect_rate","retry_after_ms":250}"#,
            v1: "86 0000000000000005 'slow down'",
            v2: "86 0000000000000005 13 000000FA 'slow down'"),
        GoldenEvent(
            .refused(6, Refusal(.denylisted, "é")),
            json: #"{"ev":"denied","id":6,"msg":"é","code":"denylisted"}"#,
            v1: "87 0000000000000006 'é'",
            v2: "87 0000000000000006 11 00000000 'é'"),
        GoldenEvent(
            .dataFrom(7, ByteBuffer(string: "abc"), host: "fe80::1", port: 53),
            json: #"{"ev":"data_from","id":7,"data":"YWJj","addr":"fe80::1","port":53}"#,
            v1: "88 0000000000000007 0035 0007 'fe80::1abc'",
            v2: "88 0000000000000007 0035 0007 'fe80::1abc'"),
        GoldenEvent(
            .resolved(8, addresses: ["192.0.2.1", "2001:db8::1"]),
            json: #"{"ev":"resolved","id":8,"addrs":["192.0.2.1","2001:db8::1"]}"#,
            v1: #"89 0000000000000008 '["192.0.2.1","2001:db8::1"]'"#,
            v2: #"89 0000000000000008 '["192.0.2.1","2001:db8::1"]'"#),
        GoldenEvent(
            .resolved(8, addresses: []),
            json: #"{"ev":"resolved","id":8,"addrs":[]}"#,
            v1: "89 0000000000000008 '[]'",
            v2: "89 0000000000000008 '[]'"),
        GoldenEvent(
            .udpBound(9, port: 1),
            json: #"{"ev":"udp_bound","id":9,"port":1}"#,
            v1: "8A 0000000000000009 0001",
            v2: "8A 0000000000000009 0001"),
        GoldenEvent(
            .hello(
                Hello(
                    version: "0.1.0", node: "n1", session: "s-7", window: 262_144, maxMessage: 1_048_576,
                    maxSockets: 256, heartbeatMilliseconds: 30_000)),
            json: nil, v1: nil,
            v2: """
                90 0000000000000000 '{"version":"0.1.0","node":"n1","session":"s-7","window":262144,\
                "max_message":1048576,"max_sockets":256,"heartbeat_ms":30000}'
                """),
        GoldenEvent(.window(10, bytes: 65_536), json: nil, v1: nil, v2: "8B 000000000000000A 00010000"),
        GoldenEvent(.end(11), json: nil, v1: nil, v2: "8C 000000000000000B"),
        GoldenEvent(
            .goaway(reconnectInMilliseconds: 1500, message: "drain"), json: nil, v1: nil,
            v2: "8D 0000000000000000 000005DC 'drain'"),
    ]

    /// The part of the event that a client can know in that encoding.
    static func heard(_ event: Event, in language: Language) -> Event {
        switch (event, language) {
        case (_, .v2): event
        case (.connected(let id, let local, let remote, _), .json):
            .connected(id, local: local, remote: remote, alpn: nil)
        case (.connected(let id, _, _, _), .binary): .connected(id, local: "", remote: "", alpn: nil)
        case (.closed(let id, let code, _), .json): .closed(id, code, message: "")
        case (.closed(let id, _, _), .binary): .closed(id, .normal, message: "")
        case (.refused(let id, let refusal), .binary):
            .refused(id, Refusal(refusal.code.isDenial ? .policyDenied : .internalError, refusal.message))
        default: event
        }
    }
}
