import Glibc
package import NIOCore
package import NIOPosix

extension DatagramBootstrap {
    /// Binds a free port whose number no node uses either, for as long as it is open: a node refuses its own TCP port's number over
    /// UDP too.
    package func bindFreePort(of host: String = "127.0.0.1") async throws -> any Channel {
        while true {
            let tcp = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .bind(host: "127.0.0.1", port: 0).get()
            do {
                let udp = try await self.bind(host: host, port: tcp.localAddress?.port ?? 0).get()
                udp.closeFuture.whenComplete { _ in tcp.close(promise: nil) }
                return udp
            } catch let error as IOError where error.errnoCode == EADDRINUSE {
                try await tcp.close()
            }
        }
    }
}
