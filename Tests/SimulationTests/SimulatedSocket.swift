import DequeModule
import Glibc
import NIOCore
import NIOEmbedded

/// The operating system's half of a socket, under a channel in memory: it accepts flushed data, as far as its buffer allows,
/// and returns received data on request. It can be clogged, ended and reset.
final class SimulatedSocket: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private struct Write {
        var bytes: ByteBuffer
        var promise: EventLoopPromise<Void>?
    }

    let channel: EmbeddedChannel
    private var receiver: any RecvByteBufferAllocator
    private let capacity: Int
    private var context: ChannelHandlerContext?

    // From the node.
    private var unflushed = Deque<Write>()
    private var queue = Deque<Write>()
    private(set) var queuedBytes = 0
    private(set) var maxQueued = 0
    /// Data that the kernel accepted and the peer has not read yet.
    private(set) var outgoing = ByteBuffer()
    private var outputClose: EventLoopPromise<Void>?
    private var outputIsClosing = false
    /// The peer's next read finds the end.
    private(set) var outputHasEnded = false
    var isClogged = false { didSet { self.pump() } }

    // To the node.
    private var incoming = ByteBuffer()
    private var peerHasEnded = false
    private var peerHasReset = false
    private var endIsTold = false
    private var readIsPending = false
    private(set) var isClosed = false

    init(on loop: EmbeddedEventLoop, capacity: Int, receiver: any RecvByteBufferAllocator) throws {
        self.channel = EmbeddedChannel(loop: loop)
        self.capacity = capacity
        self.receiver = receiver
        try self.channel.pipeline.syncOperations.addHandler(self)
        try self.channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1)).wait()
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelInactive(context: ChannelHandlerContext) {
        self.isClosed = true
        self.outputHasEnded = true
        context.fireChannelInactive()
    }

    // MARK: The node's actions

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !self.isClosed, !self.outputIsClosing else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        let bytes = self.unwrapOutboundIn(data)
        self.queuedBytes += bytes.readableBytes
        self.maxQueued = max(self.maxQueued, self.queuedBytes)
        self.unflushed.append(Write(bytes: bytes, promise: promise))
        self.updateWritability(context)
    }

    func flush(context: ChannelHandlerContext) {
        self.queue.append(contentsOf: self.unflushed)
        self.unflushed.removeAll()
        self.pump()
    }

    func read(context: ChannelHandlerContext) { self.readIsPending = true }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output else {
            let lost = self.queue + self.unflushed
            self.queue.removeAll()
            self.unflushed.removeAll()
            self.queuedBytes = 0
            self.isClosed = true
            for write in lost { write.promise?.fail(ChannelError.ioOnClosedChannel) }
            context.close(mode: .all, promise: promise)
            return
        }
        self.outputIsClosing = true
        self.outputClose = promise
        self.pump()
    }

    private func pump() {
        guard let context = self.context, !self.isClosed else { return }
        while !self.isClogged, var write = self.queue.popFirst() {
            let room = self.capacity - self.outgoing.readableBytes
            guard room > 0, let part = write.bytes.readSlice(length: min(room, write.bytes.readableBytes)) else {
                self.queue.prepend(write)
                break
            }
            self.outgoing.writeImmutableBuffer(part)
            self.queuedBytes -= part.readableBytes
            if write.bytes.readableBytes > 0 {
                self.queue.prepend(write)
            } else {
                write.promise?.succeed(())
            }
        }
        if self.outputIsClosing, !self.outputHasEnded, self.queue.isEmpty, self.unflushed.isEmpty {
            self.outputHasEnded = true
            self.outputClose?.succeed(())
            self.closeIfBothEnded(context)
        }
        if !self.isClosed { self.updateWritability(context) }
    }

    private func updateWritability(_ context: ChannelHandlerContext) {
        let isWritable = self.channel.isWritable ? self.queuedBytes < 2048 : self.queuedBytes < 1024
        guard isWritable != self.channel.isWritable else { return }
        self.channel.isWritable = isWritable
        context.fireChannelWritabilityChanged()
    }

    private func closeIfBothEnded(_ context: ChannelHandlerContext) {
        if self.endIsTold, self.outputHasEnded, !self.isClosed { context.close(promise: nil) }
    }

    // MARK: The peer's actions

    /// The peer reads at most this many bytes.
    func take(_ most: Int) -> ByteBuffer {
        let bytes = self.outgoing.readSlice(length: min(most, self.outgoing.readableBytes)) ?? ByteBuffer()
        self.outgoing.discardReadBytes()
        self.pump()
        return bytes
    }

    func send(_ bytes: ByteBuffer) {
        guard !self.peerHasEnded, !self.peerHasReset else { return }
        self.incoming.writeImmutableBuffer(bytes)
    }

    /// Bytes of the peer that the node has not read yet.
    var unread: Int { self.incoming.readableBytes }

    func end() { self.peerHasEnded = true }

    func reset() { self.peerHasReset = true }

    /// Passes the node one read's worth, if it has asked; a reset is reported unasked, as by epoll.
    func deliver() {
        guard !self.isClosed, let context = self.context else { return }
        if self.peerHasReset {
            context.fireErrorCaught(IOError(errnoCode: ECONNRESET, reason: "read"))
            if !self.isClosed { context.close(promise: nil) }
        } else if self.readIsPending, self.incoming.readableBytes > 0 {
            self.readIsPending = false
            var buffer = self.receiver.buffer(allocator: ByteBufferAllocator())
            let count = min(buffer.writableBytes, self.incoming.readableBytes)
            if let part = self.incoming.readSlice(length: count) { buffer.writeImmutableBuffer(part) }
            self.incoming.discardReadBytes()
            _ = self.receiver.record(actualReadBytes: count)
            context.fireChannelRead(self.wrapInboundOut(buffer))
            context.fireChannelReadComplete()
        } else if self.readIsPending, self.peerHasEnded, !self.endIsTold {
            self.readIsPending = false
            self.endIsTold = true
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            context.fireChannelReadComplete()
            self.closeIfBothEnded(context)
        }
    }
}

@available(*, unavailable)
extension SimulatedSocket: Sendable {}
