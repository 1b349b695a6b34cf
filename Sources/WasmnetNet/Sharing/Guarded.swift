import Synchronization

/// A value behind a lock, shared by reference: the only way in which threads share what an `Atomic` cannot hold.
///
/// It is a `Mutex` that ThreadSanitizer can follow: on Linux it does not see the futex of a Swift 6.3 `Mutex` and reports correct
/// programs; it does see this acquire and release, which the lock already implies (on x86-64 they are plain moves).
package final class Guarded<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>
    private let handedOn = Atomic<Bool>(false)

    package init(_ value: Value) {
        self.mutex = Mutex(value)
    }

    package func withLock<Answer, Failure: Error>(_ body: (inout Value) throws(Failure) -> Answer) throws(Failure)
        -> Answer
    {
        try self.mutex.withLock { value throws(Failure) in
            _ = self.handedOn.load(ordering: .acquiring)
            defer { self.handedOn.store(true, ordering: .releasing) }
            return try body(&value)
        }
    }
}
