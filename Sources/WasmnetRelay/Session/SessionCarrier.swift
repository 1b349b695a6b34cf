package import NIOCore
package import WasmnetProtocol

/// The transport of a session's messages: today a WebSocket. A session is not its carrier, and only the carrier knows frames.
package protocol SessionCarrier: AnyObject {
    /// Whether data may be handed over; answers always may.
    var hasRoom: Bool { get }
    /// Whether a little urgent data may be handed over, even if there is no room for more.
    var acceptsUrgentData: Bool { get }
    /// The most bytes of one message that is still a small part of what may be in flight, if known.
    var piece: Int? { get }
    /// Whether too many answers are queued to accept more requests.
    var replyBacklogExceeded: Bool { get }
    func sendAnswer(_ message: ByteBuffer, isText: Bool)
    /// `header` and `payload` are one binary message. The payload may be written using the room in front of its bytes.
    func sendData(header: ByteBuffer, payload: ByteBuffer)
    func sendText(_ message: ByteBuffer)
    /// Writes out everything handed over at the end of this turn of the event loop.
    func flushSoon()
    func flushNow()
    /// Stops and resumes taking the peer's messages.
    func setReading(_ reading: Bool)
    /// Requests a sign of life, which also measures ``roundTrip``.
    func ping()
    /// From now on the data in flight to the peer is measured and kept short, which needs a peer that is always read: without
    /// credit, waiting uploads may stop it from being read, and then nothing may wait for its answers.
    func limitDelivery()
    /// Nanoseconds to the peer and back without queues; nil until the first ping was answered.
    var roundTrip: Int64? { get }
    /// Sends a close with a code and ends.
    func close(_ code: CloseCode, _ reason: String)
}

/// One client's conversation, as its carrier sees it. Everything is called on the carrier's event loop.
package protocol CarriedSession: AnyObject {
    func start()
    /// - Parameter now: monotonic nanoseconds.
    func receive(_ message: ByteBuffer, isText: Bool, now: Int64)
    /// - Parameter bytes: of its payload, which the pong repeats.
    func receivedPing(bytes: Int)
    func receivedPong(bytes: Int)
    /// A part of an incomplete message.
    func receivedFragment(isEmpty: Bool)
    /// How many bytes of an incomplete message are kept.
    /// - Returns: false if they are too many.
    func keepsUnfinished(bytes: Int) -> Bool
    /// Whether more of what was read may be handed over now.
    var takesMessages: Bool { get }
    /// All messages of one read were handed over.
    func carrierReadComplete()
    func carrierHasRoom()
    /// Everything handed over in this turn has been written.
    func turnEnded()
    /// The carrier failed for a known reason; its end follows.
    func carrierFailed(_ reason: ReasonCode)
    func carrierEnded()
    /// The most bytes that the next read should take.
    var uploadQuantum: Int { get }
}
