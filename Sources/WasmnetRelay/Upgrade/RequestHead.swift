package import NIOCore
package import NIOHTTP1
import WasmnetNet

/// A request's head, parsed strictly by RFC 9112: anything that an intermediary could parse differently is refused.
package enum RequestHead {
    /// - Parameter head: all of it, with its empty line.
    package static func parse(_ head: ByteBuffer) throws(HeadError) -> HTTPRequestHead {
        var rest = Array(head.readableBytesView)[...]
        let line = try Self.line(&rest)
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard words.count == 3, Self.isToken(words[0]), !words[1].isEmpty,
            words[1].allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw .malformed("the request line is not METHOD TARGET HTTP/1.1") }
        let version = try Self.version(words[2])
        var headers = HTTPHeaders()
        while true {
            let line = try Self.line(&rest)
            if line.isEmpty { break }
            let (name, value) = try Self.field(line)
            headers.add(name: name, value: value)
        }
        guard rest.isEmpty else { throw .malformed("there are bytes after the empty line") }
        let target = String(decoding: words[1], as: UTF8.self)
        let authority = try Self.checkHost(headers, version, target)
        if let authority { headers.replaceOrAdd(name: "Host", value: authority) }
        return HTTPRequestHead(
            version: version, method: HTTPMethod(rawValue: String(decoding: words[0], as: UTF8.self)),
            uri: Self.originForm(of: target), headers: headers)
    }

    private static func line(_ rest: inout ArraySlice<UInt8>) throws(HeadError) -> ArraySlice<UInt8> {
        guard let end = rest.firstIndex(of: UInt8(ascii: "\n")), end > rest.startIndex,
            rest[end - 1] == UInt8(ascii: "\r")
        else { throw .malformed("a line does not end with CR and LF") }
        defer { rest = rest[(end + 1)...] }
        return rest[..<(end - 1)]
    }

    private static func version(_ word: ArraySlice<UInt8>) throws(HeadError) -> HTTPVersion {
        let bytes = Array(word)
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard bytes.count == 8, bytes.starts(with: "HTTP/".utf8), digits.contains(bytes[5]),
            bytes[6] == UInt8(ascii: "."), digits.contains(bytes[7])
        else { throw .malformed("the request line does not end with HTTP/1.1") }
        guard bytes[5] == UInt8(ascii: "1") else { throw .version }
        // A later minor version is treated as the latest known (RFC 9110, section 2.5).
        return bytes[7] == UInt8(ascii: "0") ? .http1_0 : .http1_1
    }

    private static func field(_ line: ArraySlice<UInt8>) throws(HeadError) -> (name: String, value: String) {
        // A name that begins or ends with a blank is a folded line or an attack on others (RFC 9112, sections 5.1 and 5.2).
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), Self.isToken(line[..<colon]) else {
            throw .malformed("a field is not NAME: VALUE")
        }
        var value = line[(colon + 1)...]
        while let first = value.first, Self.isBlank(first) { value = value.dropFirst() }
        while let last = value.last, Self.isBlank(last) { value = value.dropLast() }
        guard value.allSatisfy({ $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7F) }) else {
            throw .malformed("a field's value contains control characters")
        }
        return (String(decoding: line[..<colon], as: UTF8.self), String(decoding: value, as: UTF8.self))
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// RFC 9110, section 5.6.2.
    private static func isToken(_ bytes: ArraySlice<UInt8>) -> Bool {
        !bytes.isEmpty
            && bytes.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }

    // MARK: Host and target

    /// RFC 9112, section 3.2: one `Host`, and a valid one; only HTTP/1.0 may omit it.
    ///
    /// - Returns: the authority of a target in absolute form, which takes precedence over `Host` (section 3.2.2).
    private static func checkHost(
        _ headers: HTTPHeaders, _ version: HTTPVersion, _ target: String
    ) throws(HeadError) -> String? {
        let hosts = headers["Host"]
        guard hosts.count == 1 || (hosts.isEmpty && version == .http1_0) else {
            throw .malformed("a request has one Host field")
        }
        guard hosts.allSatisfy({ $0.utf8.allSatisfy(Self.isHostByte) }) else {
            throw .malformed("the Host field is not HOST or HOST:PORT")
        }
        guard let authority = AbsoluteTarget(target)?.authority else { return nil }
        guard !authority.isEmpty, authority.utf8.allSatisfy(Self.isHostByte) else {
            throw .malformed("the target names no host")
        }
        return authority
    }

    /// Of `uri-host [":" port]` (RFC 3986, section 3.2.2); no user (RFC 9110, section 4.2.4).
    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "-._~%!$&'()*+,;=:[]".utf8.contains(byte)
        }
    }

    /// A target in absolute form as path and query (RFC 9112, section 3.2.2); any other unchanged.
    package static func originForm(of target: String) -> String {
        AbsoluteTarget(target)?.originForm ?? target
    }

    /// The path of a target in origin or absolute form, without its query.
    package static func path(of target: String) -> String {
        let origin = Self.originForm(of: target).utf8
        return String(decoding: origin.prefix { $0 != UInt8(ascii: "?") }, as: UTF8.self)
    }
}
