/// Bytes of bandwidth that messages cost beyond what they carry, until they are charged: so that many small ones are not free.
///
/// A message costs at least 64 bytes of bandwidth and a datagram 28 beyond what it holds, about what each costs on a network. An answer
/// costs its bytes. None of that counts in the day's bytes or in metrics.
struct MessageCosts {
    /// Bytes of bandwidth that a message costs at the least.
    static let message = 64
    /// Bytes of the headers of UDP (RFC 768) and IPv4 (RFC 791).
    static let datagram = 28
    /// Bytes of an unfinished message that each session may keep, with its headers.
    private static let ownUnfinished = (192 << 10) + 1024
    /// From this many bytes on they are charged amid a batch of messages.
    private static let many = 16 << 10

    private var uncharged = 0
    /// Bytes of a message that is not whole yet, as far as they are the client's and not the session's own.
    private var sharedUnfinished = 0

    var areMany: Bool { self.uncharged >= Self.many }

    /// A message without data.
    ///
    /// - Parameter bytes: of the whole message.
    mutating func add(message bytes: Int) { self.uncharged += max(Self.message, bytes) }

    /// - Parameters:
    ///   - bytes: of the data.
    ///   - least: what they cost beyond that at the least, in bytes.
    mutating func add(data bytes: Int, least: Int) { self.uncharged += max(least, Self.message - bytes) }

    mutating func add(answer bytes: Int) { self.uncharged += bytes }

    /// What is to be charged now, in bytes.
    mutating func take() -> Int {
        defer { self.uncharged = 0 }
        return self.uncharged
    }

    /// By how many bytes the room changes that an unfinished message takes of the client's.
    ///
    /// - Parameter bytes: of the message that are kept.
    func changeOfShared(_ bytes: Int) -> Int { max(0, bytes - Self.ownUnfinished) - self.sharedUnfinished }

    mutating func changeShared(by change: Int) { self.sharedUnfinished += change }
}
