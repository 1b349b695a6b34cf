import WasmnetNet

/// Runs the body, and throws the error if it has not ended within the time.
///
/// The body is then cancelled but not awaited: one that ignores cancellation must not delay an answer.
func withDeadline<Value: Sendable>(
    _ time: Duration, orThrow error: AdminError, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let race = Race<Value>()
    let work = Task {
        do { race.finish(.success(try await body())) } catch { race.finish(.failure(error)) }
    }
    let timer = Task {
        try await Task.sleep(for: time)
        race.finish(.failure(error))
    }
    defer {
        timer.cancel()
        work.cancel()
    }
    return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { race.wait($0) }
    } onCancel: {
        race.finish(.failure(CancellationError()))
    }
}

/// The first of several results, delivered once.
private final class Race<Value: Sendable>: Sendable {
    private enum State {
        case running
        case awaited(CheckedContinuation<Value, any Error>)
        case finished(Result<Value, any Error>)
        case told
    }

    private let state = Guarded(State.running)

    func wait(_ continuation: CheckedContinuation<Value, any Error>) {
        let result = self.state.withLock { state -> Result<Value, any Error>? in
            guard case .finished(let result) = state else {
                state = .awaited(continuation)
                return nil
            }
            state = .told
            return result
        }
        if let result { continuation.resume(with: result) }
    }

    func finish(_ result: Result<Value, any Error>) {
        let continuation = self.state.withLock { state -> CheckedContinuation<Value, any Error>? in
            switch state {
            case .running:
                state = .finished(result)
                return nil
            case .awaited(let continuation):
                state = .told
                return continuation
            case .finished, .told: return nil
            }
        }
        continuation?.resume(with: result)
    }
}
