import Glibc
import NIOCore

/// A UDP socket of the operating system, bound to a port.
///
/// It reports the ICMP errors that its datagrams cause, which NIO's datagram channel does not support: a socket error
/// other than ECONNREFUSED ends that channel, or the process.
final class DatagramPort {
    enum Sent {
        case sent
        /// The system had no room, or does not let it go out.
        case dropped
    }

    /// The bound address.
    let local: SocketAddress
    private let descriptor: CInt
    private let watch: ReadinessWatch
    private var token: UInt64 = 0
    private var isClosed = false
    /// Called on the loop, once after each ``awaitDatagram()``.
    private var onready: (() -> Void)?
    /// Called for the first error of a kind that counts; errors in the next second are ignored.
    private var onrefused: (() -> Void)?
    private var hearsErrors = false
    private var nextHearing: Int64 = 0

    /// Nanoseconds after an error in which others are ignored.
    private static let errorPause: Int64 = 1_000_000_000

    init(binding address: SocketAddress, on loop: any EventLoop) throws {
        self.watch = try ReadinessWatch.shared()
        let isIPv6 = address.protocol == .inet6
        let kind = CInt(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(isIPv6 ? AF_INET6 : AF_INET, kind, 0)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        do {
            let bound = address.withSockAddr { bind(descriptor, $0, socklen_t($1)) }
            guard bound == 0 else { throw IOError(errnoCode: errno, reason: "bind") }
            self.local = try Self.localAddress(descriptor)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        let box = NIOLoopBound(Weak(port: self), eventLoop: loop)
        do {
            self.token = try self.watch.add(descriptor, on: loop) { box.value.port?.onready?() }
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    deinit { self.close() }

    /// For the loop's closure, which may outlive the port.
    private struct Weak {
        weak var port: DatagramPort?
    }

    func start(onready: @escaping () -> Void, onrefused: @escaping () -> Void) {
        self.onready = onready
        self.onrefused = onrefused
        self.hearErrors(true)
    }

    func close() {
        guard !self.isClosed else { return }
        self.isClosed = true
        self.onready = nil
        self.onrefused = nil
        self.watch.remove(self.descriptor, self.token)
        Glibc.close(self.descriptor)
    }

    func awaitDatagram() {
        guard !self.isClosed else { return }
        self.watch.arm(self.descriptor, self.token)
    }

    func send(_ data: ByteBuffer, to remote: SocketAddress, now: Int64) -> Sent {
        guard !self.isClosed else { return .dropped }
        if !self.hearsErrors, now >= self.nextHearing { self.hearErrors(true) }
        // The error of an earlier datagram is reported instead of sending this one.
        for _ in 0..<3 where !self.isClosed {
            let sent = data.withUnsafeReadableBytes { bytes in
                remote.withSockAddr { sendto(self.descriptor, bytes.baseAddress, bytes.count, 0, $0, socklen_t($1)) }
            }
            if sent >= 0 { return .sent }
            let code = errno
            if code == EAGAIN || code == ENOBUFS { return .dropped }
            guard self.hearsErrors || code == ECONNREFUSED else { return .dropped }
            self.heard(code, now: now)
        }
        return .dropped
    }

    /// One received datagram and its sender, of at most `most` bytes; nil if none is left.
    func receive(most: Int, now: Int64) -> (data: ByteBuffer, from: SocketAddress)? {
        for _ in 0..<4 where !self.isClosed {
            var from = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let data: ByteBuffer? = withUnsafeTemporaryAllocation(byteCount: most, alignment: 1) { room in
                let count = withUnsafeMutablePointer(to: &from) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        recvfrom(self.descriptor, room.baseAddress, room.count, 0, $0, &length)
                    }
                }
                return count < 0 ? nil : ByteBuffer(bytes: UnsafeRawBufferPointer(rebasing: room[..<count]))
            }
            if let data {
                guard let address = Self.address(from) else { continue }
                return (data, address)
            }
            let code = errno
            if code == EAGAIN || code == EINTR { return nil }
            self.heard(code, now: now)
        }
        return nil
    }

    /// There was nothing to read: the wake-up was for an error reported elsewhere, and repeats until that leaves the kernel's queue.
    func wokeInVain(now: Int64) {
        if self.hearsErrors { self.heard(0, now: now) }
    }

    /// An ICMP answer to an earlier datagram. UDP guarantees nothing, and the socket continues.
    private func heard(_ code: CInt, now: Int64) {
        guard self.hearsErrors else { return }
        self.nextHearing = now + Self.errorPause
        // This also empties the kernel's error queue, which takes room from datagrams.
        self.hearErrors(false)
        if code == ECONNREFUSED { self.onrefused?() }
    }

    private func hearErrors(_ hears: Bool) {
        self.hearsErrors = hears
        var value: CInt = hears ? 1 : 0
        let size = socklen_t(MemoryLayout<CInt>.size)
        setsockopt(self.descriptor, CInt(IPPROTO_IP), IP_RECVERR, &value, size)
        if self.local.protocol == .inet6 { setsockopt(self.descriptor, CInt(IPPROTO_IPV6), IPV6_RECVERR, &value, size) }
    }

    private static func localAddress(_ descriptor: CInt) throws -> SocketAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard result == 0, let address = self.address(storage) else {
            throw IOError(errnoCode: errno, reason: "getsockname")
        }
        return address
    }

    private static func address(_ storage: sockaddr_storage) -> SocketAddress? {
        withUnsafePointer(to: storage) { pointer in
            switch CInt(storage.ss_family) {
            case AF_INET:
                pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { SocketAddress($0.pointee) }
            case AF_INET6:
                pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { SocketAddress($0.pointee) }
            default: nil
            }
        }
    }
}
