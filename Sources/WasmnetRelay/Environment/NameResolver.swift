import Glibc
import NIOConcurrencyHelpers
package import NIOCore
import NIOPosix
package import WasmnetPolicy
import WasmnetProtocol

/// Looks names up: A and AAAA, once, without deciding anything.
package protocol NameResolver: Sendable {
    /// Fails with a ``Refusal``: `name_not_found`, or `overloaded` when too many look-ups are under way.
    func resolve(_ name: HostName, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]>
}

/// The machine's own resolver (getaddrinfo), which blocks, on threads of its own, so that no event loop waits.
///
/// At most `threads` look-ups run and `queue` wait; one more is refused at once.
package final class SystemResolver: NameResolver {
    private let pool: NIOThreadPool
    private let limit: Int
    private let inFlight = NIOLockedValueBox(0)

    /// - Parameters:
    ///   - threads: look-ups that run at once; default 8.
    ///   - queue: look-ups that may wait; default 512.
    package init(threads: Int = 8, queue: Int = 512) {
        self.pool = NIOThreadPool(numberOfThreads: threads)
        self.pool.start()
        self.limit = threads + queue
    }

    package func shutDown() async {
        try? await self.pool.shutdownGracefully()
    }

    package func resolve(_ name: HostName, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]> {
        let admitted = self.inFlight.withLockedValue { count in
            guard count < self.limit else { return false }
            count += 1
            return true
        }
        guard admitted else {
            return eventLoop.makeFailedFuture(
                Refusal(.overloaded, "too many names are being looked up", retryAfterMilliseconds: 1000))
        }
        let text = name.text
        let result = self.pool.runIfActive(eventLoop: eventLoop) { try Self.lookUp(text) }
        result.whenComplete { _ in self.inFlight.withLockedValue { $0 -= 1 } }
        return result
    }

    private static func lookUp(_ name: String) throws -> [IPAddress] {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = CInt(AI_ADDRCONFIG)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(name, nil, &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        guard status == 0 else {
            let retry: UInt32 = status == EAI_AGAIN ? 1000 : 0
            throw Refusal(.nameNotFound, "the name \(name) was not found", retryAfterMilliseconds: retry)
        }
        var addresses: [IPAddress] = []
        var next = list
        while let entry = next {
            if let raw = entry.pointee.ai_addr, let address = IPAddress(socketAddress: UnsafeRawPointer(raw)),
                !addresses.contains(address)
            {
                addresses.append(address)
            }
            next = entry.pointee.ai_next
        }
        guard !addresses.isEmpty else { throw Refusal(.nameNotFound, "the name \(name) has no address") }
        return addresses
    }
}
