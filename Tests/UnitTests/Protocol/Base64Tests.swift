import Foundation
import NIOCore
import Testing
import WasmnetProtocol
import WasmnetTesting

@Suite("Base64 against Foundation's")
struct Base64Tests {
    @Test func everyLengthBothWays() {
        var random = SeededRandom(testSeed)
        for length in Array(0...300) + [1000, 4095, 4096, 4097, 65_536] {
            let bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let expected = Data(bytes).base64EncodedString()
            let event = Language.json.encode(Event.data(1, ByteBuffer(bytes: bytes)))
            #expect(event?.text == #"{"ev":"data","id":1,"data":"\#(expected)"}"#, "length \(length), seed \(testSeed)")
            #expect(decoded(expected) == bytes, "length \(length), seed \(testSeed)")
            #expect(decoded(expected.replacing("=", with: "")) == bytes, "length \(length), seed \(testSeed)")
        }
    }

    @Test func everyByteAtEveryPlaceOfABlock() {
        let alphabet = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        for position in Array(0..<44) {
            for byte in UInt8(0)...255 where byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") {
                var characters = Array(repeating: UInt8(ascii: "A"), count: 44)
                characters[position] = byte
                let padded = position == 43 && byte == UInt8(ascii: "=")
                var message = ByteBuffer(string: #"{"op":"send","id":1,"data":""#)
                message.writeBytes(characters)
                message.writeString("\"}")
                let isValid = Language.json.request(message).success != nil
                #expect(isValid == (alphabet.contains(byte) || padded), "\(byte) at \(position)")
            }
        }
    }

    /// Intended differences of the two.
    enum Difference: Hashable {
        /// Without any padding: accepted here, since many encoders omit it; refused by Foundation.
        case noPadding
        /// Other padding than in RFC 4648, or more, which Foundation accepts in some places.
        case strayPadding
    }

    @Test func mutationsAreTakenAndRefusedAlike() {
        var random = SeededRandom(testSeed)
        var seen: Set<Difference> = []
        for _ in 0..<20_000 * testScale {
            var characters = Array(Data(random.bytes(upTo: 60)).base64EncodedString().utf8)
            for _ in 0..<random.below(3) {
                let at = random.below(characters.count + 1)
                switch random.below(3) {
                case 0: characters.insert(random.pick("=AZaz09+/-_ !\u{80}".utf8, or: 0), at: at)
                case 1 where at < characters.count: characters.remove(at: at)
                case 2 where at < characters.count: characters[at] = random.pick("=+/-_".utf8, or: 0)
                default: break
                }
            }
            let text = String(decoding: characters, as: UTF8.self)
            let ours = decoded(text)
            let theirs = Data(base64Encoded: text).map { Array($0) }
            guard ours != theirs else { continue }
            let difference = difference(text, ours: ours)
            #expect(difference != nil, "\(text), seed \(testSeed)")
            if let difference { seen.insert(difference) }
        }
        #expect(seen == [.noPadding, .strayPadding], "seed \(testSeed)")
    }

    private func difference(_ text: String, ours: [UInt8]?) -> Difference? {
        if ours != nil {
            let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
            return Data(base64Encoded: text + padding).map { Array($0) } == ours && !text.contains("=")
                ? .noPadding : nil
        }
        return text.contains("=") ? .strayPadding : nil
    }

    private func decoded(_ text: String) -> [UInt8]? {
        guard case .send(_, let payload) = decodeJSON(#"{"op":"send","id":1,"data":"\#(text)"}"#).success else {
            return nil
        }
        return Array(payload.readableBytesView)
    }
}
