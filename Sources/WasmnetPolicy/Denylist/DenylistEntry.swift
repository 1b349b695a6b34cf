package import WasmnetNet

/// One entry of the denylist: its subject, its expiry, and its reason.
package struct DenylistEntry: Sendable, Hashable, CustomStringConvertible {
    /// Entries are kept in several tables at once; a reference in each costs less than the value.
    private final class Content: Sendable {
        let subject: DenylistSubject
        let expiry: UnixTime?
        let reason: DenylistReason?

        init(_ subject: DenylistSubject, _ expiry: UnixTime?, _ reason: DenylistReason?) {
            self.subject = subject
            self.expiry = expiry
            self.reason = reason
        }
    }

    private let content: Content

    package init(_ subject: DenylistSubject, expiry: UnixTime? = nil, reason: DenylistReason? = nil) {
        self.content = Content(subject, expiry, reason)
    }

    /// As ``DenylistSubject/init(_:)``, without expiry and reason.
    package init(_ text: String) throws(DenylistError) {
        self.init(try DenylistSubject(text))
    }

    package var subject: DenylistSubject { self.content.subject }
    /// The entry is valid until this moment; nil: forever.
    package var expiry: UnixTime? { self.content.expiry }
    package var reason: DenylistReason? { self.content.reason }
    /// The subject's text.
    package var text: String { self.content.subject.text }

    package func holds(at now: UnixTime) -> Bool { self.expiry.map { now < $0 } ?? true }

    /// As a line of a list file, see ``DenylistFile``.
    package var description: String {
        let until = self.expiry.map { " until=\($0)" } ?? ""
        return self.text + until + (self.reason.map { " reason=\($0.text)" } ?? "")
    }

    package static func == (left: DenylistEntry, right: DenylistEntry) -> Bool {
        left.content === right.content
            || (left.subject == right.subject && left.expiry == right.expiry && left.reason == right.reason)
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(self.text) }

    /// Whether it covers a destination's port. Without a port it must cover every port.
    func covers(_ port: UInt16?) -> Bool {
        guard case .destination(let entry) = self.subject.kind else { return false }
        return entry.covers(port, wholly: true)
    }
}

/// The reason for an entry, for people: one line.
package struct DenylistReason: Sendable, Hashable, CustomStringConvertible {
    package let text: String

    package var description: String { self.text }

    /// Compares the bytes, as Redis does: String treats two encodings of an accented letter as equal.
    package static func == (left: DenylistReason, right: DenylistReason) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(self.text) }

    /// The longest, in bytes of UTF-8.
    package static let longest = 256

    /// - Returns: nil if nothing is left without the surrounding spaces.
    /// - Throws: for more than ``longest`` bytes, and for characters that would end a line or affect a terminal.
    package init?(_ text: some StringProtocol) throws(DenylistError) {
        let plain = text.unicodeScalars.allSatisfy {
            switch $0.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
            default: true
            }
        }
        guard plain else { throw DenylistError("a reason is one line of printable text") }
        var bytes = Array(text.utf8)[...]
        while bytes.first == 0x20 { bytes.removeFirst() }
        while bytes.last == 0x20 { bytes.removeLast() }
        guard !bytes.isEmpty else { return nil }
        guard bytes.count <= Self.longest else {
            throw DenylistError("a reason is at most \(Self.longest) bytes, this is \(bytes.count)")
        }
        self.text = String(decoding: bytes, as: UTF8.self)
    }
}
