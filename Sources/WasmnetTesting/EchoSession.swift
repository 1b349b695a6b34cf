package import NIOCore
package import WasmnetProtocol
package import WasmnetRelay

/// Replaces a session: sends every message back. Only the node's own WebSocket remains.
package final class EchoSession: CarriedSession {
    private let carrier: any SessionCarrier

    package init(_ carrier: any SessionCarrier) { self.carrier = carrier }

    package func receive(_ message: ByteBuffer, isText: Bool, now: Int64) {
        if isText {
            self.carrier.sendText(message)
        } else {
            self.carrier.sendData(header: ByteBuffer(), payload: message)
        }
    }

    package func receivedPing(bytes: Int) {}
    package func receivedPong(bytes: Int) {}
    package func receivedFragment(isEmpty: Bool) {}
    package func keepsUnfinished(bytes: Int) -> Bool { true }
    package var takesMessages: Bool { true }
    package func start() {}
    package func carrierReadComplete() {}
    package func carrierHasRoom() {}
    package func turnEnded() {}
    package func carrierFailed(_ reason: ReasonCode) {}
    package func carrierEnded() {}
    package var uploadQuantum: Int { .max }
}

@available(*, unavailable)
extension EchoSession: Sendable {}
