import Synchronization

/// One session or socket of a client's allowance, held from before the dial until the end.
///
/// It is given back exactly once: by the first ``release()``, or when the last reference goes, so no way out can leak it. A class
/// because it is kept in classes and travels in a `Result`; any thread may release it.
package final class QuotaSlot: Sendable {
    package let kind: SlotKind
    private let owner: any SlotOwner
    private let isReleased = Atomic<Bool>(false)

    package init(_ kind: SlotKind, of owner: any SlotOwner) {
        self.kind = kind
        self.owner = owner
    }

    /// Gives the slot back; later calls do nothing.
    package func release() {
        guard !self.isReleased.exchange(true, ordering: .acquiringAndReleasing) else { return }
        self.owner.slotReleased(self.kind)
    }

    deinit {
        self.release()
    }
}

/// Who gave a slot out and takes it back.
package protocol SlotOwner: AnyObject, Sendable {
    /// Called exactly once for each slot, on any thread.
    func slotReleased(_ kind: SlotKind)
}
