import WasmnetNet
import NIOCore

/// A promise that several parties may fulfil; the first one counts. Waiting for it continues when the waiting task is cancelled,
/// because a cancelled server still closes its clients' sessions properly.
final class OneShot<Value: Sendable>: Sendable {
    private let promise: EventLoopPromise<Value>
    private let isDone = Guarded(false)

    init(on eventLoop: any EventLoop) {
        self.promise = eventLoop.makePromise()
    }

    /// False if it was fulfilled before.
    @discardableResult
    func succeed(_ value: Value) -> Bool {
        let isFirst = self.isDone.withLock { done in
            defer { done = true }
            return !done
        }
        if isFirst { self.promise.succeed(value) }
        return isFirst
    }

    func wait() async -> Value? { try? await self.promise.futureResult.get() }

    func whenDone(_ body: @escaping @Sendable () -> Void) { self.promise.futureResult.whenComplete { _ in body() } }
}

/// The signals that stop a server: first to drain or to end, then possibly to hurry.
final class StopSignal: Sendable {
    enum Kind: Sendable { case drain, now }

    let first: OneShot<Kind>
    let hurry: OneShot<Void>

    init(on eventLoop: any EventLoop) {
        self.first = OneShot(on: eventLoop)
        self.hurry = OneShot(on: eventLoop)
    }

    func stop(_ kind: Kind) {
        if !self.first.succeed(kind) || kind == .now { self.hurry.succeed(()) }
    }
}
