package import WasmnetNet

/// A proxy's header before a connection's first byte: "The PROXY protocol, versions 1 & 2" (W. Tarreau, 2020), sections 2.1 and 2.2.
package enum ProxyHeader: Equatable, Sendable {
    /// More bytes are needed to decide.
    case incomplete
    /// The connection does not begin with a header of either version.
    case absent
    /// It begins like a header but is not valid: the connection cannot be used, since the start of its own bytes is unknown.
    case malformed
    /// A header of `length` bytes. The client is nil if the proxy speaks for itself (LOCAL) or does not know (UNKNOWN, other families).
    case read(client: IPAddress?, length: Int)

    /// The longest v1 line with its CRLF, in bytes.
    static let longestV1 = 107
    /// The longest v2 header accepted, addresses and TLVs included, in bytes; the format would allow 65,551.
    package static let longestV2 = 4096

    static let signatureV2: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    private static let prefixV1 = Array("PROXY ".utf8)

    /// Reads the first bytes of a connection.
    package static func parse(_ bytes: [UInt8]) -> ProxyHeader {
        if self.begins(bytes, with: self.prefixV1) {
            return bytes.count < self.prefixV1.count ? .incomplete : self.parseV1(bytes)
        }
        if self.begins(bytes, with: self.signatureV2) {
            return bytes.count < 16 ? .incomplete : self.parseV2(bytes)
        }
        return .absent
    }

    /// Whether the bytes so far match the prefix.
    private static func begins(_ bytes: [UInt8], with prefix: [UInt8]) -> Bool {
        zip(bytes, prefix).allSatisfy { $0 == $1 }
    }

    // MARK: Version 1

    private static func parseV1(_ bytes: [UInt8]) -> ProxyHeader {
        let window = bytes.prefix(self.longestV1)
        guard let end = window.firstIndex(of: UInt8(ascii: "\n")) else {
            return bytes.count >= self.longestV1 ? .malformed : .incomplete
        }
        guard end > 0, bytes[end - 1] == UInt8(ascii: "\r") else { return .malformed }
        let line = bytes[self.prefixV1.count..<(end - 1)]
        guard line.allSatisfy({ (0x20...0x7E).contains($0) }) else { return .malformed }
        let fields = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        // After UNKNOWN everything up to the end of the line is ignored.
        if fields.first == "UNKNOWN" { return .read(client: nil, length: end + 1) }
        guard fields.count == 5, let source = IPAddress(fields[1]), let target = IPAddress(fields[2]),
            self.isPort(fields[3]), self.isPort(fields[4]),
            !fields[1...2].contains(where: { $0.utf8.first == UInt8(ascii: "[") })
        else { return .malformed }
        switch fields[0] {
        case "TCP4": guard source.isIPv4, target.isIPv4 else { return .malformed }
        case "TCP6": guard !source.isIPv4, !target.isIPv4 else { return .malformed }
        default: return .malformed
        }
        return .read(client: source, length: end + 1)
    }

    private static func isPort(_ text: String) -> Bool {
        guard let port = UInt16(text) else { return false }
        return String(port) == text
    }

    // MARK: Version 2

    private static func parseV2(_ bytes: [UInt8]) -> ProxyHeader {
        let (command, family) = (bytes[12], bytes[13])
        let length = 16 + (Int(bytes[14]) << 8 | Int(bytes[15]))
        guard command >> 4 == 2, length <= self.longestV2 else { return .malformed }
        guard command & 0xF <= 1, family >> 4 <= 3, family & 0xF <= 2 else { return .malformed }
        guard bytes.count >= length else { return .incomplete }
        // LOCAL: the proxy's own connection, a health check.
        guard command & 0xF == 1 else { return .read(client: nil, length: length) }
        switch family {
        case 0x11:
            guard length >= 16 + 12 else { return .malformed }
            return .read(client: IPAddress(bytes: bytes[16..<20]), length: length)
        case 0x21:
            guard length >= 16 + 36 else { return .malformed }
            return .read(client: IPAddress(bytes: bytes[16..<32]), length: length)
        default:
            // Unspecified, datagrams, unix sockets: well formed, but no TCP client.
            return .read(client: nil, length: length)
        }
    }
}
