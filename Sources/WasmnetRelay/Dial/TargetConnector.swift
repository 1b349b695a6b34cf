package import NIOCore
import NIOPosix

/// Opens a TCP connection to one address that passed the policy.
package protocol TargetConnector: Sendable {
    /// The channel does not read by itself, and may be half-closed by its peer. Fails with the operating system's error.
    ///
    /// - Parameter receiver: sizes each read of the channel.
    func connect(
        to target: SocketAddress, receiver: any RecvByteBufferAllocator, on eventLoop: any EventLoop
    ) -> EventLoopFuture<any Channel>
}

/// The machine's own sockets. NIO's bootstrap sets TCP_NODELAY by itself.
package struct SocketConnector: TargetConnector {
    package init() {}

    package func connect(
        to target: SocketAddress, receiver: any RecvByteBufferAllocator, on eventLoop: any EventLoop
    ) -> EventLoopFuture<any Channel> {
        ClientBootstrap(group: eventLoop)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.recvAllocator, value: receiver)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .connectTimeout(.hours(1))  // the dial's own deadline decides
            .connect(to: target)
    }
}
