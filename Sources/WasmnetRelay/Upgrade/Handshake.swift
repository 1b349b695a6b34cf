import NIOHTTP1
import WasmnetNet

/// The requirements for a request to become a WebSocket (RFC 6455, section 4.2.1).
enum Handshake {
    /// Why it cannot; nil: it may.
    static func refusal(of request: HTTPRequestHead) -> HTTPRefusal? {
        guard request.method == .GET else {
            return HTTPRefusal(.methodNotAllowed, "A WebSocket begins with GET.", headers: ["Allow": "GET, HEAD"])
        }
        let headers = request.headers
        let version = headers["Sec-WebSocket-Version"]
        guard version.count == 1, version[0].utf8.elementsEqual("13".utf8) else {
            return Self.malformed("This is not a WebSocket handshake of version 13.")
        }
        guard request.version.major == 1, request.version.minor >= 1 else {
            return Self.malformed("A WebSocket begins with HTTP/1.1.")
        }
        guard headers["Host"].count == 1, headers["Host"][0].utf8.isEmpty == false else {
            return Self.malformed("A WebSocket handshake has one Host field.")
        }
        guard Self.lists("websocket", in: headers["Upgrade"]), Self.lists("upgrade", in: headers["Connection"]) else {
            return Self.malformed("A WebSocket handshake says Upgrade: websocket and Connection: Upgrade.")
        }
        let keys = headers["Sec-WebSocket-Key"]
        guard keys.count == 1, Self.isKey(keys[0].utf8) else {
            return Self.malformed("Sec-WebSocket-Key must be 16 bytes in base64.")
        }
        // An endless body would delay the upgrade while the client's slot is taken.
        let lengths = headers["Content-Length"]
        guard lengths.allSatisfy({ $0.utf8.elementsEqual("0".utf8) }), !headers.contains(name: "Transfer-Encoding")
        else { return HTTPRefusal(.badRequest, "A WebSocket begins without a body.") }
        return nil
    }

    /// Whether a request asks for a WebSocket at all.
    static func isAsked(by request: HTTPRequestHead) -> Bool {
        Self.lists("websocket", in: request.headers["Upgrade"])
    }

    private static func malformed(_ message: String) -> HTTPRefusal {
        // Even if the version is right: the supported version (section 4.4).
        HTTPRefusal(.badRequest, message, headers: ["Sec-WebSocket-Version": "13"])
    }

    /// Whether a list of tokens (RFC 9110, section 5.6.1) contains one, case-insensitively.
    private static func lists(_ token: String, in lines: [String]) -> Bool {
        lines.contains { ByteText($0).list().contains { $0.isEqual(ignoringCase: ByteText(token)) } }
    }

    /// 16 bytes in base64 (RFC 4648, section 4).
    private static func isKey(_ key: String.UTF8View) -> Bool {
        guard key.count == 24, key.suffix(2).elementsEqual("==".utf8) else { return false }
        return key.prefix(22).allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "+"), UInt8(ascii: "/"): true
            default: false
            }
        }
    }
}
