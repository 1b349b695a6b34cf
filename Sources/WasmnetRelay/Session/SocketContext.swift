import NIOCore
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// A socket's view of its session, and all that it may request from it. One reference, so that each call is the session's own.
struct SocketContext {
    private let session: Session

    init(_ session: Session) {
        self.session = session
    }

    // MARK: Common state

    var settings: RelaySettings { self.session.core.environment.settings }
    var connector: any TargetConnector { self.session.core.environment.connector }
    var eventLoop: any EventLoop { self.session.core.eventLoop }
    var version: WireVersion { self.session.messages.codec.version }
    /// Monotonic nanoseconds of this batch of events.
    var now: Int64 { self.session.core.now }
    /// Monotonic nanoseconds at this moment.
    var uptime: Int64 { self.session.core.environment.uptimeNanoseconds() }
    /// The policy in force, as it applies to this client.
    var policy: Policy { self.session.core.policy }

    /// Whether the denylist lets a peer reach the client.
    func takesPeer(_ address: IPAddress) -> Bool {
        self.session.core.environment.policy.decideAccepted(from: address).allowed
    }

    // MARK: Messages

    func send(_ event: Event, as encoding: WireEncoding) { self.session.messages.send(event, as: encoding) }

    /// Answers a message without effect.
    func refuse(_ id: SocketID, _ refusal: Refusal, _ encoding: WireEncoding) {
        self.session.traffic.refuse(id, refusal, encoding)
    }

    func countRefusal() { self.session.traffic.countRefusal() }
    func took(_ step: OpeningStep, nanoseconds: Int64) { self.session.log.took(step, nanoseconds: nanoseconds) }
    func datagramDropped(_ direction: Direction) { self.session.log.datagramDropped(direction) }

    // MARK: Opening

    var destinations: Destinations { self.session.opener.destinations }

    /// The last step of an opening; see ``Opener/completeOpening(_:)``.
    func completeOpening(_ socket: some SessionSocket) -> Bool { self.session.opener.completeOpening(socket) }

    func accept(_ channel: any Channel, from listener: TargetListener) {
        self.session.opener.accept(channel, from: listener)
    }

    /// Room for messages that wait for a lookup, shared by all sessions of the client.
    func takeWaitingRoom(_ bytes: Int) -> Bool {
        self.session.core.allowance.onNode.waitingMessages.take(
            bytes, most: self.session.core.environment.settings.maxWaitingBytes)
    }

    func releaseWaitingRoom(_ bytes: Int) { self.session.core.allowance.onNode.waitingMessages.release(bytes) }

    // MARK: Ends

    /// Answers an opening that failed.
    func refuseOpen(_ socket: some SessionSocket, _ refusal: Refusal) { self.session.refuseOpen(socket, refusal) }

    func ended(_ socket: some SessionSocket, _ reason: ReasonCode, _ message: String) {
        self.session.socketEnded(socket, reason, message)
    }

    /// It has nothing left to send to the client.
    func forget(_ socket: some SessionSocket) { self.session.traffic.forget(socket) }

    // MARK: Toward the target

    /// Draws bytes of the client from its limits; those that may pass are returned by ``TargetStream/forward(_:)``.
    func passUp(_ data: ByteBuffer, to stream: TargetStream) { self.session.traffic.passUp(data, to: stream) }
    func needsFlush(_ stream: TargetStream) { self.session.traffic.needsFlush(stream) }
    func holdUploads(_ stream: TargetStream) { self.session.traffic.holdUploads(stream) }
    func releaseUploads(_ stream: TargetStream) { self.session.traffic.releaseUploads(stream) }

    /// Nanoseconds to the client and back; nil if not known.
    var roundTrip: Int64? { self.session.carrier.roundTrip }
    /// By how many bytes the session's windows may still grow.
    var windowRoom: Int { self.session.traffic.windowRoom }
    /// The largest window of the session, in bytes; 0: none has grown.
    var widestWindow: Int { self.session.traffic.widestWindow }
    func windowGrew(by bytes: Int, to size: Int) { self.session.traffic.windowGrew(by: bytes, to: size) }
    func windowEnded(grownBy bytes: Int) { self.session.traffic.windowEnded(grownBy: bytes) }

    // MARK: Toward the client

    /// A socket has bytes from its target.
    func offer(_ stream: TargetStream) { self.session.traffic.offer(stream) }
    /// A socket can be read.
    func readWanted(_ socket: some ReadingSocket) { self.session.traffic.readWanted(socket) }

    /// How many of `count` bytes from the target the client may have now.
    func drawDown(_ count: Int, for stream: TargetStream) -> Int { self.session.traffic.drawDown(count, for: stream) }

    /// Charges a datagram to the client's limits, whole or not at all.
    func drawDatagram(_ count: Int, _ direction: Direction) -> Bool {
        self.session.traffic.drawDatagram(count, direction)
    }

    /// Whether a datagram finds room; otherwise it is dropped.
    func takesDatagram() -> Bool { self.session.traffic.takesDatagram() }
    /// Whether one read may spend the rest of the client's limits.
    var isPaced: Bool { self.session.traffic.isPaced }
}

@available(*, unavailable)
extension SocketContext: Sendable {}
