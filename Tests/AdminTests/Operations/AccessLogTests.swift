import InMemoryTracing
import NIOCore
import NIOHTTP1
import Testing
import Tracing
import Wasmnet
import WasmnetProtocol
import WasmnetTesting

extension Operations {
    @Suite struct AccessLogTests {
        /// One socket that carries some bytes, and one that is refused.
        private func converse(_ node: TestNode, headers: HTTPHeaders = [:]) async throws {
            let target = try await TestTarget.start(.echo)
            let client = try await TestClient.open(node, headers: headers)
            try await client.connect(1, to: target)
            client.send(.send(1, ByteBuffer(string: "12345")))
            try await client.expect(.data(1))
            client.send(.close(1))
            #expect(try await client.nextEnd().1 == .clientClosed)
            client.send(.connect(2, host: "127.0.0.1", port: 1))
            #expect(try await client.nextEnd().1 == .refused)
            await client.close()
            await target.stop()
        }

        @Test func aSocketsEndIsOneLine() async throws {
            let log = LogLines()
            try await TestNode.withAdmin(configure: { $0.logger = log.logger() }) { node, _ in
                try await self.converse(node)
                let line = try await log.line("socket ended")
                #expect(line.metadata["client"] == "a:127.0.0.1" && line.metadata["reason"] == "client_closed")
                #expect(line.metadata["up"] == "5" && line.metadata["down"] == "5" && line.metadata["kind"] == "tcp")
                #expect(line.metadata["destination"]?.hasPrefix("127.0.0.1:") == true)
                for time in ["ms", "dial_ms", "first_byte_ms"] {
                    #expect(line.metadata[time].flatMap { Double($0) } != nil, "\(time)")
                }
                let refused = try await log.line("open refused")
                #expect(refused.metadata["reason"] == "refused" && refused.metadata["destination"] == "127.0.0.1:1")
                #expect(log.lines("socket ended").count == 1 && log.lines("open refused").count == 1)
            }
        }

        @Test func aSampleLeavesOutAllButDenials() async throws {
            let log = LogLines()
            let policy = try TestNode.policy("[network]\nallow = [\"127.0.0.1\"]\n")
            try await TestNode.withAdmin(
                policy: policy,
                configure: {
                    $0.logger = log.logger()
                    $0.accessLogSample = 0
                }
            ) { node, _ in
                try await self.converse(node)
                let client = try await TestClient.open(node)
                client.send(.connect(1, host: "10.0.0.1", port: 1))
                #expect(try await client.nextEnd().1 == .policyDenied)
                #expect(try await log.line("open refused").metadata["reason"] == "policy_denied")
                #expect(log.lines("socket ended").isEmpty && log.lines("open refused").count == 1)
                await client.close()
            }
        }

        /// Of one client's refusals 20 are logged at once and 5 a second; the rest is counted. Another client's are separate.
        @Test func refusalsAreLimitedByClient() async throws {
            let log = LogLines()
            let policy = try TestNode.policy(
                "network.allow = [\"*\"]\nclients.trusted_proxies = [\"127.0.0.1\"]\nlimits.refusals_per_sec = 0")
            try await TestNode.withAdmin(
                policy: policy, configure: { $0.logger = log.logger() }
            ) { node, admin in
                let client = try await TestClient.open(node, headers: ["X-Forwarded-For": "203.0.113.1"])
                let start = ContinuousClock.now
                for id in 1...500 { client.send(.connect(SocketID(id), host: "10.0.0.1", port: 1)) }
                for _ in 1...500 { #expect(try await client.nextEnd().1 == .policyDenied) }
                let other = try await TestClient.open(node, headers: ["X-Forwarded-For": "203.0.113.2"])
                other.send(.connect(1, host: "10.0.0.1", port: 1))
                #expect(try await other.nextEnd().1 == .policyDenied)
                func lines(_ client: String) -> [LogLines.Line] {
                    log.lines("open refused").filter { $0.metadata["client"] == client }
                }
                let most = 20 + 5 * Int((ContinuousClock.now - start).components.seconds + 1)
                #expect((20...most).contains(lines("a:203.0.113.1").count))
                #expect(lines("a:203.0.113.2").count == 1)
                // The number left out is reported, and metrics count all.
                let rest = try await log.line("refusals were left out of the log")
                #expect(rest.metadata["client"] == "a:203.0.113.1")
                let told = lines("a:203.0.113.1").count + (Int(rest.metadata["suppressed"] ?? "") ?? 0)
                let inLines = lines("a:203.0.113.1").compactMap { $0.metadata["suppressed"].flatMap { Int($0) } }
                #expect(told + inLines.reduce(0, +) == 500)
                try await admin.shows(#"wasmnet_denials_total{reason="policy_denied"}"#, 501)
                try await admin.shows("wasmnet_refused_messages_total", 501)
                await client.close()
                await other.close()
            }
        }

        @Test func spansHangOnTheRequestsTrace() async throws {
            let tracer = InMemoryTracer()
            try await TestNode.withAdmin(configure: { $0.tracer = tracer }) { node, admin in
                try await self.converse(
                    node, headers: ["traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"])
                try await admin.shows("wasmnet_sessions", 0)
            }
            let spans = tracer.finishedSpans
            let session = try #require(spans.first { $0.operationName == "wasmnet.session" })
            let sockets = spans.filter { $0.operationName == "wasmnet.socket" }
            #expect(sockets.count == 2)
            #expect(sockets.allSatisfy { $0.parentSpanID == session.spanID && $0.traceID == session.traceID })
            #expect(sockets.allSatisfy { $0.startInstant.nanosecondsSinceEpoch <= $0.endInstant.nanosecondsSinceEpoch })
            #expect(tracer.performedContextExtractions.count == 1)
        }
    }
}
