import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing

@testable import WasmnetRelay

/// RFC 6455, sections 5.2 to 5.5.
@Suite struct FrameTests {
    private let parser = FrameParser(maxLength: 1 << 20)

    /// A masked frame as NIO's own encoder writes it.
    private func frame(_ opcode: WebSocketOpcode, _ payload: ByteBuffer, fin: Bool = true) throws -> ByteBuffer {
        let channel = EmbeddedChannel(handler: WebSocketFrameEncoder())
        try channel.writeOutbound(WebSocketFrame(fin: fin, opcode: opcode, maskKey: [0xA1, 2, 0xB3, 4], data: payload))
        var bytes = ByteBuffer()
        while let part = try channel.readOutbound(as: ByteBuffer.self) { bytes.writeImmutableBuffer(part) }
        return bytes
    }

    @Test(arguments: [0, 1, 7, 125, 126, 127, 65_535, 65_536, 1 << 20])
    func everyLengthIsReadAndCutAnywhereInItsHeaderIsIncomplete(length: Int) throws {
        let payload = ByteBuffer(bytes: (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        let bytes = try self.frame(.binary, payload)
        guard case .header(let header) = self.parser.parse(bytes) else { throw ChannelError.eof }
        #expect(header.length == length && header.isFinal && header.kind == .binary)
        #expect(header.totalLength == bytes.readableBytes)
        for cut in 0..<header.headerLength {
            guard case .incomplete(let needed) = self.parser.parse(bytes.getSlice(at: 0, length: cut) ?? ByteBuffer())
            else { throw ChannelError.eof }
            #expect(needed > cut && needed <= header.headerLength)
        }
        var body = Array(bytes.readableBytesView.dropFirst(header.headerLength))
        body.withUnsafeMutableBytes { unmask($0, with: header.mask) }
        #expect(body == Array(payload.readableBytesView))
    }

    @Test(
        arguments: [
            ([0xC2, 0x80], 1002), ([0x83, 0x80], 1002), ([0x82, 0x05], 1002), ([0x09, 0x80], 1002),
            ([0x89, 0xFE], 1002),
            ([0x82, 0xFE, 0, 125, 0, 0, 0, 0], 1002), ([0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0], 1002),
            ([0x82, 0xFF, 0, 0, 0, 0, 0, 0x10, 0, 1, 0, 0, 0, 0], 1009),
            ([0x82, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0], 1009),
        ] as [([UInt8], UInt16)])
    func whatIsNoFrameHasItsCloseCode(bytes: [UInt8], code: UInt16) {
        guard case .error(let error) = self.parser.parse(ByteBuffer(bytes: bytes)) else {
            Issue.record("\(bytes) was read")
            return
        }
        #expect(error.closeCode.rawValue == code)
    }

    @Test(arguments: 0...67) func unmaskingEqualsTheBytewiseWay(length: Int) {
        for start in 0..<9 {
            let key: [UInt8] = [0x11, 0xE2, 0x73, 0x94]
            var bytes = (0..<(start + length + 3)).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            var expected = bytes
            for index in 0..<length { expected[start + index] ^= key[index % 4] }
            let mask = key.withUnsafeBytes { $0.load(as: UInt32.self) }
            bytes.withUnsafeMutableBytes {
                unmask(UnsafeMutableRawBufferPointer(rebasing: $0[start..<start + length]), with: mask)
            }
            #expect(bytes == expected, "\(length) bytes from \(start) on")
        }
    }

    @Test(arguments: [0, 125, 126, 65_535, 65_536]) func whatWeWriteNIOReads(length: Int) throws {
        var bytes = ByteBuffer()
        bytes.writeFrameHeader(.binary, length: length)
        #expect(bytes.readableBytes == ByteBuffer.frameHeaderLength(payload: length))
        bytes.writeRepeatingByte(9, count: length)
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: 1 << 20)))
        try channel.writeInbound(bytes)
        let frame = try #require(try channel.readInbound(as: WebSocketFrame.self))
        #expect(frame.opcode == .binary && frame.fin && frame.length == length)
    }

    // MARK: Messages

    private func text(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }

    @Test func fragmentsWithControlFramesBetweenThemAreOneMessage() {
        var assembler = MessageAssembler(maxLength: 100)
        #expect(assembler.receive(.text, isFinal: false, payload: self.text("one ")) == .nothing)
        #expect(assembler.receive(.ping, isFinal: true, payload: self.text("p")) == .ping(self.text("p")))
        #expect(assembler.receive(.continuation, isFinal: false, payload: self.text("two ")) == .nothing)
        #expect(assembler.receive(.pong, isFinal: true, payload: self.text("q")) == .pong(self.text("q")))
        #expect(
            assembler.receive(.continuation, isFinal: true, payload: self.text("three"))
                == .message(self.text("one two three"), isText: true))
        #expect(
            assembler.receive(.binary, isFinal: true, payload: self.text("next"))
                == .message(self.text("next"), isText: false))
    }

    private func code(_ output: MessageAssembler.Output) -> UInt16? {
        if case .error(let error) = output { error.closeCode.rawValue } else { nil }
    }

    @Test func fragmentsThatFitNowhereAreErrors() {
        var first = MessageAssembler(maxLength: 100)
        #expect(self.code(first.receive(.continuation, isFinal: true, payload: self.text("x"))) == 1002)
        var second = MessageAssembler(maxLength: 100)
        _ = second.receive(.binary, isFinal: false, payload: self.text("x"))
        #expect(self.code(second.receive(.binary, isFinal: true, payload: self.text("y"))) == 1002)
    }

    @Test func fragmentsTogetherAreHeldToTheCap() {
        var assembler = MessageAssembler(maxLength: 10)
        _ = assembler.receive(.binary, isFinal: false, payload: self.text("123456"))
        #expect(self.code(assembler.receive(.continuation, isFinal: false, payload: self.text("12345"))) == 1009)
    }

    @Test func emptyFragmentsWithoutEndAreCutOff() {
        var assembler = MessageAssembler(maxLength: 10)
        _ = assembler.receive(.binary, isFinal: false, payload: ByteBuffer())
        var rounds = 0
        while rounds < 100_000, assembler.receive(.continuation, isFinal: false, payload: ByteBuffer()) == .nothing {
            rounds += 1
        }
        #expect(rounds < 70_000)
    }

    @Test(
        arguments: [
            ([], nil, nil), ([0x03], nil, 1002), ([0x03, 0xE8], 1000, nil), ([0x0F, 0xA0], 4000, nil),
            ([0x03, 0xED], nil, 1002),
            ([0x03, 0xE7], nil, 1002), ([0x13, 0x88], nil, 1002), ([0x03, 0xE8, 0xFF], nil, 1002),
        ] as [([UInt8], UInt16?, UInt16?)])
    func closeFramesAreChecked(payload: [UInt8], code: UInt16?, error: UInt16?) {
        var assembler = MessageAssembler(maxLength: 100)
        let output = assembler.receive(.close, isFinal: true, payload: ByteBuffer(bytes: payload))
        if let error { #expect(self.code(output) == error) } else { #expect(output == .close(code: code)) }
    }
}
