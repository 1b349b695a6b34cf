import Logging
package import NIOCore
import NIOHTTP1
package import WasmnetPolicy
import WasmnetText

/// The node's port as HTTP sees it: a WebSocket upgrade at `/`, one page of plain text, the pages it is given, and nothing else.
package enum HTTPFront {
    /// Makes a fresh connection speak HTTP until it becomes a session, within the upgrade timeout.
    ///
    /// - Parameter announced: whom a trusted peer announced by the PROXY protocol.
    package static func install(
        on channel: any Channel, announced: IPAddress? = nil, environment: RelayEnvironment, admission: any Admission,
        pages: StaticPages = StaticPages()
    ) throws {
        let upgrader = SessionUpgrader(environment: environment, admission: admission, announced: announced)
        let answers = AnswerHandler(upgrader: upgrader, version: environment.version, pages: pages)
        let deadline = channel.eventLoop.assumeIsolated().scheduleTask(in: environment.settings.upgradeTimeout) {
            channel.close(promise: nil)
        }
        upgrader.onUpgrade = {
            deadline.cancel()
            // A session speaks bytes, not HTTP.
            channel.pipeline.syncOperations.removeHandler(answers, promise: nil)
        }
        let bound = NIOLoopBound(upgrader, eventLoop: channel.eventLoop)
        channel.closeFuture.whenComplete { _ in
            deadline.cancel()
            // The answers hold the upgrader, which holds them.
            bound.value.onUpgrade = nil
        }
        let pipeline = channel.pipeline.syncOperations
        try pipeline.configureHTTPServerPipeline(
            withPipeliningAssistance: false,
            withServerUpgrade: (
                upgraders: [upgrader],
                completionHandler: { _ in }
            ),
            withErrorHandling: false)
        try pipeline.addHandler(answers)
    }
}

/// Answers what is no upgrade, then closes.
private final class AnswerHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let upgrader: SessionUpgrader
    private let version: String
    private let pages: StaticPages
    private var isAnswered = false

    init(upgrader: SessionUpgrader, version: String, pages: StaticPages) {
        self.upgrader = upgrader
        self.version = version
        self.pages = pages
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = self.unwrapInboundIn(data) else { return }
        let path = ByteText(head.uri).before("?").text
        if head.method == .GET || head.method == .HEAD, self.upgrader.refusal == nil,
            let page = self.pages.page(at: path)
        {
            self.answer(page.status, page.headers, page.bytes, to: head, context)
        } else {
            self.answer(self.answer(to: head), to: head, context)
        }
    }

    private func answer(to head: HTTPRequestHead) -> HTTPRefusal {
        if let refusal = self.upgrader.refusal { return refusal }
        guard ByteText(head.uri).before("?") == "/" else {
            return HTTPRefusal(.notFound, "There is nothing at this path.")
        }
        guard head.method == .GET || head.method == .HEAD else {
            return HTTPRefusal(.methodNotAllowed, "Only GET is answered here.", headers: ["Allow": "GET, HEAD"])
        }
        return HTTPRefusal(
            .ok,
            """
            This is wasmnet \(self.version), a network proxy for WebAssembly in the browser.
            Open a WebSocket to this address (subprotocol wasmnet.v2 or wasmnet.v1) to use it.
            """)
    }

    private func answer(_ answer: HTTPRefusal, to head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        var headers = answer.headers
        headers.add(name: "Content-Type", value: "text/plain; charset=utf-8")
        self.answer(answer.status, headers, ByteBuffer(string: answer.message + "\n"), to: head, context)
    }

    private func answer(
        _ status: HTTPResponseStatus, _ headers: HTTPHeaders, _ body: ByteBuffer, to head: HTTPRequestHead,
        _ context: ChannelHandlerContext
    ) {
        guard !self.isAnswered else { return }
        self.isAnswered = true
        var headers = headers
        headers.add(name: "Content-Length", value: "\(body.readableBytes)")
        headers.add(name: "X-Content-Type-Options", value: "nosniff")
        headers.add(name: "Connection", value: "close")
        let response = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(self.wrapOutboundOut(.head(response)), promise: nil)
        if head.method != .HEAD { context.write(self.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        let channel = context.channel
        context.writeAndFlush(self.wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        // The request itself follows and is answered.
        case is HTTPRefusal: break
        case is HTTPParserError:
            let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
            self.answer(HTTPRefusal(.badRequest, "This is not HTTP."), to: head, context)
        default: if context.channel.isActive, self.upgrader.refusal == nil { context.close(promise: nil) }
        }
    }
}
