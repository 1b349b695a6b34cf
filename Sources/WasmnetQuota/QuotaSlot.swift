import Synchronization

/// Something held: given back once, by whoever owns it, or at the latest when nobody does any more.
package final class QuotaSlot: Sendable {
    private let isReleased = Atomic(false)
    private let onRelease: @Sendable () -> Void

    package init(onRelease: @escaping @Sendable () -> Void) {
        self.onRelease = onRelease
    }

    deinit {
        self.release()
    }

    /// Gives it back; a second call does nothing.
    package func release() {
        if !self.isReleased.exchange(true, ordering: .acquiringAndReleasing) { self.onRelease() }
    }
}
