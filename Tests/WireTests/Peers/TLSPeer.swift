import NIOCore
import NIOSSL
import NIOTLS
import WasmnetTesting

/// A test's own TLS server, if the test must control its behaviour.
enum TLSPeer {
    /// - Parameters:
    ///   - configure: changes the server's configuration, e.g. its versions.
    ///   - serverName: receives the name in each ClientHello (RFC 6066, section 3), nil if there is none.
    ///   - handler: handles the data inside TLS.
    static func behaviour(
        _ kind: TestCertificates.Kind = .good, serverName: AsyncStream<String?>.Continuation? = nil,
        configure: (inout TLSConfiguration) -> Void = { _ in },
        handler: @escaping @Sendable () -> any ChannelHandler
    ) throws -> TestTarget.Behaviour {
        var configuration = try TestCertificates.current.server(kind)
        configure(&configuration)
        let context = try NIOSSLContext(configuration: configuration)
        return .custom { channel in
            let pipeline = channel.pipeline.syncOperations
            let tls = NIOSSLServerHandler(context: context)
            guard let serverName else {
                try pipeline.addHandlers([tls, handler()])
                return
            }
            let names = SNIHandler { result in
                if case .hostname(let name) = result { serverName.yield(name) } else { serverName.yield(nil) }
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            try pipeline.addHandlers([ByteToMessageHandler(names), tls, handler()])
        }
    }
}
