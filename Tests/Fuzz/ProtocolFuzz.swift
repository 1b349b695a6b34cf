import NIOCore
import WasmnetProtocol

/// libFuzzer's entry: the same bytes as a request and as an event in every encoding.
///
/// Each accepted message must be one that can be written and read again as the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzProtocol(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let message = ByteBuffer(bytes: UnsafeBufferPointer(start: data, count: count))
    for (version, encoding) in [(WireVersion.v1, WireEncoding.json), (.v1, .binary), (.v2, .binary), (.v2, .json)] {
        let codec = MessageCodec(version: version)
        let isText = encoding == .json
        if case .success(let request) = codec.decodeRequest(message, isText: isText) {
            var again = ByteBuffer()
            guard codec.encode(request, as: encoding, into: &again),
                codec.decodeRequest(again, isText: isText) == .success(request)
            else { fatalError("\(request) does not come back") }
        }
        if case .success(let event) = codec.decodeEvent(message, isText: isText) {
            var again = ByteBuffer()
            guard codec.encode(event, as: encoding, into: &again),
                codec.decodeEvent(again, isText: isText) == .success(event)
            else { fatalError("\(event) does not come back") }
        }
    }
    return 0
}
