import WasmnetNet

/// Limits the number of clients that read events at once.
final class EventSlots: Sendable {
    /// Released with its last reference, so even if the answer was never written.
    final class Slot: Sendable {
        private let slots: EventSlots
        fileprivate init(_ slots: EventSlots) { self.slots = slots }
        deinit { self.slots.giveBack() }
    }

    private let free: Guarded<Int>

    init(_ count: Int) { self.free = Guarded(count) }

    /// - Returns: nil if all are taken.
    func take() -> Slot? {
        let isFree = self.free.withLock { free in
            guard free > 0 else { return false }
            free -= 1
            return true
        }
        return isFree ? Slot(self) : nil
    }

    private func giveBack() { self.free.withLock { $0 += 1 } }
}
