import Synchronization

/// A value behind a `Mutex` that ThreadSanitizer can follow.
///
/// On Linux it does not see the futex of a Swift 6.3 `Mutex` and reports correct programs; it does see this acquire and
/// release, which the lock already implies (on x86-64 they are plain moves). The value cannot be reached without the lock.
package struct Guarded<Value: Sendable>: ~Copyable, Sendable {
    private let mutex: Mutex<Value>
    private let handedOn = Atomic<Bool>(false)

    package init(_ value: Value) {
        self.mutex = Mutex(value)
    }

    package func withLock<Answer>(_ body: (inout Value) -> Answer) -> Answer {
        self.mutex.withLock { value in
            _ = self.handedOn.load(ordering: .acquiring)
            defer { self.handedOn.store(true, ordering: .releasing) }
            return body(&value)
        }
    }
}
