import CoreMetrics
import Foundation
import NIOCore
import NIOPosix
import PrometheusMetrics
import Testing
import WasmnetAdmin
import WasmnetTesting

/// A real Prometheus (Debian package prometheus) and our port.
@Suite(.timeLimit(.minutes(2))) struct ScrapeTests {
    /// A port that was free a moment ago.
    private func freePort() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port ?? 0
        try await channel.close()
        return port
    }

    private func ask(_ path: String, port: Int) async throws -> JSONValue {
        let request = "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        return try Answer(try await Connection.exchange(request, port: port)).json ?? .null
    }

    @Test func itScrapesWithTheTokenAndHasTheNumbers() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "scrape-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let port = try await freePort()
        try await LiveServer.with { live async throws in
            let factory = PrometheusMetricsFactory(live.registry)
            Counter(label: "opens", dimensions: [("kind", "a\"b\\c\nd")], factory: factory).increment(by: 7)
            Timer(label: "dial_seconds", factory: factory).recordSeconds(0.02)
            let configuration = """
                global: {scrape_interval: 500ms, scrape_timeout: 500ms}
                scrape_configs:
                - job_name: node
                  authorization: {credentials: \(LiveServer.token)}
                  static_configs: [{targets: ['127.0.0.1:\(live.address.port)']}]
                """
            let file = folder.appending(path: "prometheus.yml")
            try configuration.write(to: file, atomically: true, encoding: .utf8)
            let process = ChildProcess(
                "/usr/bin/prometheus",
                [
                    "--config.file=\(file.path)", "--storage.tsdb.path=\(folder.appending(path: "data").path)",
                    "--web.listen-address=127.0.0.1:\(port)", "--log.level=info",
                ])
            try await process.launch(until: "Server is ready to receive web requests")
            var target: JSONValue?
            var problem = ""
            repeat {
                let targets = try await self.ask("/api/v1/targets", port: port)
                target = targets["data"]?["activeTargets"]?.array.first
                problem = target?["lastError"]?.string ?? ""
                // On a busy machine a scrape may be late: the next is enough.
            } while target?["health"]?.string != "up" && (problem.isEmpty || problem.contains("deadline"))
            #expect(target?["health"]?.string == "up", "\(problem)")
            for (query, value) in [
                ("opens_total", "7"), ("dial_seconds_count", "1"), ("dial_seconds_bucket%7Ble=%220.025%22%7D", "1"),
                ("up", "1"),
            ] {
                var result: JSONValue?
                // A target is up a moment before its samples can be queried.
                repeat {
                    let answer = try await self.ask("/api/v1/query?query=" + query, port: port)
                    #expect(answer["status"]?.string == "success")
                    result = answer["data"]?["result"]?.array.first
                } while result == nil
                #expect(result?["value"]?.array.last?.string == value, "\(query)")
                if query == "opens_total" { #expect(result?["metric"]?["kind"]?.string == "a\"b\\c\nd") }
            }
            await process.kill()
        }
    }
}
