package import NIOCore

/// In the pipeline of the node's listener: while descriptors are short, accepts one batch at a time and closes it at once, so that
/// clients notice and never more than a batch is open. The listener's batch must be smaller than the reserve.
package final class AcceptLimiter: ChannelOutboundHandler {
    package typealias OutboundIn = Channel
    package typealias OutboundOut = Channel

    private static let step = TimeAmount.milliseconds(100)
    private let environment: RelayEnvironment
    private var waiting: Scheduled<Void>?

    package init(_ environment: RelayEnvironment) {
        self.environment = environment
    }

    package func read(context: ChannelHandlerContext) {
        guard self.waiting == nil else { return }
        guard self.environment.descriptors.isShort else { return context.read() }
        self.waiting = context.eventLoop.assumeIsolated().scheduleTask(in: Self.step) {
            self.waiting = nil
            context.read()
        }
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        self.waiting?.cancel()
        self.waiting = nil
    }
}

@available(*, unavailable)
extension AcceptLimiter: Sendable {}
