import NIOCore
import Testing

/// The error of a future that must fail.
func failure<Value>(
    of future: EventLoopFuture<Value>, sourceLocation: SourceLocation = #_sourceLocation
) async -> (any Error)? {
    await withCheckedContinuation { continuation in
        future.whenComplete { result in
            switch result {
            case .success:
                Issue.record("succeeded", sourceLocation: sourceLocation)
                continuation.resume(returning: nil)
            case .failure(let error): continuation.resume(returning: error)
            }
        }
    }
}
