// An Embedded Swift guest: sets a key and reads it back. redis-get HOST PORT KEY VALUE
import CSockets

func fail(_ what: StaticString) -> Never {
    what.withUTF8Buffer { _ = write(2, $0.baseAddress, $0.count) }
    exit(1)
}

struct Connection {
    let fd: Int32

    init?(host: UnsafePointer<CChar>, port: UnsafePointer<CChar>) {
        var hints = addrinfo()
        hints.ai_socktype = stream_socket_type()
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, port, &hints, &list) == 0, let first = list else { return nil }
        defer { freeaddrinfo(list) }
        fd = socket(first.pointee.ai_family, first.pointee.ai_socktype, 0)
        guard fd >= 0, connect(fd, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 else { return nil }
    }

    /// Sends one command in the protocol's array form.
    func command(_ words: [[UInt8]]) -> Bool {
        var bytes: [UInt8] = [UInt8(ascii: "*"), UInt8(ascii: "0") + UInt8(words.count), 13, 10]
        for word in words {
            bytes.append(UInt8(ascii: "$"))
            bytes += decimal(word.count)
            bytes += [13, 10] + word + [13, 10]
        }
        return bytes.withUnsafeBytes { send(fd, $0.baseAddress, $0.count, 0) } == bytes.count
    }

    /// The answer's bytes, until `ends` line ends have arrived.
    func answer(lines ends: Int) -> [UInt8]? {
        var all: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 512)
        while all.reduce(0, { $0 + ($1 == 10 ? 1 : 0) }) < ends {
            let count = part.withUnsafeMutableBytes { recv(fd, $0.baseAddress, $0.count, 0) }
            guard count > 0 else { return nil }
            all += part[0..<count]
        }
        return all
    }
}

func ascii(_ word: StaticString) -> [UInt8] { word.withUTF8Buffer { Array($0) } }

/// A number's digits, without String and its Unicode tables.
func decimal(_ number: Int) -> [UInt8] {
    (number >= 10 ? decimal(number / 10) : []) + [UInt8(ascii: "0") + UInt8(number % 10)]
}

func bytes(_ text: UnsafeMutablePointer<CChar>?) -> [UInt8] {
    guard let text else { return [] }
    return (0..<Int(strlen(text))).map { UInt8(bitPattern: text[$0]) }
}

/// Called by main.c: C's `main` has a different name on this platform.
@_cdecl("swift_main")
public func main(count: Int32, arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Int32 {
    guard count == 5, let host = arguments[1], let port = arguments[2] else { fail("usage: redis-get HOST PORT KEY VALUE\n") }
    guard let connection = Connection(host: host, port: port) else { fail("cannot connect\n") }
    let key = bytes(arguments[3])
    guard connection.command([ascii("SET"), key, bytes(arguments[4])]), connection.answer(lines: 1) != nil,
        connection.command([ascii("GET"), key]), let answer = connection.answer(lines: 2)
    else { fail("the connection ended\n") }
    answer.withUnsafeBytes { _ = write(1, $0.baseAddress, $0.count) }
    return 0
}
