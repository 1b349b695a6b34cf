import NIOCore
import NIOPosix
import NIOSSL
import WasmnetNet

/// Classifies connection failures from the errors of the libraries below.
enum ConnectFailure {
    /// The error as one of this library; nil if it is nothing specific.
    static func classify(_ error: any Error, at endpoint: RedisEndpoint) -> RedisError? {
        switch error {
        case let error as RedisError: error
        case let error as NIOConnectionError: ofAllAddresses(error, at: endpoint)
        case let error as IOError where error.errnoCode == ECONNREFUSED: .connectionRefused(endpoint)
        case let error as IOError: .connectFailed(endpoint, error.shortWords)
        case ChannelError.connectTimeout: .connectTimeout(endpoint)
        case NIOSSLError.uncleanShutdown: .connectionLost(endpoint, "closed without a TLS close_notify")
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: .tls(endpoint, tlsWords(error))
        default: nil
        }
    }

    private static func ofAllAddresses(_ error: NIOConnectionError, at endpoint: RedisEndpoint) -> RedisError {
        let attempts = error.connectionErrors.map(\.error)
        // Every address failed; report the first specific failure.
        let named = attempts.lazy.compactMap { classify($0, at: endpoint) }.first
        if let named { return named }
        if attempts.isEmpty { return .dns(endpoint) }
        return .connectFailed(endpoint, "\(attempts.count) addresses failed")
    }

    private static func tlsWords(_ error: any Error) -> String {
        if let error = error as? NIOSSLExtraError, error == .failedToValidateHostname {
            return "the server's certificate is for another name"
        }
        let text = ByteText("\(error)")
        if text.holds("CERTIFICATE_VERIFY_FAILED") { return "the server's certificate is not trusted" }
        if text.holds("WRONG_VERSION_NUMBER") { return "the server does not speak TLS" }
        return text.text
    }
}

extension IOError {
    fileprivate var shortWords: String {
        String(cString: strerror(errnoCode))
    }
}
