import NIOCore
import Testing
import WasmnetProtocol
import WasmnetTesting

@Suite("Written and read again")
struct RoundTripTests {
    @Test(arguments: Language.allCases)
    func requests(language: Language) {
        var random = SeededRandom(testSeed)
        for _ in 0..<3000 * testScale {
            let request = random.request()
            guard let message = language.encode(request) else {
                #expect(language != .v2, "\(request), seed \(testSeed)")
                continue
            }
            #expect(language.request(message) == .success(request), "seed \(testSeed)")
        }
    }

    @Test(arguments: Language.allCases)
    func events(language: Language) {
        var random = SeededRandom(testSeed)
        for _ in 0..<3000 * testScale {
            let event = random.event()
            guard let message = language.encode(event) else {
                #expect(language != .v2, "\(event), seed \(testSeed)")
                continue
            }
            #expect(language.event(message) == .success(GoldenEvent.heard(event, in: language)), "seed \(testSeed)")
        }
    }
}

@Suite("Every message cut at every byte")
struct CutMessageTests {
    @Test func requestsInJSONHaveNoShorterForm() {
        for golden in GoldenRequest.table {
            guard let message = Language.json.encode(golden.request) else { continue }
            for prefix in Self.prefixes(of: message) {
                #expect(Language.json.request(prefix).failure?.message.hasPrefix("bad JSON") == true, "\(prefix.text)")
            }
        }
    }

    @Test func eventsInJSONHaveNoShorterForm() {
        for golden in GoldenEvent.table {
            guard let message = Language.json.encode(golden.event) else { continue }
            for prefix in Self.prefixes(of: message) {
                #expect(Language.json.event(prefix).failure?.message.hasPrefix("bad JSON") == true, "\(prefix.text)")
            }
        }
    }

    @Test(arguments: [Language.binary, .v2])
    func requestsInBinary(language: Language) {
        for golden in GoldenRequest.table {
            guard let message = language.encode(golden.request) else { continue }
            for prefix in Self.prefixes(of: message) {
                switch language.request(prefix) {
                case .success(.listen(_, backlog: 128)) where prefix.readableBytes == 9: break
                case .success(let request): #expect(language.encode(request) == prefix, "\(prefix.hex)")
                case .failure(let failure):
                    #expect(failure.id == (prefix.readableBytes < 9 ? 0 : golden.request.id), "\(prefix.hex)")
                    #expect(
                        !Self.hasOpenEnd(golden.request) || prefix.readableBytes < Self.fixed(golden.request)
                            || failure.message.hasSuffix("is not UTF-8"), "\(prefix.hex)")
                }
            }
        }
    }

    @Test(arguments: [Language.binary, .v2])
    func eventsInBinary(language: Language) {
        for golden in GoldenEvent.table {
            guard let message = language.encode(golden.event) else { continue }
            for prefix in Self.prefixes(of: message) {
                switch language.event(prefix) {
                case .success(let event): #expect(language.encode(event)?.hex == prefix.hex)
                case .failure(let failure): #expect(prefix.readableBytes >= 9 || failure.id == 0)
                }
            }
        }
    }

    /// Whether the payload ends with text or bytes of any length.
    private static func hasOpenEnd(_ request: Request) -> Bool {
        switch request {
        case .listen, .window, .close, .shutdown, .reset: false
        default: true
        }
    }

    /// The length without the variable part at the end.
    private static func fixed(_ request: Request) -> Int {
        switch request {
        case .send, .resolve: 9
        case .sendTo(_, let host, _, _): 13 + host.utf8.count
        default: 11
        }
    }

    private static func prefixes(of message: ByteBuffer) -> [ByteBuffer] {
        (0..<message.readableBytes).compactMap { message.getSlice(at: message.readerIndex, length: $0) }
    }
}
