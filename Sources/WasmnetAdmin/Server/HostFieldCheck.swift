import NIOCore
import NIOHTTP1

/// Tells of requests with more than one `Host`, which have to be refused (RFC 9112, section 3.2): behind it the first is all that is left.
final class HostFieldCheck: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    /// In place of the request, of which the rest is thrown away.
    struct Failure: Error {}

    private var hasFailed = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = self.unwrapInboundIn(data), head.headers["host"].count > 1 {
            self.hasFailed = true
            context.fireErrorCaught(Failure())
        }
        if !self.hasFailed { context.fireChannelRead(data) }
    }
}

@available(*, unavailable)
extension HostFieldCheck: Sendable {}
