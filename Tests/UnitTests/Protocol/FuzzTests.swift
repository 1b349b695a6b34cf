import NIOCore
import Testing
import WasmnetProtocol
import WasmnetTesting

/// No input ends the process; each accepted message is one that can be written.
@Suite("Random bytes and mutations")
struct FuzzTests {
    @Test(arguments: Language.allCases)
    func randomBytes(language: Language) {
        var random = SeededRandom(testSeed)
        let types: [UInt8] = Array(0x00...0x0F) + Array(0x80...0x91)
        for _ in 0..<20_000 * testScale {
            var message = random.bytes(upTo: 40)
            if !message.isEmpty, random.below(4) > 0 {
                message[0] = language == .json ? UInt8(ascii: "{") : random.pick(types, or: 0)
            }
            check(message, language)
        }
    }

    @Test(arguments: Language.allCases)
    func mutations(language: Language) {
        var random = SeededRandom(testSeed)
        var other: [UInt8] = []
        var valid = 0
        let cases = 50_000 * testScale
        for _ in 0..<cases {
            let message = random.below(2) == 0 ? language.encode(random.request()) : language.encode(random.event())
            let bytes = message.map { Array($0.readableBytesView) } ?? []
            valid += check(random.mutated(bytes, with: other), language) ? 1 : 0
            other = bytes
        }
        // Both sides of each check are reached: some mutations stay valid, many do not.
        #expect(valid > cases / 100 && valid < cases * 9 / 10, "\(valid) of \(cases) valid, seed \(testSeed)")
    }

    /// Returns whether the message was valid as a request or as an event.
    @discardableResult
    private func check(_ bytes: [UInt8], _ language: Language) -> Bool {
        let message = ByteBuffer(bytes: bytes)
        let request = language.request(message).success
        if let request {
            let again = language.encode(request).map { language.request($0) }
            #expect(again == .success(request), "seed \(testSeed): \(message.hex)")
        }
        let event = language.event(message).success
        if let event {
            let again = language.encode(event).map { language.event($0) }
            #expect(again == .success(event), "seed \(testSeed): \(message.hex)")
        }
        return request != nil || event != nil
    }
}
