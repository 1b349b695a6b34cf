import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOPosix
import Wasmnet
import WasmnetNet

/// Requests of commands to a node's admin server: a prompt answer, or why there is none.
struct AdminHTTP: Sendable {
    private let client: HTTPClient

    /// For a connection, TLS included.
    static let connectTime = TimeAmount.seconds(2)
    /// For a request with its answer.
    static let requestTime = Duration.seconds(10)
    /// The most bytes of an answer.
    private static let maxBytes = 4 << 20

    static func with<Answer: Sendable>(_ work: (AdminHTTP) async throws -> Answer) async throws -> Answer {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow, timeout: .init(connect: Self.connectTime))
        // A refused connection is refused again: report it at once.
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
        do {
            let answer = try await work(AdminHTTP(client: client))
            try await client.shutdown()
            return answer
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    /// - Parameter base: the name used in error messages.
    /// - Throws: ``CommandFailure`` if there is no answer.
    func answer(to request: HTTPClientRequest, at base: String) async throws -> (HTTPClientResponse, Data) {
        do {
            return try await withThrowingTaskGroup(of: (HTTPClientResponse, Data).self) { tasks in
                tasks.addTask { [client] in
                    let response = try await client.execute(request, deadline: .distantFuture)
                    return (response, Data(buffer: try await response.body.collect(upTo: Self.maxBytes)))
                }
                tasks.addTask {
                    try await Task.sleep(for: Self.requestTime)
                    throw HTTPClientError.deadlineExceeded
                }
                defer { tasks.cancelAll() }
                guard let answer = try await tasks.next() else { throw CancellationError() }
                return answer
            }
        } catch {
            let words = Self.words(error, isTLS: ByteText(base).starts(with: "https"))
            throw CommandFailure("--admin: \(base) does not answer: \(words)")
        }
    }

    private static func words(_ error: any Error, isTLS: Bool) -> String {
        switch error {
        case let error as HTTPClientError: return Self.words(error, isTLS: isTLS)
        case let error as NIOConnectionError:
            guard let failure = error.connectionErrors.first?.error else {
                return "the name \(error.host) has no address"
            }
            return Self.words(failure, isTLS: isTLS)
        case let error as IOError: return String(cString: strerror(error.errnoCode))
        default:
            let text = "\(error)"
            guard isTLS else { return text }
            return ByteText(text).holds("WRONG_VERSION_NUMBER") || ByteText(text).holds("HTTP_REQUEST")
                ? "it does not speak TLS; use http:// for a server without TLS" : "TLS failed: \(text)"
        }
    }

    private static func words(_ error: HTTPClientError, isTLS: Bool) -> String {
        if error == .connectTimeout || error == .tlsHandshakeTimeout {
            return "no connection was made within 2 seconds"
                + (isTLS ? "; use http:// for a server without TLS" : "")
        }
        if error == .deadlineExceeded { return "the answer did not arrive within 10 seconds" }
        if error == .remoteConnectionClosed { return "it closed the connection" }
        return error.shortDescription
    }
}
