import FoundationEssentials
import NIOCore
import NIOHTTP1

/// An answer before it is written.
struct Reply: Sendable {
    enum Body: Sendable {
        case bytes(ByteBuffer, type: String)
        case none
        /// Written as it is produced.
        case stream(type: String, Source)
    }

    /// Writes parts with its argument until it returns; it throws if the client is gone. It is cancelled if the server stops.
    typealias Source = @Sendable (_ write: @escaping @Sendable (ByteBuffer) async throws -> Void) async throws -> Void

    var status: HTTPResponseStatus = .ok
    var body: Body
    var headers = HTTPHeaders()
    /// What was changed, for the audit; nil: the path's parameters.
    var subject: String?

    static func json(_ value: some Encodable, status: HTTPResponseStatus = .ok, subject: String? = nil) throws -> Reply
    {
        let bytes = try JSONText.encode(value)
        return Reply(
            status: status, body: .bytes(ByteBuffer(bytes: bytes), type: "application/json"), subject: subject)
    }

    static func bytes(_ bytes: some Sequence<UInt8> & Sendable, type: String) -> Reply {
        Reply(body: .bytes(ByteBuffer(bytes: bytes), type: type))
    }

    static let noContent = Reply(status: .noContent, body: .none)

    static func error(_ error: AdminError) -> Reply {
        struct Envelope: Encodable {
            struct Content: Encodable {
                let code: String
                let message: String
            }
            let error: Content
        }
        let envelope = Envelope(error: .init(code: error.code, message: error.message))
        let bytes = (try? JSONText.encode(envelope)) ?? Array(#"{"error":{"code":"internal","message":""}}"#.utf8)
        var reply = Reply(
            status: HTTPResponseStatus(statusCode: error.status),
            body: .bytes(ByteBuffer(bytes: bytes), type: "application/json"))
        for header in error.headers { reply.headers.add(name: header.name, value: header.value) }
        return reply
    }

    /// All header fields of the answer except those about the connection; those of a HEAD are those of the GET.
    var fields: HTTPHeaders {
        var fields = self.headers
        // Nothing here may be cached, or guessed at by a browser.
        if !fields.contains(name: "Cache-Control") { fields.add(name: "Cache-Control", value: "no-store") }
        fields.add(name: "X-Content-Type-Options", value: "nosniff")
        switch self.body {
        case .none: break
        case .bytes(let bytes, let type):
            fields.add(name: "Content-Type", value: type)
            fields.add(name: "Content-Length", value: "\(bytes.readableBytes)")
        case .stream(let type, _): fields.add(name: "Content-Type", value: type)
        }
        return fields
    }
}

/// JSON as written and read by this server: snake_case, members in the order of their names.
enum JSONText {
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
        return Array(try encoder.encode(value))
    }

    /// - Throws: ``AdminError``, 400 if it is not JSON and 422 if it is not of the expected shape.
    static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws(AdminError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let error as BodyError {
            throw Self.wrong(error.path, error.message)
        } catch DecodingError.dataCorrupted(let context) where Self.isJSON(bytes) {
            throw Self.wrong(Self.path(context.codingPath), "a value cannot be read")
        } catch DecodingError.keyNotFound(let key, let context) {
            throw Self.wrong(Self.path(context.codingPath + [key]), "it is missing")
        } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context) {
            throw Self.wrong(Self.path(context.codingPath), "it has the wrong type")
        } catch {
            throw .badRequest("bad_json", "the body is not JSON")
        }
    }

    /// Whether it is JSON of any shape: the decoder reads all of a text before it decodes.
    private static func isJSON(_ bytes: [UInt8]) -> Bool {
        struct Anything: Decodable {
            init(from decoder: any Decoder) {}
        }
        return (try? JSONDecoder().decode(Anything.self, from: Data(bytes))) != nil
    }

    /// `entries.0.reason`.
    static func path(_ keys: [any CodingKey]) -> String {
        keys.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
    }

    private static func wrong(_ path: String, _ message: String) -> AdminError {
        .unprocessable("bad_body", path.isEmpty ? message : "\(path): \(message)")
    }
}
