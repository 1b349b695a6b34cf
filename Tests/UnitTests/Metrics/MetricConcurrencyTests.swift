import CoreMetrics
import Foundation
import NIOConcurrencyHelpers
import PrometheusMetrics
import Synchronization
import Testing

/// Many threads count while others scrape.
@Suite(.timeLimit(.minutes(1))) struct MetricConcurrencyTests {
    /// Runs the bodies on separate threads, more than there are processors, and waits for all.
    private func threads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        let ended = DispatchGroup()
        for index in 0..<count {
            ended.enter()
            Thread {
                body(index)
                ended.leave()
            }.start()
        }
        ended.wait()
    }

    /// The value of a sample; nil if it is not exposed.
    private func value(_ sample: String, in text: String) -> Double? {
        text.split(separator: "\n").first { $0.hasPrefix(sample + " ") }.flatMap {
            Double($0.dropFirst(sample.utf8.count + 1))
        }
    }

    @Test(arguments: [1, 2, 8])
    func aScrapeSeesEachValueWholeBucketsCountAndSumAgreeAtEveryMoment(shards: Int) throws {
        let registry = try PrometheusRegistry(shards: shards)
        let factory = PrometheusMetricsFactory(registry)
        let recorder = Recorder(label: "r", factory: factory)
        let rounds = 30_000
        let writers = 6
        let isOver = Atomic<Int>(0)
        let scrapes = Atomic<Int>(0)
        let torn = NIOLockedValueBox<String?>(nil)
        threads(writers + 2) { thread in
            if thread < writers {
                // 1 second falls in one bucket, 20 in the last: the sum shows the number of each.
                for round in 0..<rounds { recorder.record(round % 2 == 0 ? 1 : 20) }
                isOver.wrappingAdd(1, ordering: .sequentiallyConsistent)
                return
            }
            var last = 0.0
            repeat {
                let text = ExpositionTests.text(registry)
                let one = self.value(#"r_bucket{le="1"}"#, in: text) ?? -1
                let all = self.value(#"r_bucket{le="+Inf"}"#, in: text) ?? -1
                let count = self.value("r_count", in: text) ?? -1
                let sum = self.value("r_sum", in: text) ?? -1
                if count != all || sum != one + 20 * (all - one) || count < last {
                    return torn.withLockedValue { $0 = "\(one) of \(all), count \(count) after \(last), sum \(sum)" }
                }
                last = count
                scrapes.wrappingAdd(1, ordering: .relaxed)
            } while isOver.load(ordering: .sequentiallyConsistent) < writers
        }
        let text = ExpositionTests.text(registry)
        #expect(self.value("r_count", in: text) == Double(writers * rounds))
        #expect(self.value("r_sum", in: text) == Double(writers * rounds) * 10.5)
        #expect(torn.withLockedValue { $0 } == nil)
        #expect(scrapes.load(ordering: .relaxed) > 0)
    }

    @Test func nothingIsLostAndACounterNeverFallsWhileSeriesCome() throws {
        let registry = try PrometheusRegistry(shards: 2)
        let factory = PrometheusMetricsFactory(registry)
        let counter = Counter(label: "c", factory: factory)
        let meter = Meter(label: "m", factory: factory)
        let isOver = Atomic<Int>(0)
        let fell = NIOLockedValueBox<String?>(nil)
        threads(6) { thread in
            switch thread {
            case 0..<4:
                for _ in 0..<20_000 {
                    counter.increment()
                    meter.increment(by: 1)
                    meter.decrement(by: 1)
                }
                isOver.wrappingAdd(1, ordering: .sequentiallyConsistent)
            case 4:
                var round = 0
                repeat {
                    let passing = Counter(label: "p", dimensions: [("n", "\(round % 50)")], factory: factory)
                    passing.increment()
                    round += 1
                } while isOver.load(ordering: .sequentiallyConsistent) < 4
            default:
                var last = -1.0
                repeat {
                    let value = self.value("c_total", in: ExpositionTests.text(registry, .openMetrics)) ?? -2
                    if value < last { fell.withLockedValue { $0 = "\(value) after \(last)" } }
                    last = value
                } while isOver.load(ordering: .sequentiallyConsistent) < 4
            }
        }
        let text = ExpositionTests.text(registry)
        #expect(fell.withLockedValue { $0 } == nil)
        #expect(self.value("c_total", in: text) == 80_000)
        #expect(self.value("m", in: text) == 0)
        #expect((3...52).contains(registry.seriesCount))
    }
}
