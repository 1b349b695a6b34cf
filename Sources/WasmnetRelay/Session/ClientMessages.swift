import NIOCore
import WasmnetProtocol
import WasmnetQuota

/// The messages of one client: what it is sent, in its protocol version, and what the messages of both sides cost.
final class ClientMessages {
    let codec: MessageCodec
    private let core: SessionCore
    private let carrier: any SessionCarrier
    private var costs = MessageCosts()
    private var scratch = ByteBuffer()
    private var header = ByteBuffer()

    init(_ core: SessionCore, carrier: any SessionCarrier) {
        self.codec = MessageCodec(version: core.origin.version)
        self.core = core
        self.carrier = carrier
    }

    // MARK: To the client

    func send(_ event: Event, as encoding: WireEncoding) {
        guard self.core.phase != .ended else { return }
        self.scratch.clear()
        guard self.codec.encode(event, as: encoding, into: &self.scratch) else { return }
        // A datagram's cost was counted on arrival.
        if case .dataFrom = event {} else { self.costs.add(answer: self.scratch.readableBytes) }
        self.carrier.sendAnswer(self.scratch, isText: encoding == .json)
    }

    func sendData(_ id: SocketID, _ payload: ByteBuffer, as encoding: WireEncoding) {
        switch encoding {
        case .binary:
            self.header.clear()
            self.codec.writeDataHeader(id, into: &self.header)
            self.carrier.sendData(header: self.header, payload: payload)
        case .json:
            var message = ByteBuffer()
            message.reserveCapacity(payload.readableBytes * 4 / 3 + 64)
            self.codec.encode(.data(id, payload), as: .json, into: &message)
            self.carrier.sendText(message)
        }
    }

    // MARK: Costs

    /// - Parameters:
    ///   - size: bytes of the whole message.
    ///   - isDatagram: whether the data becomes a datagram; evaluated only for `send`.
    func countRequest(_ request: Request, size: Int, isDatagram: @autoclosure () -> Bool) {
        switch request {
        case .send(_, let data):
            self.costs.add(data: data.readableBytes, least: isDatagram() ? MessageCosts.datagram : 0)
        case .sendTo(_, _, _, let data): self.costs.add(data: data.readableBytes, least: MessageCosts.datagram)
        default: self.costs.add(message: size)
        }
        if self.costs.areMany { self.settleCosts() }
    }

    func countMalformed(size: Int) { self.costs.add(message: size) }

    /// A ping, and the pong that answers it.
    func countPing(bytes: Int) {
        self.costs.add(message: bytes)
        self.costs.add(answer: bytes)
    }

    func countPong(bytes: Int) { self.costs.add(message: bytes) }

    /// A fragment costs as much as a message: endless fragments are not free.
    func countFragment() { self.costs.add(message: 0) }

    /// A datagram arrived for the client.
    func countDatagram() { self.costs.add(answer: MessageCosts.datagram) }

    /// Charges the client's bandwidth with the counted costs.
    func settleCosts() {
        let bytes = self.costs.take()
        guard bytes > 0 else { return }
        self.core.allowance.charge(overhead: bytes, now: self.core.environment.clock.now())
    }

    /// Beyond the first 193 KiB, which fit what a page sends at once, a client's sessions share room for incomplete messages.
    ///
    /// - Parameter bytes: of the message that are kept.
    /// - Returns: false if there is no room for them.
    func keepsUnfinished(bytes: Int) -> Bool {
        let room = self.core.allowance.onNode.unfinishedMessages
        let environment = self.core.environment
        let most = max(environment.settings.maxUnfinishedBytes, environment.settings.maxMessageBytes)
        let change = self.costs.changeOfShared(bytes)
        if change > 0 {
            guard room.take(change, most: most) else { return false }
        } else {
            room.release(-change)
        }
        self.costs.changeShared(by: change)
        return true
    }
}

@available(*, unavailable)
extension ClientMessages: Sendable {}
