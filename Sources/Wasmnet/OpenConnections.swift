import WasmnetNet
import NIOCore

/// The open connections, so that a shutdown can wait for the last close handshake.
final class OpenConnections: Sendable {
    private struct State {
        var count = 0
        var whenEmpty: [@Sendable () -> Void] = []
    }
    private let state = Guarded(State())

    func add(_ channel: any Channel) {
        self.state.withLock { $0.count += 1 }
        channel.closeFuture.whenComplete { _ in self.removeOne() }
    }

    private func removeOne() {
        let callbacks = self.state.withLock { state -> [@Sendable () -> Void] in
            state.count -= 1
            guard state.count == 0 else { return [] }
            defer { state.whenEmpty = [] }
            return state.whenEmpty
        }
        for callback in callbacks { callback() }
    }

    func whenEmpty(_ callback: @escaping @Sendable () -> Void) {
        let isEmpty = self.state.withLock { state in
            if state.count > 0 { state.whenEmpty.append(callback) }
            return state.count == 0
        }
        if isEmpty { callback() }
    }
}
