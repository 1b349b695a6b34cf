import NIOCore

/// Turns the frames of one peer into whole messages and control events (RFC 6455, section 5.4). A value, without I/O.
struct MessageAssembler {
    enum Output: Equatable {
        case message(ByteBuffer, isText: Bool)
        case ping(ByteBuffer)
        case pong(ByteBuffer)
        case close(code: UInt16?)
        /// A part of an incomplete message.
        case fragment(isEmpty: Bool)
        case error(FrameError)
    }

    /// Cap on one message, all its fragments together, in bytes.
    let maxLength: Int
    private var fragments: ByteBuffer?
    private var fragmentsAreText = false
    private var utf8 = UTF8Check()
    private var fragmentCount = 0
    /// Fragments of one message: a peer that sends empty ones forever must not keep the node busy forever.
    private let maxFragments: Int

    /// Bytes of an incomplete message.
    var heldBytes: Int { self.fragments?.readableBytes ?? 0 }

    init(maxLength: Int) {
        self.maxLength = maxLength
        self.maxFragments = max(65_536, maxLength / 32)
    }

    mutating func receive(_ kind: FrameKind, isFinal: Bool, payload: ByteBuffer) -> Output {
        switch kind {
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        case .close: return Self.close(payload)
        case .text, .binary:
            guard self.fragments == nil else { return Self.broken("a new message began inside a fragmented one") }
            self.fragmentsAreText = kind == .text
            self.utf8 = UTF8Check()
            guard self.takesText(payload, isFinal) else { return Self.notText }
            if isFinal { return .message(payload, isText: kind == .text) }
            self.fragmentCount = 1
            // Copied, so that a short fragment does not keep the whole read alive.
            self.fragments = ByteBuffer(buffer: payload)
            return .fragment(isEmpty: payload.readableBytes == 0)
        case .continuation:
            guard var message = self.fragments.take() else { return Self.broken("a continuation without a message") }
            self.fragmentCount += 1
            guard message.readableBytes + payload.readableBytes <= self.maxLength else {
                return .error(FrameError(closeCode: .tooLarge, message: "a message is at most \(self.maxLength) bytes"))
            }
            guard self.fragmentCount <= self.maxFragments else { return Self.broken("too many fragments") }
            guard self.takesText(payload, isFinal) else { return Self.notText }
            message.writeImmutableBuffer(payload)
            if isFinal { return .message(message, isText: self.fragmentsAreText) }
            self.fragments = message
            return .fragment(isEmpty: payload.readableBytes == 0)
        }
    }

    /// A text message is UTF-8 as a whole, and is refused at the first fragment after which it cannot be (RFC 6455, section 8.1).
    private mutating func takesText(_ payload: ByteBuffer, _ isFinal: Bool) -> Bool {
        guard self.fragmentsAreText else { return true }
        return payload.withUnsafeReadableBytes { self.utf8.take($0) } && (!isFinal || self.utf8.isComplete)
    }

    private static let notText = Output.error(FrameError(closeCode: .notText, message: "text must be UTF-8"))

    private static func close(_ payload: ByteBuffer) -> Output {
        var payload = payload
        switch payload.readableBytes {
        case 0: return .close(code: nil)
        case 1: return Self.broken("a close frame's code is two bytes")
        default:
            let code: UInt16 = payload.readInteger() ?? 0
            switch code {
            case 1000...1003, 1007...1014, 3000...4999: break
            default: return Self.broken("close code \(code) must not be sent")
            }
            var utf8 = UTF8Check()
            guard payload.withUnsafeReadableBytes({ utf8.take($0) }), utf8.isComplete else { return Self.notText }
            return .close(code: code)
        }
    }

    private static func broken(_ message: String) -> Output {
        .error(FrameError(closeCode: .protocolError, message: message))
    }
}
