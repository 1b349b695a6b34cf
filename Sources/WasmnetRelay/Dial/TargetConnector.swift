package import NIOCore
import NIOPosix

/// Opens TCP connections and ports toward the network, on addresses that passed the policy.
package protocol TargetConnector: Sendable {
    /// The channel does not read by itself, and may be half-closed by its peer. Fails with the operating system's error.
    ///
    /// - Parameters:
    ///   - receiver: sizes each read of the channel.
    ///   - opened: called with the channel once it has a descriptor, on the event loop, so that it can be closed before it is connected.
    func connect(
        to target: SocketAddress, receiver: any RecvByteBufferAllocator, on eventLoop: any EventLoop,
        opened: @escaping (any Channel) -> Void
    ) -> EventLoopFuture<any Channel>

    /// Binds a port. Fails with the operating system's error.
    ///
    /// - Parameters:
    ///   - acceptsPerTurn: connections accepted in one turn of the event loop.
    ///   - accepted: called with each connection before it is active, on the event loop. It is set up like one that ``connect`` opened.
    func listen(
        on address: SocketAddress, acceptsPerTurn: Int, eventLoop: any EventLoop,
        accepted: @escaping (any Channel) -> Void
    ) -> EventLoopFuture<any Channel>
}

/// The machine's own sockets. NIO's bootstrap sets TCP_NODELAY by itself.
package struct SocketConnector: TargetConnector {
    package init() {}

    package func connect(
        to target: SocketAddress, receiver: any RecvByteBufferAllocator, on eventLoop: any EventLoop,
        opened: @escaping (any Channel) -> Void
    ) -> EventLoopFuture<any Channel> {
        let opened = NIOLoopBound(opened, eventLoop: eventLoop)
        return ClientBootstrap(group: eventLoop)
            .channelInitializer { channel in channel.eventLoop.makeCompletedFuture { opened.value(channel) } }
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.recvAllocator, value: receiver)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .connectTimeout(.hours(1))  // the dial's own deadline closes it
            .connect(to: target)
    }

    package func listen(
        on address: SocketAddress, acceptsPerTurn: Int, eventLoop: any EventLoop,
        accepted: @escaping (any Channel) -> Void
    ) -> EventLoopFuture<any Channel> {
        let accepted = NIOLoopBound(accepted, eventLoop: eventLoop)
        return ServerBootstrap(group: eventLoop, childGroup: eventLoop)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Exhaustion.makeAcceptHandler())
                }
            }
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 128)
            .serverChannelOption(.maxMessagesPerRead, value: UInt(clamping: acceptsPerTurn))
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { accepted.value(channel) }
            }
            .bind(to: address)
    }
}
