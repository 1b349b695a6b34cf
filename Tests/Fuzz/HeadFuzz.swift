import NIOCore
import NIOEmbedded
import NIOHTTP1
import UpgradeHead

/// libFuzzer's entry: the first byte selects how the rest is split into reads of a request's head.
///
/// However it is split the outcome is the same and within bounds. An accepted request can be written and read again as the same;
/// and if llhttp accepts it too, it sees the same fields.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHead(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: count))
    let text = Array(bytes.dropFirst())
    let whole = read(text, piece: max(1, text.count))
    guard whole == read(text, piece: max(1, Int(bytes.first ?? 1))), whole == read(text, piece: 1) else {
        fatalError("the cuts change what is read")
    }
    guard case .whole(let head) = whole else { return 0 }
    guard head.readableBytes <= HeadReader.maxBytes else { fatalError("a head above its bound") }
    guard let request = try? RequestHead.parse(head) else { return 0 }
    guard request.headers.count <= HeadReader.maxFields else { fatalError("too many fields") }
    var again = ByteBuffer(string: "\(request.method.rawValue) \(request.uri) HTTP/1.\(request.version.minor)\r\n")
    for (name, value) in request.headers { again.writeString("\(name): \(value)\r\n") }
    again.writeString("\r\n")
    // Bytes that are not UTF-8 are replaced, and can then be longer.
    guard let second = try? RequestHead.parse(again), second == request else { fatalError("it does not come back") }
    if request.headers.allSatisfy({ $0.value.utf8.allSatisfy { $0 < 0x80 } }), let other = llhttp(head),
        !fields(request).elementsEqual(fields(other), by: ==)
    {
        fatalError("llhttp reads \(other)")
    }
    return 0
}

private func read(_ text: [UInt8], piece: Int) -> HeadReader.Result {
    var reader = HeadReader()
    for start in stride(from: 0, to: text.count, by: piece) {
        var part = ByteBuffer(bytes: text[start..<min(start + piece, text.count)])
        let result = reader.take(from: &part)
        guard reader.heldBytes <= 2 * HeadReader.maxBytes else { fatalError("memory") }
        if result != .more { return result }
    }
    return .more
}

/// Except for Host, which an absolute-form target replaces, and spaces at a value's end, which llhttp keeps (RFC 9110, section 5.5).
private func fields(_ request: HTTPRequestHead) -> [(String, String)] {
    request.headers.filter { $0.name.lowercased() != "host" }.map { name, value in
        (name, String(decoding: value.utf8.reversed().drop { $0 == 0x20 || $0 == 0x09 }.reversed(), as: UTF8.self))
    }
}

private func llhttp(_ head: ByteBuffer) -> HTTPRequestHead? {
    let channel = EmbeddedChannel(handler: ByteToMessageHandler(HTTPRequestDecoder()))
    defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
    guard (try? channel.writeInbound(head)) != nil,
        case .head(let request)? = try? channel.readInbound(as: HTTPServerRequestPart.self)
    else { return nil }
    return request
}
