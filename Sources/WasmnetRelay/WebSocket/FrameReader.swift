import NIOCore

/// Bytes of one peer to what they mean, one message or control frame at a time, however the reads cut them. A value, without I/O.
///
/// Frames are taken straight out of a read; only the beginning of a frame whose rest has not come yet is copied.
struct FrameReader {
    /// The first piece of memory that a frame put aside gets, in bytes: a peer that only announces a large message must not cost its size.
    private static let firstRoom = 64 << 10

    private let parser: FrameParser
    private var assembler: MessageAssembler
    /// The beginning of a frame whose rest has not come yet.
    private var partial = ByteBuffer()

    /// Bytes kept until more come.
    var heldBytes: Int { self.partial.readableBytes + self.assembler.heldBytes }

    /// - Parameter maxLength: cap on one message, all its fragments together, in bytes.
    init(maxLength: Int) {
        self.parser = FrameParser(maxLength: maxLength)
        self.assembler = MessageAssembler(maxLength: maxLength)
    }

    /// What comes next in the bytes, which are moved past it.
    ///
    /// - Returns: nil where more bytes are needed: then all of these were taken.
    mutating func next(from bytes: inout ByteBuffer) -> MessageAssembler.Output? {
        while bytes.readableBytes > 0 {
            if let output = self.partial.readableBytes == 0 ? self.whole(&bytes) : self.completed(&bytes) {
                return output
            }
        }
        return nil
    }

    /// Takes a frame out of what was read, or puts its beginning aside.
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

    /// Moves just the bytes that the frame put aside still lacks.
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
            // In place although NIO still holds a reference to the read: nobody reads these bytes but we, and a copy of every
            // byte that comes up would be the price of saying so to the type system.
            unmask(UnsafeMutableRawBufferPointer(mutating: bytes), with: header.mask)
        }
        return self.assembler.receive(header.kind, isFinal: header.isFinal, payload: payload)
    }

    /// Whatever follows cannot be told apart from frames any more.
    private mutating func fail(_ error: FrameError, _ bytes: inout ByteBuffer) -> MessageAssembler.Output {
        self.partial = ByteBuffer()
        bytes.moveReaderIndex(forwardBy: bytes.readableBytes)
        return .error(error)
    }
}
