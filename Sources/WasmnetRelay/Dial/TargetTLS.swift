import Glibc
import NIOCore
import NIOSSL
import NIOTLS
import WasmnetNet
import WasmnetProtocol

/// TLS to targets: one context for all of a node's connections, certificate and name always verified, TLS 1.2 and 1.3.
final class TargetTLS: Sendable {
    private let context: NIOSSLContext

    /// - Parameter extraAuthorities: PEM files of authorities trusted in addition to the system's.
    init(applicationProtocols: [String], extraAuthorities: [String]) throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = .fullVerification
        configuration.applicationProtocols = applicationProtocols
        configuration.additionalTrustRoots = extraAuthorities.map { .file($0) }
        self.context = try NIOSSLContext(configuration: configuration)
    }

    /// Starts TLS on a fresh channel and returns the ALPN name, or why TLS failed.
    ///
    /// - Parameter serverName: the name to send (SNI) and to verify; nil for an address, which the certificate must then contain
    ///   itself.
    func startHandshake(
        on channel: any Channel, serverName: String?, host: String, timeout: TimeAmount,
        completion: @escaping (Result<String?, Refusal>) -> Void
    ) {
        do {
            let handler = try NIOSSLClientHandler(context: self.context, serverHostname: serverName)
            let watcher = HandshakeWatcher(host: host, completion: completion)
            try channel.pipeline.syncOperations.addHandlers([handler, watcher])
            watcher.startTimer(timeout, on: channel)
            // The handshake reads; afterwards reads are requested one by one.
            channel.read()
        } catch {
            completion(.failure(Refusal(.tlsFailed, "TLS with \(host) could not be started")))
        }
    }
}

/// Waits for the end of one handshake, then leaves the pipeline.
private final class HandshakeWatcher: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let host: String
    private var completion: ((Result<String?, Refusal>) -> Void)?
    private var timer: Scheduled<Void>?

    init(host: String, completion: @escaping (Result<String?, Refusal>) -> Void) {
        self.host = host
        self.completion = completion
    }

    func startTimer(_ timeout: TimeAmount, on channel: any Channel) {
        guard self.completion != nil else { return }
        self.timer = channel.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            self.finish(.failure(Refusal(.tlsFailed, "\(self.host) did not finish the TLS handshake in time")))
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted(let alpn)? = event as? TLSUserEvent {
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
            self.finish(.success(alpn))
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.finish(.failure(Refusal(.tlsFailed, "TLS with \(self.host) failed: \(Self.words(error, context))")))
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.finish(.failure(Refusal(.tlsFailed, "\(self.host) closed the connection during the TLS handshake")))
        context.fireChannelInactive()
    }

    private func finish(_ result: Result<String?, Refusal>) {
        self.timer?.cancel()
        self.completion.take()?(result)
    }

    /// What went wrong, without the library's raw text.
    private static func words(_ error: any Error, _ context: ChannelHandlerContext) -> String {
        switch error {
        case is NIOSSLExtraError: return "the certificate is not for this name"
        case NIOSSLError.handshakeFailed(let reason):
            let text = "\(reason)"
            if text.contains("CERTIFICATE_VERIFY_FAILED") {
                let handler = try? context.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self)
                if let certificate = handler?.peerCertificate,
                    certificate.notValidAfter < MachineClock.wall().milliseconds / 1000
                {
                    return "the certificate has expired"
                }
                return "the certificate is not trusted"
            }
            return "the handshake failed"
        default: return "the handshake was interrupted"
        }
    }
}
