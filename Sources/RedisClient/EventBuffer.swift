import WasmnetNet
import NIOCore

/// Holds events for one reader. When it is full it drops new events until it has been read empty, and then reports that:
/// the reader learns of the loss after the last event it received.
final class EventBuffer: Sendable {
    private struct State {
        var events = CircularBuffer<RedisSubscriber.Event>()
        var hasLost = false
        var isFinished = false
        var reader: CheckedContinuation<RedisSubscriber.Event?, Never>?
    }

    private let capacity: Int
    private let state = Guarded(State())

    init(capacity: Int) {
        self.capacity = max(1, capacity)
    }

    /// Whether a reader waits for the next event.
    var hasReader: Bool {
        state.withLock { $0.reader != nil }
    }

    func append(_ event: RedisSubscriber.Event) {
        let reader: CheckedContinuation<RedisSubscriber.Event?, Never>? = state.withLock { state in
            guard !state.isFinished else { return nil }
            if let reader = state.reader {
                state.reader = nil
                return reader
            }
            if state.hasLost || state.events.count >= capacity {
                state.hasLost = true
            } else {
                state.events.append(event)
            }
            return nil
        }
        reader?.resume(returning: event)
    }

    /// The next event; nil at the end, and for a second reader while one waits.
    func next() async -> RedisSubscriber.Event? {
        await withCheckedContinuation { continuation in
            let ready: RedisSubscriber.Event?? = state.withLock { state in
                if let event = state.events.popFirst() { return .some(event) }
                if state.hasLost {
                    state.hasLost = false
                    return .some(.gap(.overflow))
                }
                if state.isFinished || state.reader != nil { return .some(nil) }
                state.reader = continuation
                return .none
            }
            if let ready { continuation.resume(returning: ready) }
        }
    }

    func finish() {
        let reader = state.withLock { state in
            state.isFinished = true
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(returning: nil)
    }
}
