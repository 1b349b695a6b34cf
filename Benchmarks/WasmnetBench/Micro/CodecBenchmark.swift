import NIOCore
import WasmnetProtocol

/// The cost of reading and writing one message.
enum CodecBenchmark {
    static func rows() -> [[String]] {
        [64, 16 << 10].flatMap { size in
            let payload = ByteBuffer(repeating: 0x5A, count: size)
            return [
                row("read send, binary", size, Self.reading(.send(7, payload), .binary, .v2)),
                row("read send, JSON", size, Self.reading(.send(7, payload), .json, .v1)),
                row("write data, JSON", size, Self.writing(payload)),
            ]
        }
    }

    private static func row(_ work: String, _ size: Int, _ nanoseconds: Double) -> [String] {
        [work, "\(size)", format(nanoseconds), format(Double(size) / nanoseconds * 1000)]
    }

    private static func reading(_ request: Request, _ encoding: WireEncoding, _ version: WireVersion) -> Double {
        let codec = MessageCodec(version: version)
        var message = ByteBuffer()
        codec.encode(request, as: encoding, into: &message)
        return nanosecondsPerCall(calls: 10_000) { _ in use(codec.decodeRequest(message, isText: encoding == .json)) }
    }

    private static func writing(_ payload: ByteBuffer) -> Double {
        let codec = MessageCodec(version: .v1)
        var output = ByteBuffer()
        return nanosecondsPerCall(calls: 10_000) { _ in
            output.clear()
            use(codec.writeJSONData(7, payload, into: &output))
        }
    }
}
