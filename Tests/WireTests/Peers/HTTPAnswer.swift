import Foundation
import NIOCore

/// A complete HTTP/1 answer: its first line, its header lines, its body.
struct HTTPAnswer {
    var status: String
    var headers: [String]
    var body: ByteBuffer

    /// Nil if no blank line ends a head.
    init?(_ bytes: ByteBuffer) {
        var bytes = bytes
        let end = Array("\r\n\r\n".utf8)
        let view = bytes.readableBytesView
        let length = view.indices.first { view[$0...].starts(with: end) }.map { $0 - view.startIndex }
        guard let length, let head = bytes.readString(length: length) else { return nil }
        bytes.moveReaderIndex(forwardBy: end.count)
        var lines = head.components(separatedBy: "\r\n")
        self.status = lines.removeFirst()
        self.headers = lines
        self.body = bytes
    }
}

/// Ports in programs' output.
enum LoopbackPort {
    /// The number after the last `127.0.0.1:` in a text.
    static func last(in text: String) -> UInt16? {
        text.components(separatedBy: "127.0.0.1:").last.flatMap { UInt16($0.prefix { $0.isNumber }) }
    }
}
