import NIOCore
import WasmnetPolicy
import WasmnetProtocol

/// Where a socket leads, as the client named it and as it was dialed; kept to decide again when the policy changes.
struct SocketTarget {
    var host: String
    var port: UInt16
    /// The name, where the client gave one.
    var name: HostName?
    /// Where it gave an address: the names that this session resolved to it.
    var ties: [HostName] = []
    var address: IPAddress?
    var transport: TransportProtocol
}

/// One socket of a session, whatever its kind. All calls are on the session's event loop.
protocol SessionSocket: AnyObject {
    var id: SocketID { get }
    var encoding: WireEncoding { get }
    var kind: SocketKind { get }
    /// Whether its opening is complete. Set by ``Session/completeOpening(_:)`` alone.
    var isOpen: Bool { get set }

    /// The opening cannot be completed: answers it and ends. Nothing where it is complete or has ended.
    func fail(_ refusal: Refusal)
    func send(_ data: ByteBuffer)
    func sendTo(host: String, port: UInt16, _ data: ByteBuffer)
    func shutdown()
    func close()
    func reset()
    /// Ends an open socket at once with a reason, which the client is sent.
    func terminate(_ reason: ReasonCode, _ message: String)
    /// Ends an open socket with a reason, once what both sides sent by now is delivered.
    func windUp(_ reason: ReasonCode, _ message: String)
    /// The session is gone: nobody is told; accepted bytes still go out.
    func sessionEnded()
    /// All of one turn's bytes are handed over: write them out.
    func flush()
    /// Holds it against a changed policy; nil when that still allows it, else the decision that does not.
    func reconsider(_ policy: Policy) -> PolicyDecision?
    /// What is known of it at this moment.
    var record: SocketRecord { get }
    /// Monotonic nanoseconds of the last byte either way; nil for what is never idle.
    var lastActivity: Int64? { get }
}

/// A socket whose peer is read when its session lets it.
protocol ReadingSocket: SessionSocket {
    /// Whether a read may be asked for, the client's side aside.
    var mayRead: Bool { get }
    /// Whether it may be read, a little, also while the carrier has no room.
    var isSparse: Bool { get }
    /// Asks the peer for at most `limit` bytes.
    func read(limit: Int)
}

extension SessionSocket {
    var opened: Int64 { self.record.opened }
    func sendTo(host: String, port: UInt16, _ data: ByteBuffer) {}
    func shutdown() {}
    func reset() { self.close() }
    func flush() {}
    func windUp(_ reason: ReasonCode, _ message: String) { self.terminate(reason, message) }
    var lastActivity: Int64? { nil }
}
