import WasmnetProtocol

/// A request to open a socket.
struct OpenRequest {
    let id: SocketID
    let kind: SocketKind
    let host: String
    let port: UInt16
    let encoding: WireEncoding

    /// Nil for a request that opens nothing.
    init?(_ request: Request, _ encoding: WireEncoding) {
        switch request {
        case .connect(let id, let host, let port): self.init(id, .tcp, host, port, encoding)
        case .connectTLS(let id, let host, let port): self.init(id, .tls, host, port, encoding)
        case .connectUDP(let id, let host, let port): self.init(id, .udp, host, port, encoding)
        case .bind(let id, let host, let port): self.init(id, .listener, host, port, encoding)
        case .bindUDP(let id, let host, let port): self.init(id, .udpListener, host, port, encoding)
        default: return nil
        }
    }

    private init(_ id: SocketID, _ kind: SocketKind, _ host: String, _ port: UInt16, _ encoding: WireEncoding) {
        self.id = id
        self.kind = kind
        self.host = host
        self.port = port
        self.encoding = encoding
    }
}
