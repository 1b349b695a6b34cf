import Foundation
import PrometheusMetrics
import Testing
import WasmnetAdmin

/// Compares the document and the server: every path, method and status.
@Suite(.timeLimit(.minutes(1))) struct ContractTests {
    /// One documented answer, and the request that produces it.
    private struct Case {
        let method: String
        let path: String
        let operation: JSONValue
        let status: Int
        let response: JSONValue
    }

    private static let methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"]

    private func document() async throws -> JSONValue {
        let answer = try await LiveServer.with {
            try await $0.send("GET", "/openapi.json", headers: ["Authorization": nil])
        }
        return try #require(answer.json)
    }

    private func cases(_ document: JSONValue) -> [Case] {
        let schemas = SchemaCheck(document: document)
        return (document["paths"]?.members ?? [:]).sorted { $0.key < $1.key }.flatMap { path, item in
            item.members.sorted { $0.key < $1.key }.flatMap { method, operation in
                (operation["responses"]?.members ?? [:]).sorted { $0.key < $1.key }.map { status, response in
                    Case(
                        method: method.uppercased(), path: path, operation: operation, status: Int(status) ?? 0,
                        response: schemas.resolved(response))
                }
            }
        }
    }

    @Test func noRouteWithoutItsDocumentNoDocumentWithoutItsRoute() async throws {
        let documented = Set(cases(try await document()).map { "\($0.method) \($0.path)" })
        let routes = try await LiveServer.with { $0.server.routes }
        #expect(Set(routes) == documented)
        #expect(routes.count == documented.count, "none is there twice")
        #expect(documented.count == 22)
    }

    @Test func everyDocumentedAnswerIsGivenInItsShape() async throws {
        let document = try await document()
        let cases = cases(document)
        #expect(cases.count > 150)
        for wanted in cases {
            let name = "\(wanted.method) \(wanted.path) -> \(wanted.status)"
            let answer = try await provoke(wanted)
            #expect(answer.status == wanted.status, "\(name)\n\(answer.body)")
            let content = wanted.response["content"]?.members ?? [:]
            let type = (answer.headers["content-type"] ?? "").split(separator: ";").first.map(String.init)
            #expect(
                content.isEmpty ? type == nil : type.map { content[$0] != nil } == true, "\(name): \(type ?? "no type")"
            )
            if type == "application/json", wanted.path != "/openapi.json" || wanted.status != 200 {
                let schema = content["application/json"]?["schema"] ?? .null
                let body = try #require(answer.json, "\(name)\n\(answer.body)")
                let problems = SchemaCheck(document: document).problems(body, schema)
                #expect(problems.isEmpty, "\(name): \(problems)")
                if let items = body["items"]?.array { #expect(!items.isEmpty, "\(name): nothing to judge") }
            }
            if content.isEmpty { #expect(answer.body.isEmpty, "\(name)") }
            for header in wanted.response["headers"]?.members ?? [:] {
                #expect(answer.headers[header.key.lowercased()] != nil, "\(name)")
            }
        }
    }

    private func provoke(_ wanted: Case) async throws -> Answer {
        let mood: FakeBackend.Mood =
            switch wanted.status {
            case 500: .broken
            case 503 where wanted.path != "/v1/events": .stuck
            case 422 where wanted.path == "/v1/policy/reload": .badPolicy
            default: .well
            }
        let isSlow = wanted.status == 503 || wanted.status == 408
        let configuration = isSlow ? LiveServer.impatient { $0.requestTime = .milliseconds(50) } : LiveServer.withToken
        let (path, query) = target(wanted)
        let example = wanted.operation["requestBody"]?["content"]?["application/json"]?["example"]?.text
        return try await LiveServer.with(configuration, FakeBackend(mood)) { live async throws in
            if wanted.path == "/v1/quota/{client}", wanted.method == "DELETE", wanted.status == 204 {
                _ = try await live.send("PUT", path, body: #"{"max_connections": 1}"#)
            }
            if wanted.path == "/v1/denylist", wanted.status == 200 {
                _ = try await live.send(
                    "POST", path, body: #"{"entries": [{"entry": "b", "ttl_seconds": 5, "reason": "x"}]}"#)
            }
            switch wanted.status {
            case 400: return try await live.send(wanted.method, path + "?nonsense=1", body: example)
            case 401:
                return try await live.send(wanted.method, path + query, body: example, headers: ["Authorization": nil])
            case 403:
                let foreign = ["Origin": "http://evil.example"]
                return try await live.send(wanted.method, path + query, body: example, headers: foreign)
            case 408: return try await live.send(wanted.method, path, body: "", headers: ["Content-Length": "10"])
            case 413:
                let large = String(repeating: " ", count: (1 << 20) + 1)
                return try await live.send(wanted.method, path + query, body: large)
            case 415:
                let plain = ["Content-Type": "text/plain"]
                return try await live.send(wanted.method, path + query, body: example, headers: plain)
            case 421:
                return try await live.send(
                    wanted.method, path + query, body: example, headers: ["Host": "evil.example"])
            case 422 where example != nil && wanted.path != "/v1/quota/{client}":
                return try await live.send(wanted.method, path + query, body: #"{"nonsense": 1}"#)
            default: break
            }
            guard wanted.path == "/v1/events" else {
                return try await live.send(wanted.method, path + query, body: example)
            }
            return try await EventReader.answer(of: live, others: wanted.status == 503 ? 16 : 0)
        }
    }

    /// The path with its examples, and the query with all of them.
    private func target(_ wanted: Case) -> (path: String, query: String) {
        var path = wanted.path
        var query: [String] = []
        for parameter in wanted.operation["parameters"]?.array ?? [] {
            guard let name = parameter["name"]?.string else { continue }
            var example = parameter["example"]?.string ?? ""
            var unreserved = CharacterSet.alphanumerics
            unreserved.insert(charactersIn: "-._~")
            if wanted.status == 422 {
                if name == "client" { example = "unreadable" }
                if name == "destination" { example = "unreadable:1" }
            }
            if parameter["in"]?.string == "path" {
                if wanted.status == 404 { example = "missing" }
                path = path.replacing(
                    "{\(name)}", with: example.addingPercentEncoding(withAllowedCharacters: unreserved) ?? "")
            } else {
                query.append("\(name)=\(example.addingPercentEncoding(withAllowedCharacters: unreserved) ?? "")")
            }
        }
        return (path, query.isEmpty ? "" : "?" + query.joined(separator: "&"))
    }

    @Test func everyOtherMethodIsAnswered405WithThoseThereAre() async throws {
        let document = try await document()
        try await LiveServer.with { live async throws in
            for (path, item) in document["paths"]?.members ?? [:] {
                var there = Set(item.members.keys.map { $0.uppercased() })
                if there.contains("GET") { there.insert("HEAD") }
                let target = path.replacing("{id}", with: "1").replacing("{session}", with: "1").replacing(
                    "{client}", with: "c")
                for method in Self.methods.map({ $0.uppercased() }) where !there.contains(method) {
                    let answer = try await live.send(method, target)
                    #expect(answer.status == 405, "\(method) \(path)")
                    if method != "HEAD" { #expect(answer.code == "method_not_allowed", "\(method) \(path)") }
                    let allowed = (answer.headers["allow"] ?? "").split(separator: ", ").map(String.init)
                    #expect(Set(allowed) == there, "\(method) \(path)")
                }
            }
        }
    }

    @Test func theDataOfAnEventIsASnapshotInItsShape() async throws {
        let document = try await document()
        let answer = try await LiveServer.with { try await EventReader.answer(of: $0, others: 0) }
        // The body arrives in chunks: the data is on a separate line.
        let data = try #require(answer.body.split(whereSeparator: \.isNewline).first { $0.hasPrefix("data: ") })
        let snapshot = try #require(JSONValue(String(data.dropFirst("data: ".count))))
        let schema = document["components"]?["schemas"]?["Snapshot"] ?? .null
        #expect(SchemaCheck(document: document).problems(snapshot, schema).isEmpty)
    }

    @Test func headIsGetWithoutItsBody() async throws {
        try await LiveServer.with { live async throws in
            for path in ["/livez", "/v1/sessions", "/openapi.json", "/v1/nothing"] {
                let get = try await live.send("GET", path)
                let head = try await live.send("HEAD", path)
                #expect(head.status == get.status, "\(path)")
                #expect(head.headers["content-length"] == "\(get.body.utf8.count)", "\(path)")
                #expect(head.body.isEmpty, "\(path)")
            }
        }
    }
}
