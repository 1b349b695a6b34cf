import CoreMetrics
import Synchronization

/// A number that is set, or moved up and down; one word, because every thread's next move must see a set.
final class GaugeSeries: MeterHandler, RecorderHandler {
    private let bits = AtomicWord(0)

    func set(_ value: Int64) { self.set(Double(value)) }
    func set(_ value: Double) { self.bits.store(value.bitPattern, ordering: .relaxed) }
    func increment(by amount: Double) { self.bits.add(amount) }
    func decrement(by amount: Double) { self.bits.add(-amount) }
    func record(_ value: Int64) { self.set(value) }
    func record(_ value: Double) { self.set(value) }

    var value: Double { self.bits.double }
}
