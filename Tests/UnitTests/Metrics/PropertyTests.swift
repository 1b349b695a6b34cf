import CoreMetrics
import PrometheusMetrics
import Testing
import WasmnetTesting

/// Random programs of metrics against a reader of the text that shares no code with its writer.
@Suite struct PropertyTests {
    private static let alphabet: [Character] = [
        "a", "b", "Z", "_", ":", ".", "-", "9", "\"", "\\", "\n", "{", "}", "=", ",", " ", "é", "\u{0}", "漢", "#",
    ]

    private func word(_ random: inout SeededRandom, upTo length: Int) -> String {
        String(
            (0..<Int.random(in: 0...length, using: &random)).compactMap { _ in
                Self.alphabet.randomElement(using: &random)
            })
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func anyLabelsAndValuesSurviveTheTextInOneOrder(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let registry = try PrometheusRegistry(shards: 2)
        let factory = PrometheusMetricsFactory(registry)
        var expected: [SampleKey: Double] = [:]
        for _ in 0..<80 {
            let name = ["x", "y", "zz", "q"].randomElement(using: &random) ?? "x"
            let names = ["a", "b", "c"].shuffled(using: &random).prefix(Int.random(in: 0...3, using: &random))
            let labels = names.map { ($0, self.word(&random, upTo: 6)) }
            let kept = Dictionary(uniqueKeysWithValues: labels.filter { !$0.1.isEmpty })
            let amount = Int64.random(in: 0...1_000, using: &random)
            Counter(label: name, dimensions: labels, factory: factory).increment(by: amount)
            expected[SampleKey(name: name + "_total", labels: kept), default: 0] += Double(amount)
        }
        for format in ExpositionFormat.allCases {
            let text = ExpositionTests.text(registry, format)
            let read = try #require(TextReader.samples(of: text), "seed \(seed)\n\(text)")
            let own = read.filter { $0.key.name.hasPrefix("metrics_") }
            #expect(read.filter { !$0.key.name.hasPrefix("metrics_") } == expected, "seed \(seed)")
            #expect(own.count == 7, "seed \(seed)")
            #expect(ExpositionTests.text(registry, format) == text, "seed \(seed): the order is one")
        }
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func whateverAProgramCallsItsMetricsTheTextCanBeRead(seed: UInt64) throws {
        var random = SeededRandom(seed &+ 1_000)
        let registry = try PrometheusRegistry(limits: SeriesLimits(seriesPerMetric: 4, metrics: 30), shards: 1)
        let factory = PrometheusMetricsFactory(registry)
        for _ in 0..<100 {
            let label =
                self.word(&random, upTo: 4) + (["", "_total", "_sum", "_bucket"].randomElement(using: &random) ?? "")
            let labels = (0..<Int.random(in: 0...3, using: &random)).map { _ in
                (self.word(&random, upTo: 3), self.word(&random, upTo: 5))
            }
            switch Int.random(in: 0..<4, using: &random) {
            case 0: Counter(label: label, dimensions: labels, factory: factory).increment()
            case 1: Meter(label: label, dimensions: labels, factory: factory).set(1)
            case 2: Timer(label: label, dimensions: labels, factory: factory).recordNanoseconds(5)
            default: registry.addGauge(label, labels: labels) { 2 }
            }
        }
        for format in ExpositionFormat.allCases {
            let text = ExpositionTests.text(registry, format)
            #expect(TextReader.samples(of: text) != nil, "seed \(seed)\n\(text)")
        }
    }
}

struct SampleKey: Hashable {
    let name: String
    let labels: [String: String]
}

/// A strict reader of both texts, written from the formats' descriptions.
enum TextReader {
    /// - Returns: nil if a line violates the format, a sample is duplicated, or a metric's lines are apart or untyped.
    static func samples(of text: String) -> [SampleKey: Double]? {
        var samples: [SampleKey: Double] = [:]
        var types: [String: String] = [:]
        var current = ""
        guard text.hasSuffix("\n") else { return nil }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            if line == "# EOF" { continue }
            if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                guard words.count == 4, types.updateValue(String(words[3]), forKey: String(words[2])) == nil else {
                    return nil
                }
                current = String(words[2])
                continue
            }
            if line.hasPrefix("# HELP ") || line.hasPrefix("# UNIT ") { continue }
            guard let (key, value) = sample(of: line), samples.updateValue(value, forKey: key) == nil else {
                return nil
            }
            let suffixes = types[current] == "histogram" ? ["_bucket", "_sum", "_count"] : ["", "_total"]
            guard suffixes.contains(where: { key.name == current + $0 }) else { return nil }
        }
        return samples
    }

    private static func sample(of line: Substring) -> (SampleKey, Double)? {
        var rest = line[...]
        let name = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") }
        guard let first = name.first, !first.isNumber else { return nil }
        rest = rest.dropFirst(name.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest.removeFirst()
            while true {
                let label = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
                rest = rest.dropFirst(label.count)
                guard !label.isEmpty, rest.hasPrefix("=\"") else { return nil }
                rest = rest.dropFirst(2)
                guard let value = quoted(&rest), labels.updateValue(value, forKey: String(label)) == nil else {
                    return nil
                }
                guard let next = rest.popFirst() else { return nil }
                if next == "}" { break }
                guard next == "," else { return nil }
            }
        }
        guard rest.popFirst() == " ", let value = Double(rest.replacing("+Inf", with: "inf")) else { return nil }
        return (SampleKey(name: String(name), labels: labels), value)
    }

    /// Up to and including the closing quote.
    private static func quoted(_ rest: inout Substring) -> String? {
        var value = ""
        while let character = rest.unicodeScalars.popFirst() {
            switch character {
            case "\"": return value
            case "\\":
                switch rest.unicodeScalars.popFirst() {
                case "\\": value.unicodeScalars.append("\\")
                case "\"": value.unicodeScalars.append("\"")
                case "n": value.unicodeScalars.append("\n")
                default: return nil
                }
            default: value.unicodeScalars.append(character)
            }
        }
        return nil
    }
}
