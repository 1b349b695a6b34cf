import NIOCore
import WasmnetProtocol
import WasmnetTesting

extension SeededRandom {
    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

    mutating func pick<C: Collection>(_ choices: C, or fallback: C.Element) -> C.Element {
        choices.randomElement(using: &self) ?? fallback
    }

    mutating func id() -> SocketID { next() >> UInt64(below(64)) }
    mutating func port() -> UInt16 { UInt16(truncatingIfNeeded: next()) }
    mutating func number() -> UInt32 { UInt32(truncatingIfNeeded: next() >> UInt64(below(64))) }

    mutating func bytes(upTo limit: Int) -> [UInt8] {
        (0..<below(limit + 1)).map { _ in UInt8(truncatingIfNeeded: next()) }
    }

    mutating func payload() -> ByteBuffer {
        ByteBuffer(bytes: bytes(upTo: pick([0, 4, 40, 300, 3000], or: 40)))
    }

    /// Text with characters that JSON escapes and some of more than one byte.
    mutating func text() -> String {
        let alphabet: [Unicode.Scalar] = [
            "a", "Z", "0", ".", ":", "[", "]", "/", "\"", "\\", "\n", "\t", "\u{0}", "\u{1F}", "\u{7F}", "é",
            "\u{2028}",
            "\u{FFFD}", "\u{FEFF}", "😀", "\u{10FFFF}", "'", "{", "}", ",", " ",
        ]
        var text = String.UnicodeScalarView()
        for _ in 0..<below(pick([1, 4, 20, 60], or: 20)) { text.append(pick(alphabet, or: "a")) }
        return String(text)
    }

    mutating func request() -> Request {
        switch below(13) {
        case 0: .connect(id(), host: text(), port: port())
        case 1: .connectTLS(id(), host: text(), port: port())
        case 2: .connectUDP(id(), host: text(), port: port())
        case 3: .bind(id(), host: text(), port: port())
        case 4: .bindUDP(id(), host: text(), port: port())
        case 5: .listen(id(), backlog: number())
        case 6: .send(id(), payload())
        case 7: .sendTo(id(), host: text(), port: port(), payload())
        case 8: .close(id())
        case 9: .resolve(id(), name: text())
        case 10: .window(id(), bytes: number())
        case 11: .shutdown(id())
        default: .reset(id())
        }
    }

    mutating func event() -> Event {
        switch below(13) {
        case 0: .connected(id(), local: text(), remote: text(), alpn: below(2) == 0 ? nil : text())
        case 1: .data(id(), payload())
        case 2: .listening(id(), port: port())
        case 3: .accepted(id(), connection: id(), remote: text())
        case 4: .closed(id(), pick(ReasonCode.allCases, or: .normal), message: text())
        case 5:
            .refused(
                id(),
                Refusal(pick(ReasonCode.allCases, or: .normal), text(), retryAfterMilliseconds: number()))
        case 6: .dataFrom(id(), payload(), host: text(), port: port())
        case 7: .resolved(id(), addresses: (0..<below(5)).map { _ in text() })
        case 8: .udpBound(id(), port: port())
        case 9:
            .hello(
                Hello(
                    version: text(), node: text(), session: text(), window: number(), maxMessage: number(),
                    maxSockets: number(), heartbeatMilliseconds: number()))
        case 10: .window(id(), bytes: number())
        case 11: .end(id())
        default: .goaway(reconnectInMilliseconds: number(), message: text())
        }
    }

    /// A few bytes changed, added, removed or swapped with a piece of another message.
    mutating func mutated(_ message: [UInt8], with other: [UInt8]) -> [UInt8] {
        var message = message
        let telling = Array("{}[]\",:\\eE+-.0129tfnu=/ \u{0}".utf8) + [0x80, 0xC3, 0xED, 0xFF]
        for _ in 0...below(4) {
            let at = below(message.count + 1)
            switch below(6) {
            case 0: message.insert(pick(telling, or: 0), at: at)
            case 1: message.insert(UInt8(truncatingIfNeeded: next()), at: at)
            case 2 where at < message.count: message[at] = pick(telling, or: 0)
            case 3 where at < message.count: message.remove(at: at)
            case 4: message.removeSubrange(at..<min(message.count, at + below(8)))
            case 5 where !other.isEmpty:
                let from = below(other.count)
                message.insert(contentsOf: other[from..<min(other.count, from + below(12))], at: at)
            default: break
            }
        }
        return message
    }
}
