package import NIOCore
package import WasmnetProtocol

/// What carries a session's messages: today a WebSocket. A session is not its carrier, and only the carrier knows frames.
package protocol SessionCarrier: AnyObject {
    /// Whether data may be handed over; answers always may.
    var hasRoom: Bool { get }
    /// Whether a little data that should not wait may be handed over, though there may be no room for more.
    var acceptsUrgentData: Bool { get }
    /// The most bytes of one message that still is a small part of what may be on its way, where that is known.
    var piece: Int? { get }
    /// Whether so many answers are queued that no more should be asked for.
    var replyBacklogExceeded: Bool { get }
    func sendAnswer(_ message: ByteBuffer, isText: Bool)
    /// `header` and `payload` are one binary message. The payload may be written with the room in front of its bytes.
    func sendData(header: ByteBuffer, payload: ByteBuffer)
    func sendText(_ message: ByteBuffer)
    /// Everything handed over is written out at the end of this turn of the event loop.
    func flushSoon()
    func flushNow()
    /// Stops and resumes taking the peer's messages.
    func setReading(_ reading: Bool)
    /// Asks for a sign of life, which also measures ``roundTrip``.
    func ping()
    /// From now on what is on its way to the peer is measured and kept short, which needs a peer that is always read: without
    /// credit, uploads that wait may keep it from being read, and then nothing may wait for its answers.
    func limitDelivery()
    /// Nanoseconds to the peer and back without queues; nil until the first ping was answered.
    var roundTrip: Int64? { get }
    /// Says goodbye with a code and ends.
    func close(_ code: CloseCode, _ reason: String)
}

/// What is carried: the conversation of one client, as its carrier sees it. Everything is called on the carrier's event loop.
package protocol CarriedSession: AnyObject {
    func start()
    /// - Parameter now: monotonic nanoseconds.
    func receive(_ message: ByteBuffer, isText: Bool, now: Int64)
    /// - Parameter bytes: of its payload, which the pong that answers it repeats.
    func receivedPing(bytes: Int)
    func receivedPong(bytes: Int)
    /// A part of a message that is not whole yet.
    func receivedFragment(isEmpty: Bool)
    /// How many bytes of a message that is not whole yet are kept.
    /// - Returns: false where they are too many.
    func keepsUnfinished(bytes: Int) -> Bool
    /// Whether more of what was read may be handed over now.
    var takesMessages: Bool { get }
    /// What one read brought is through.
    func carrierReadComplete()
    func carrierHasRoom()
    /// Everything that was handed over in this turn has been written.
    func turnEnded()
    /// The carrier failed for a reason that it knows; its end follows.
    func carrierFailed(_ reason: ReasonCode)
    func carrierEnded()
    /// The most bytes that the next read should take.
    var uploadQuantum: Int { get }
}
