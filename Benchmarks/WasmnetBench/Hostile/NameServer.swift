import Glibc

/// The resolver's name server in the run's network namespace (RFC 1035): it never answers for ``silentDomain``, knows ``honestName``
/// as 127.0.0.1, and answers that every other name does not exist.
final class NameServer: ReactorHandler {
    static let honestName = "honest.test"
    static let silentDomain = "silent.test"
    /// The last byte of its address in 127.0.0.0/24.
    static let host: UInt8 = 53

    private let descriptor: Int32
    private let reactor: Reactor
    private var query = [UInt8](repeating: 0, count: 1500)

    init(on reactor: Reactor) throws {
        self.reactor = reactor
        (self.descriptor, _) = try Sockets.bindDatagram(host: Self.host, port: 53)
        reactor.add(self.descriptor, reading: true, writing: false, self)
    }

    func stop() { self.reactor.remove(self.descriptor) }

    func ready(readable: Bool, writable: Bool) {
        for _ in 0..<256 {
            var peer = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            withUnsafeMutableBytes(of: &peer) { peer in
                let address = peer.assumingMemoryBound(to: sockaddr.self).baseAddress
                let count = recvfrom(self.descriptor, &self.query, self.query.count, 0, address, &length)
                guard count > 0 else { return length = 0 }
                guard let answer = Self.answer(Array(self.query[..<count])) else { return }
                sendto(self.descriptor, answer, answer.count, 0, address, length)
            }
            guard length > 0 else { return }
        }
    }

    /// Nil: no answer.
    static func answer(_ query: [UInt8]) -> [UInt8]? {
        // A header of 12 bytes, then labels with their lengths up to an empty one, type and class.
        var (name, position) = ("", 12)
        while position < query.count, query[position] > 0 {
            let end = position + 1 + Int(query[position])
            guard end < query.count else { return nil }
            name += (name.isEmpty ? "" : ".") + String(decoding: query[position + 1..<end], as: UTF8.self)
            position = end
        }
        guard position + 5 <= query.count, !name.hasSuffix(self.silentDomain) else { return nil }
        let isKnown = name == self.honestName
        let isAddress = isKnown && query[position + 2] == 1
        var answer = Array(query[..<(position + 5)])
        // An answer, recursion available; 3: no such name. One question, and nothing but an answer to it.
        answer[2] = 0x81
        answer[3] = isKnown ? 0x80 : 0x83
        answer.replaceSubrange(4..<12, with: [0, 1, 0, isAddress ? 1 : 0, 0, 0, 0, 0])
        if isAddress { answer += [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1] }
        return answer
    }
}
