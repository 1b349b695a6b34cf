import NIOHTTP1

/// An error as answered to a request: a status, a code for programs and a message for people.
package struct AdminError: Error, Sendable, Hashable {
    struct Header: Hashable {
        let name: String
        let value: String
    }

    /// The HTTP status.
    package let status: Int
    /// From a closed list per status, snake_case.
    package let code: String
    package let message: String
    /// Header fields in addition to the usual ones.
    var headers: [Header] = []

    package init(status: Int, code: String, message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    /// The request itself is wrong.
    package static func badRequest(_ code: String, _ message: String) -> Self {
        Self(status: 400, code: code, message: message)
    }

    package static func notFound(_ message: String) -> Self { Self(status: 404, code: "not_found", message: message) }

    /// It can be read, but its content is invalid: a malformed entry, an invalid policy.
    package static func unprocessable(_ code: String, _ message: String) -> Self {
        Self(status: 422, code: code, message: message)
    }

    /// The node cannot do it now, such as with Redis out of reach.
    package static func unavailable(_ code: String, _ message: String) -> Self {
        Self(status: 503, code: code, message: message)
    }

    static func unauthorized(isTokenWrong: Bool) -> Self {
        var error = Self(
            status: 401, code: isTokenWrong ? "wrong_token" : "no_token",
            message: isTokenWrong ? "the bearer token is wrong" : "a bearer token is required")
        let challenge = #"Bearer realm="wasmnet admin""# + (isTokenWrong ? #", error="invalid_token""# : "")
        error.headers = [Header(name: "WWW-Authenticate", value: challenge)]
        return error
    }

    static func methodNotAllowed(allowing methods: [HTTPMethod]) -> Self {
        let names = methods.map(\.rawValue).joined(separator: ", ")
        var error = Self(status: 405, code: "method_not_allowed", message: "this path takes \(names)")
        error.headers = [Header(name: "Allow", value: names)]
        return error
    }

    static let internalError = Self(status: 500, code: "internal", message: "the node failed; see its log")
    static let tooSlow = Self(status: 503, code: "timeout", message: "the node did not answer in time")
    static let bodyTooSlow = Self(status: 408, code: "request_timeout", message: "the body did not arrive in time")
    static let bodyBroken = Self.badRequest("bad_request", "the body is malformed or incomplete")
    static let bodyTooLarge = Self(status: 413, code: "too_large", message: "a body is at most 1 MiB")
}

/// A body that is JSON but not of the expected shape.
struct BodyError: Error {
    let path: String
    let message: String

    init(path: String, _ message: String) {
        self.path = path
        self.message = message
    }
}
