import NIOCore
import NIOEmbedded
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

@testable import WasmnetRelay

/// A session with one target, both on embedded channels.
final class TargetHarness {
    static let id: SocketID = 1
    let carrier: CarrierHarness
    let target: EmbeddedChannel
    let head = HeadRecorder()
    let stream: TargetStream

    init(
        _ version: WireVersion, settings: RelaySettings = RelaySettings(), policy: Policy = .unrestricted,
        ration: Ration? = nil
    ) throws {
        self.carrier = try CarrierHarness(version, settings: settings, policy: policy, ration: ration)
        guard let session = self.carrier.session else { throw ChannelError.inappropriateOperationForState }
        self.target = EmbeddedChannel(handler: self.head, loop: self.carrier.loop)
        self.stream = try Self.connect(Self.id, .tcp, session, self.target)
        _ = try self.carrier.frames()
    }

    /// A socket whose dial succeeded at once, with a slot.
    static func connect(
        _ id: SocketID, _ kind: SocketKind, _ session: Session, _ target: EmbeddedChannel
    ) throws -> TargetStream {
        try target.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 2)).wait()
        let stream = TargetStream(
            id: id, encoding: .binary, kind: kind,
            target: SocketTarget(host: "target", port: 2, name: nil, address: nil, transport: .tcp),
            context: SocketContext(session))
        let connection = Dial.Connection(
            channel: target, address: .four(1),
            receiver: ReceiveAllocator(largest: session.core.environment.settings.readChunkBytes))
        session.opener.open(stream) {
            guard kind == .accepted else { return stream.connected(connection) }
            guard stream.attach(connection) else { return }
            session.opener.countOpen(stream)
            stream.begin()
        }
        return stream
    }

    /// Sockets that the client's quota counts now.
    var slots: Int { self.carrier.ledger.counts.sockets }

    /// The target's input since the last call.
    func received() throws -> [UInt8] {
        self.carrier.loop.run()
        var bytes: [UInt8] = []
        while let part = try self.target.readOutbound(as: ByteBuffer.self) { bytes += part.readableBytesView }
        return bytes
    }

    /// The target sends.
    func targetSends(_ bytes: [UInt8]) throws {
        try self.target.writeInbound(ByteBuffer(bytes: bytes))
        self.carrier.loop.run()
    }

    /// The target's end of file.
    func targetEnds() {
        self.target.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        self.carrier.loop.run()
    }

    /// The connection is gone, as NIO reports when both halves ended.
    func targetIsGone() {
        self.target.close(promise: nil)
        self.carrier.loop.run()
    }

    /// The client's request.
    func client(_ request: Request) throws {
        try self.carrier.receive(request)
        self.carrier.channel.pipeline.fireChannelReadComplete()
        self.carrier.loop.run()
    }

    /// The client's events since the last call.
    func told() throws -> [Event] { try self.carrier.events() }

    func finish() throws {
        try self.carrier.finish()
        _ = try? self.target.finish(acceptAlreadyClosed: true)
    }
}

@available(*, unavailable)
extension TargetHarness: Sendable {}
