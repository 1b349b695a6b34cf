import Glibc

/// A fault of the benchmark itself; the figures of that run are void.
struct BenchError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// IPv4 sockets on loopback, non-blocking.
enum Sockets {
    static func listen(backlog: Int32 = 4096) throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw BenchError("socket: errno \(errno)") }
        let bound = self.withLoopback(port: 0) { bind(descriptor, $0, $1) }
        guard bound == 0, Glibc.listen(descriptor, backlog) == 0 else { throw BenchError("listen: errno \(errno)") }
        return (descriptor, self.localPort(of: descriptor))
    }

    /// A port that was free a moment ago, for a program that needs one as an argument.
    static func freePort() throws -> UInt16 {
        let (descriptor, port) = try self.listen()
        Glibc.close(descriptor)
        return port
    }

    /// Begins to connect to 127.0.0.1; the socket becomes writable when it has.
    /// - Parameters:
    ///   - host: The last byte of the address to connect from, in 127.0.0.0/24.
    ///   - receiveBuffer: SO_RCVBUF in bytes; nil leaves it to the kernel.
    static func connect(port: UInt16, from host: UInt8 = 1, receiveBuffer: Int32? = nil) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw BenchError("socket: errno \(errno)") }
        self.noDelay(descriptor)
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        if host != 1 {
            // The port is chosen at connect, where it only has to be free for this pair of addresses.
            var on: Int32 = 1
            setsockopt(descriptor, Int32(IPPROTO_IP), IP_BIND_ADDRESS_NO_PORT, &on, socklen_t(MemoryLayout<Int32>.size))
            _ = self.withLoopback(host: host, port: 0) { bind(descriptor, $0, $1) }
        }
        let result = self.withLoopback(port: port) { Glibc.connect(descriptor, $0, $1) }
        guard result == 0 || errno == EINPROGRESS else {
            let error = errno
            Glibc.close(descriptor)
            throw BenchError("connect to port \(port): errno \(error)")
        }
        return descriptor
    }

    /// Whether a server listens there.
    static func answers(port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(descriptor) }
        return self.withLoopback(port: port) { Glibc.connect(descriptor, $0, $1) } == 0
    }

    /// Sends a request and reads everything until the other side ends.
    static func exchange(_ request: [UInt8], port: UInt16) throws -> [UInt8] {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(descriptor) }
        guard self.withLoopback(port: port, { Glibc.connect(descriptor, $0, $1) }) == 0,
            send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count
        else { throw BenchError("port \(port) takes no request: errno \(errno)") }
        var answer: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = recv(descriptor, &part, part.count, 0)
            guard count > 0 else { return answer }
            answer += part[..<count]
        }
    }

    static func noDelay(_ descriptor: Int32) {
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    /// A datagram socket that is bound there.
    static func bindDatagram(host: UInt8 = 1, port: UInt16 = 0) throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0, self.withLoopback(host: host, port: port, { bind(descriptor, $0, $1) }) == 0 else {
            throw BenchError("127.0.0.\(host) port \(port) over UDP: errno \(errno)")
        }
        return (descriptor, self.localPort(of: descriptor))
    }

    private static func localPort(of descriptor: Int32) -> UInt16 {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutableBytes(of: &address) {
            _ = getsockname(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress, &length)
        }
        return UInt16(bigEndian: address.sin_port)
    }

    private static func withLoopback(
        host: UInt8 = 1, port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        withUnsafeMutableBytes(of: &address) {
            $0.storeBytes(of: (UInt32(0x7F00_0000) | UInt32(host)).bigEndian, toByteOffset: 4, as: UInt32.self)
        }
        return withUnsafeBytes(of: &address) {
            $0.withMemoryRebound(to: sockaddr.self) { bytes in
                bytes.baseAddress.map { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) } ?? -1
            }
        }
    }
}
