import Synchronization

/// One session or socket of a client's allowance, held from before the dial until the end.
///
/// It is released exactly once: by the first ``release()``, or with the last reference, so it cannot leak. A class
/// because it is stored in classes and passed in a `Result`; any thread may release it.
package final class QuotaSlot: Sendable {
    package let kind: SlotKind
    private let owner: any SlotOwner
    private let isReleased = Atomic<Bool>(false)

    package init(_ kind: SlotKind, of owner: any SlotOwner) {
        self.kind = kind
        self.owner = owner
    }

    /// Releases the slot; later calls do nothing.
    package func release() {
        guard !self.isReleased.exchange(true, ordering: .acquiringAndReleasing) else { return }
        self.owner.slotReleased(self.kind)
    }

    deinit {
        self.release()
    }
}

/// The owner that granted a slot and takes it back.
package protocol SlotOwner: AnyObject, Sendable {
    /// Called exactly once for each slot, on any thread.
    func slotReleased(_ kind: SlotKind)
}
