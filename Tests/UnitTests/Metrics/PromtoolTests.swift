import CoreMetrics
import Foundation
import PrometheusMetrics
import Testing
import WasmnetTesting

/// Prometheus' own judgement of the text (Debian package prometheus).
@Suite struct PromtoolTests {
    private func check(_ text: [UInt8]) async throws -> (status: Int32, output: String) {
        try await ChildProgram.run(
            "/usr/bin/promtool", ["check", "metrics"], input: String(decoding: text, as: UTF8.self))
    }

    @Test func promtoolAcceptsTheTextAndRejectsABadOne() async throws {
        let dial = MetricDescription("dial_duration_seconds", .histogram, help: "Dials.", unit: "seconds")
        let opens = MetricDescription("opens_total", .counter, help: "Opens by outcome \\ \n and kind.")
        let (registry, factory) = try ExpositionTests.registry([dial, opens] + PrometheusRegistry.processDescriptions)
        registry.addProcessMetrics()
        Counter(label: "opens", dimensions: [("kind", "t\"c\\p\n漢")], factory: factory).increment()
        Timer(label: "dial_duration_seconds", dimensions: [("kind", "tcp")], factory: factory).recordSeconds(2)
        let text = registry.exposition(.text)
        let said = try await check(text)
        #expect(said.status == 0 && said.output.isEmpty, "\(said.output)")
        Counter(label: "undescribed", factory: factory).increment()
        #expect(try await check(registry.exposition(.text)).output.contains("no help text"))
        #expect(try await check(text + Array("x{ 1\n".utf8)).status != 0)
    }

    #if os(Linux)
    @Test func theProcessOwnFigures() throws {
        let (registry, _) = try ExpositionTests.registry(PrometheusRegistry.processDescriptions)
        registry.addProcessMetrics()
        let samples = try #require(TextReader.samples(of: ExpositionTests.text(registry)))
        func value(_ name: String) -> Double { samples[SampleKey(name: name, labels: [:])] ?? -1 }
        #expect(value("process_resident_memory_bytes") > 1_000_000)
        #expect(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"))
        #expect(value("process_cpu_seconds_total") >= 0)
        #expect(value("process_threads") >= 1)
        #expect(value("process_open_fds") >= 3 && value("process_open_fds") <= value("process_max_fds"))
        #expect(abs(value("process_start_time_seconds") - Date().timeIntervalSince1970) < 86_400)
    }
    #endif
}
