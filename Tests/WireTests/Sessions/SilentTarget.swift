import Foundation
import Glibc
import Testing

/// A TCP port whose queue of connections is full, so that the system answers no SYN to it: a dial waits.
final class SilentTarget: Sendable {
    let host: String
    let port: UInt16
    private let descriptors: [Int32]

    init(host: String = "127.0.0.1", port: UInt16 = 0) throws {
        self.host = host
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        func with<T>(_ body: (UnsafeMutablePointer<sockaddr>) -> T) -> T {
            withUnsafeMutablePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body) }
        }
        try #require(with { bind(listener, $0, length) } == 0 && listen(listener, 0) == 0)
        _ = with { getsockname(listener, $0, &length) }
        self.port = UInt16(bigEndian: address.sin_port)
        var descriptors = [listener]
        // A queue of 0 takes one; later ones are not answered.
        for _ in 0..<2 {
            let filler = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
            descriptors.append(filler)
            _ = with { Glibc.connect(filler, $0, length) }
        }
        self.descriptors = descriptors
    }

    deinit {
        for descriptor in self.descriptors { close(descriptor) }
    }

    /// Sockets of this machine that wait for its answer (proc(5): state 02 is SYN_SENT), except for the filler.
    var waiting: Int {
        let remote = String(format: "%08X:%04X", Int32(bitPattern: inet_addr(self.host)), Int(self.port))
        // A file of /proc has no size: it is read to its end.
        let table = (try? FileHandle(forReadingAtPath: "/proc/net/tcp")?.readToEnd()) ?? Data()
        return String(decoding: table, as: UTF8.self).split(separator: "\n").count { line in
            let fields = line.split(separator: " ")
            return fields.count > 3 && fields[2] == remote && fields[3] == "02"
        } - 1
    }

    func comesTo(_ count: Int) async throws -> Bool {
        for _ in 0..<200 {
            if self.waiting == count { return true }
            try await Task.sleep(for: .milliseconds(25))
        }
        return false
    }
}
