import Foundation
import NIOHTTP1
import Testing
import WasmnetTesting

extension Operations {
    /// The API's document and a real node: for any request, the answer's status is one that the document lists.
    @Suite struct DocumentedAnswersTests {
        private static let limits = """
            [network]
            allow = ["127.0.0.1"]
            max_connections = 2
            [limits]
            max_sessions = 3
            connects_per_sec = 10
            bytes_per_day = "1GiB"
            """

        /// For every parameter, in turn: valid and invalid values.
        private static let values = [
            "", "1", "0", "-1", "nobody", "a:127.0.0.1", "127.0.0.1", "a:local", "t:amy", "t:", "a:", "t:\u{7}",
            "\u{e9}",
            "%", "10.0.0.0/33", "::1", "[::1]:80", "localhost:80", "host:0", "host:99999", "999.1.1.1:80", "a..b:80",
            "*:80", ".:1", "\u{e9}.example:1", "x y:1", "true", "open", "18446744073709551616", "1.1", "..", "/",
            String(repeating: "x", count: 300), String(repeating: "a.", count: 130) + "b:1",
        ]
        private static let bodies = [
            nil, "", "{}", "[]", "null", "{", "\u{e9}", #"{"entries": []}"#, #"{"entries": ["%"]}"#,
            #"{"entries": ["10.0.0.0/99", "10.0.0.1"]}"#, #"{"entries": [{"entry": "*"}]}"#,
            #"{"entries": [{"entry": "198.51.100.1", "ttl_seconds": 1e300}]}"#,
            #"{"entries": [{"entry": "198.51.100.1", "ttl_seconds": 0.0001, "reason": "\u0007"}]}"#,
            #"{"entries": ["198.51.100.1"]}"#, #"{"max_connections": 0}"#, #"{"max_connections": -1}"#,
            #"{"max_connections": 1}"#,
            #"{"max_connections": 1, "ttl_seconds": 0.0001}"#, #"{"max_connections": 1, "ttl_seconds": 1e300}"#,
            #"{"max_connections": 9223372036854775808}"#, #"{"bytes_per_day": 18446744073709551615}"#,
            #"{"connects_per_sec": 1e300}"#, #"{"resolves_per_sec": 1}"#, #"{"level": "loud"}"#,
            #"{"level": "info"}"#,
        ]

        private func escaped(_ text: String) -> String {
            text.utf8.map { byte in
                let isPlain = (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte)
                return isPlain ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }.joined()
        }

        /// Path and query with this value for each of an operation's parameters.
        private func target(_ path: String, _ parameters: [[String: Any]], _ value: String) -> String {
            var (path, query) = (path, [String]())
            for parameter in parameters {
                let name = parameter["name"] as? String ?? ""
                if parameter["in"] as? String == "path" {
                    path = path.replacing("{\(name)}", with: self.escaped(value))
                } else {
                    query.append("\(name)=\(self.escaped(value))")
                }
            }
            return path + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
        }

        @Test func everyStatusIsInTheDocument() async throws {
            try await TestNode.withAdmin(policy: try TestNode.policy(Self.limits)) { _, admin in
                let paths = try await admin.ask(.GET, "/openapi.json")["paths"] as? [String: [String: [String: Any]]]
                var seen = 0
                for (path, methods) in try #require(paths).sorted(by: { $0.key < $1.key }) {
                    // One drains the node, the other does not end.
                    if ["/v1/drain", "/v1/events"].contains(path) { continue }
                    for (method, operation) in methods {
                        let documented = Set((operation["responses"] as? [String: Any] ?? [:]).keys)
                        let parameters = operation["parameters"] as? [[String: Any]] ?? []
                        let values = parameters.isEmpty ? [""] : Self.values
                        for value in values {
                            for body in operation["requestBody"] == nil ? [nil] : Self.bodies {
                                let target = self.target(path, parameters, value)
                                let (status, bytes) = try await admin.exchange(
                                    .init(rawValue: method.uppercased()), target, body)
                                // A path whose parameter is empty is another path.
                                if status == 404, value.isEmpty { continue }
                                seen += 1
                                #expect(
                                    documented.contains("\(status)"),
                                    "\(method) \(target) \(body ?? ""): \(status) \(String(decoding: bytes, as: UTF8.self))"
                                )
                            }
                        }
                    }
                }
                #expect(seen > 500)
            }
        }
    }
}
