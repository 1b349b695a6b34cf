import Glibc
import NIOCore
import NIOPosix

/// Why a server did not start despite a valid configuration: something it needs is not available yet, or is in use. A retry may
/// help, so the command's exit code is 1, not 2.
public struct StartError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What was wrong, where, and what to do.
    public let description: String

    init(_ description: String) { self.description = description }

    /// A port that could not be listened on.
    init(listening what: String, host: String, port: Int, _ error: any Error) {
        self.init("\(what) cannot listen on \(host) port \(port): \(Self.words(error))")
    }

    private static func words(_ error: any Error) -> String {
        if error is SocketAddressError.UnknownHost { return "that name has no address" }
        guard let code = (error as? IOError)?.errnoCode else { return "\(error)" }
        return switch code {
        case EADDRINUSE: "another program listens there"
        case EACCES: "this user has no permission; ports below 1024 need CAP_NET_BIND_SERVICE"
        case EADDRNOTAVAIL: "this machine has no such address"
        default: String(cString: strerror(code))
        }
    }
}
