import NIOCore
import NIOHTTP1
import WasmnetText

/// Tells of requests with more than one `Host`, or of HTTP/1.1 without one, which have to be refused (RFC 9112, section 3.2): behind it the
/// first is all that is left. A connection of HTTP/1.0 ends with its answer unless the client asks for more (section 9.3), which is no longer
/// seen behind it either. A target in absolute form becomes path and `Host`, of which it stands above (section 3.2.2).
final class HostFieldCheck: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    /// In place of the request, of which the rest is thrown away.
    struct Failure: Error {}

    private var hasFailed = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var data = data
        if case .head(var head) = self.unwrapInboundIn(data) {
            let hosts = head.headers["host"].count
            // A target that is neither a path nor of a scheme that is ours names some other host.
            let isOther =
                AbsoluteTarget(head.uri) == nil && !["/", "*"].contains { ByteText(head.uri).starts(with: $0) }
            self.hasFailed = hosts > 1 || (hosts == 0 && head.version != .http1_0) || isOther
            if self.hasFailed { context.fireErrorCaught(Failure()) }
            if head.version == .http1_0, !head.isKeepAlive {
                head.headers.replaceOrAdd(name: "Connection", value: "close")
            }
            if let target = AbsoluteTarget(head.uri) {
                head.uri = target.originForm
                head.headers.replaceOrAdd(name: "Host", value: target.authority)
            }
            data = self.wrapInboundOut(.head(head))
        }
        if !self.hasFailed { context.fireChannelRead(data) }
    }
}

@available(*, unavailable)
extension HostFieldCheck: Sendable {}
