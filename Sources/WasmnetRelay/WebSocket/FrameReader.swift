import NIOCore

/// Turns one peer's bytes into messages and control frames, one at a time, however they are split into reads. A value, without I/O.
///
/// Frames are taken directly from a read; only the beginning of an incomplete frame is copied.
struct FrameReader {
    /// The first allocation for a partial frame, in bytes: a peer that only announces a large message must not cost its size.
    private static let firstRoom = 64 << 10

    private let parser: FrameParser
    private var assembler: MessageAssembler
    /// The beginning of an incomplete frame.
    private var partial = ByteBuffer()

    /// Bytes kept until more arrive.
    var heldBytes: Int { self.partial.readableBytes + self.assembler.heldBytes }

    /// - Parameter maxLength: cap on one message, all its fragments together, in bytes.
    init(maxLength: Int) {
        self.parser = FrameParser(maxLength: maxLength)
        self.assembler = MessageAssembler(maxLength: maxLength)
    }

    /// The next item in the bytes, whose reader index moves past it.
    ///
    /// - Returns: nil if more bytes are needed: then all of these were taken.
    mutating func next(from bytes: inout ByteBuffer) -> MessageAssembler.Output? {
        while bytes.readableBytes > 0 {
            if let output = self.partial.readableBytes == 0 ? self.whole(&bytes) : self.completed(&bytes) {
                return output
            }
        }
        return nil
    }

    /// Takes a frame from a read, or keeps its beginning.
    private mutating func whole(_ bytes: inout ByteBuffer) -> MessageAssembler.Output? {
        switch self.parser.parse(bytes) {
        case .header(let header) where bytes.readableBytes >= header.totalLength:
            bytes.moveReaderIndex(forwardBy: header.headerLength)
            guard let payload = bytes.readSlice(length: header.length) else { return nil }
            return self.receive(header, payload)
        case .header(let header): self.startBuffering(&bytes, expecting: header.totalLength)
        case .incomplete(let needed): self.startBuffering(&bytes, expecting: needed)
        case .error(let error): return self.fail(error, &bytes)
        }
        return nil
    }

    private mutating func startBuffering(_ bytes: inout ByteBuffer, expecting total: Int) {
        self.partial = ByteBuffer()
        self.partial.reserveCapacity(min(total, Self.firstRoom))
        self.partial.writeBuffer(&bytes)
    }

    /// Moves only the bytes that the partial frame still lacks.
    private mutating func completed(_ bytes: inout ByteBuffer) -> MessageAssembler.Output? {
        switch self.parser.parse(self.partial) {
        case .incomplete(let needed):
            self.move(needed - self.partial.readableBytes, from: &bytes)
        case .header(let header) where self.partial.readableBytes < header.totalLength:
            self.move(header.totalLength - self.partial.readableBytes, from: &bytes)
        case .header: break
        case .error(let error): return self.fail(error, &bytes)
        }
        guard case .header(let header) = self.parser.parse(self.partial),
            self.partial.readableBytes >= header.totalLength
        else { return nil }
        var frame = self.partial
        self.partial = ByteBuffer()
        frame.moveReaderIndex(forwardBy: header.headerLength)
        return self.receive(header, frame)
    }

    private mutating func move(_ count: Int, from bytes: inout ByteBuffer) {
        if var slice = bytes.readSlice(length: min(count, bytes.readableBytes)) { self.partial.writeBuffer(&slice) }
    }

    private mutating func receive(_ header: FrameHeader, _ payload: ByteBuffer) -> MessageAssembler.Output {
        payload.withUnsafeReadableBytes { bytes in
            // In place although NIO still holds a reference to the read: no one else reads these bytes, and proving so to the
            // type system would cost a copy of every byte.
            unmask(UnsafeMutableRawBufferPointer(mutating: bytes), with: header.mask)
        }
        return self.assembler.receive(header.kind, isFinal: header.isFinal, payload: payload)
    }

    /// What follows can no longer be split into frames.
    private mutating func fail(_ error: FrameError, _ bytes: inout ByteBuffer) -> MessageAssembler.Output {
        self.partial = ByteBuffer()
        bytes.moveReaderIndex(forwardBy: bytes.readableBytes)
        return .error(error)
    }
}
