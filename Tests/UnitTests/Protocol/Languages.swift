import Foundation
import NIOCore
import Testing
import WasmnetProtocol

/// The seed of the random tests: the same in every run unless `WASMNET_TEST_SEED` says otherwise.
let testSeed = ProcessInfo.processInfo.environment["WASMNET_TEST_SEED"].flatMap { UInt64($0) } ?? 20_260

/// How many times as many random cases to run: `WASMNET_TEST_SCALE`, default 1.
let testScale = ProcessInfo.processInfo.environment["WASMNET_TEST_SCALE"].flatMap { Int($0) } ?? 1

/// The three encodings of a session, and how each message is written in them.
enum Language: CaseIterable {
    case json, binary, v2

    var codec: MessageCodec { MessageCodec(version: self == .v2 ? .v2 : .v1) }
    var encoding: WireEncoding { self == .json ? .json : .binary }
    var isText: Bool { self == .json }

    func encode(_ request: Request) -> ByteBuffer? {
        var buffer = ByteBuffer()
        let isSaid = codec.encode(request, as: encoding, into: &buffer)
        #expect(isSaid == (buffer.readableBytes > 0))
        return isSaid ? buffer : nil
    }

    func encode(_ event: Event) -> ByteBuffer? {
        var buffer = ByteBuffer()
        let isSaid = codec.encode(event, as: encoding, into: &buffer)
        #expect(isSaid == (buffer.readableBytes > 0))
        return isSaid ? buffer : nil
    }

    func request(_ message: ByteBuffer) -> Result<Request, MalformedMessage> {
        codec.decodeRequest(message, isText: isText)
    }

    func event(_ message: ByteBuffer) -> Result<Event, MalformedMessage> {
        codec.decodeEvent(message, isText: isText)
    }
}

extension ByteBuffer {
    /// Hexadecimal digits, with literal text between single quotation marks: `01 0000 'example.com'`.
    init(hex: String) {
        self.init()
        for (index, part) in hex.split(separator: "'", omittingEmptySubsequences: false).enumerated() {
            if index % 2 == 1 {
                writeString(String(part))
                continue
            }
            let digits = part.compactMap { $0.hexDigitValue }
            for pair in stride(from: 0, to: digits.count - 1, by: 2) {
                writeInteger(UInt8(digits[pair] * 16 + digits[pair + 1]))
            }
        }
    }

    var hex: String { readableBytesView.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() }
    var text: String { String(buffer: self) }
}

extension Result where Failure == MalformedMessage {
    var failure: MalformedMessage? {
        guard case .failure(let failure) = self else { return nil }
        return failure
    }

    var success: Success? { try? get() }
}

func decodeJSON(_ text: String) -> Result<Request, MalformedMessage> {
    Language.json.request(ByteBuffer(string: text))
}
