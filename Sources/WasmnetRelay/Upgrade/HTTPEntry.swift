import Logging
package import NIOCore
import NIOHTTP1
import NIOPosix
package import WasmnetNet
import WasmnetProtocol

/// The node's port over HTTP: a WebSocket upgrade at `/`, one page of plain text, the configured pages, and nothing else.
package enum HTTPEntry {
    /// Makes a fresh connection speak HTTP until it becomes a session, within the upgrade timeout.
    ///
    /// - Parameters:
    ///   - proxiedAddress: the client announced by a trusted peer by the PROXY protocol.
    ///   - place: the connection's among those not admitted yet; nil: it takes one now, or is closed if there is none.
    package static func install(
        on channel: any Channel, proxiedAddress: IPAddress? = nil, environment: RelayEnvironment,
        admission: any Admission,
        pages: StaticPages = StaticPages(), place: PendingPlace? = nil
    ) throws {
        guard let place = place ?? environment.pending.enter(channel, from: proxiedAddress) else {
            return channel.close(promise: nil)
        }
        let upgrader = SessionUpgrader(environment: environment, admission: admission, proxiedAddress: proxiedAddress)
        try channel.pipeline.syncOperations.addHandler(
            RequestHandler(upgrader: upgrader, environment: environment, pages: pages, place: place))
    }

    /// How many bytes one read takes from a connection that is not a session yet: the memory held is about what the client is charged for.
    package static let readBytes = 4 << 10
}

/// The answer to a request that does not become a session.
struct PlainAnswer {
    var status: HTTPResponseStatus
    var headers: HTTPHeaders
    /// Nil for a status without a body or length: 304.
    var body: ByteBuffer?

    init(_ status: HTTPResponseStatus, _ headers: HTTPHeaders, _ body: ByteBuffer?) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    init(_ refusal: HTTPRefusal) {
        self.init(refusal.status, refusal.headers, ByteBuffer(string: refusal.message + "\n"))
        self.headers.add(name: "Content-Type", value: "text/plain; charset=utf-8")
    }

    /// The answer to a request that is not for a WebSocket.
    init(to request: HTTPRequestHead, pages: StaticPages, version: String) {
        let path = RequestHead.path(of: request.uri)
        let isRead = request.method == .GET || request.method == .HEAD
        if isRead, let page = pages.page(at: path) {
            self.init(page, to: request)
        } else if !path.utf8.elementsEqual("/".utf8) {
            self.init(.nothingHere)
        } else if !isRead {
            self.init(
                HTTPRefusal(.methodNotAllowed, "Only GET is answered here.", headers: ["Allow": "GET, HEAD"]))
        } else {
            self.init(
                HTTPRefusal(
                    .ok,
                    """
                    This is wasmnet \(version), a network proxy for WebAssembly in the browser.
                    Open a WebSocket to this address (subprotocol wasmnet.v2 or wasmnet.v1) to use it.
                    """))
        }
    }

    /// As bytes.
    ///
    /// - Parameter isLast: whether the connection ends with it.
    func bytes(withBody: Bool, isLast: Bool) -> ByteBuffer {
        var headers = self.headers
        if let body { headers.add(name: "Content-Length", value: "\(body.readableBytes)") }
        headers.add(name: "X-Content-Type-Options", value: "nosniff")
        headers.add(name: "Connection", value: isLast ? "close" : "keep-alive")
        var bytes = ByteBuffer()
        bytes.writeResponseHead(self.status, headers)
        if withBody, let body { bytes.writeImmutableBuffer(body) }
        return bytes
    }
}

extension ByteBuffer {
    /// RFC 9112, section 4. No name or value contains bytes from a client.
    mutating func writeResponseHead(_ status: HTTPResponseStatus, _ headers: HTTPHeaders) {
        self.writeString("HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n")
        for (name, value) in headers { self.writeString("\(name): \(value)\r\n") }
        self.writeString("\r\n")
    }
}

extension HTTPRefusal {
    static let nothingHere = HTTPRefusal(.notFound, "There is nothing at this path.")

    /// The node accepts no more sessions; a balancer that retries uses another node.
    static let draining = HTTPRefusal(
        .serviceUnavailable, "The node is going away.", headers: ["Retry-After": "1"], code: .draining)

    static let tooManyHeads = HTTPRefusal(
        .serviceUnavailable, "Too many requests are under way.", headers: ["Retry-After": "1"], code: .overloaded)

    init(_ error: HeadError) {
        switch error {
        case .lineTooLong:
            self.init(.uriTooLong, "A request line is shorter than \(HeadReader.maxBytes) bytes.")
        case .tooLarge:
            self.init(
                .requestHeaderFieldsTooLarge, "A request's head is at most \(HeadReader.maxBytes) bytes.")
        case .tooManyFields:
            self.init(.requestHeaderFieldsTooLarge, "A request has at most \(HeadReader.maxFields) fields.")
        case .version: self.init(.httpVersionNotSupported, "Only HTTP/1.1 is supported here.")
        case .malformed(let what): self.init(.badRequest, "This is not an HTTP request: \(what).")
        }
    }
}
