/// Bytes of bandwidth that messages cost beyond their payload, until they are charged: many small ones are not free.
///
/// A message costs at least 64 bytes of bandwidth and a datagram 28 beyond its payload, about what each costs on a network. An answer
/// costs its bytes. None of that counts in the day's bytes or in metrics.
struct MessageCosts {
    /// The least bandwidth that a message costs, in bytes.
    static let message = 64
    /// Bytes of the headers of UDP (RFC 768) and IPv4 (RFC 791).
    static let datagram = 28
    /// Bytes of an incomplete message that each session may keep, with its headers.
    private static let ownUnfinished = (192 << 10) + 1024
    /// From this many bytes on they are charged during a batch of messages.
    private static let many = 16 << 10

    private var uncharged = 0
    /// Bytes of an incomplete message beyond the session's own room, from the client's shared room.
    private var sharedUnfinished = 0

    var areMany: Bool { self.uncharged >= Self.many }

    /// A message without data.
    ///
    /// - Parameter bytes: of the whole message.
    mutating func add(message bytes: Int) { self.uncharged += max(Self.message, bytes) }

    /// - Parameters:
    ///   - bytes: of the data.
    ///   - least: the least extra cost, in bytes.
    mutating func add(data bytes: Int, least: Int) { self.uncharged += max(least, Self.message - bytes) }

    mutating func add(answer bytes: Int) { self.uncharged += bytes }

    /// Bytes to charge now.
    mutating func take() -> Int {
        defer { self.uncharged = 0 }
        return self.uncharged
    }

    /// By how many bytes an incomplete message's use of the client's shared room changes.
    ///
    /// - Parameter bytes: of the message that are kept.
    func changeOfShared(_ bytes: Int) -> Int { max(0, bytes - Self.ownUnfinished) - self.sharedUnfinished }

    mutating func changeShared(by change: Int) { self.sharedUnfinished += change }
}
