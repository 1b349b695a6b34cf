import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing
import WasmnetTesting

@testable import WasmnetRelay

@Suite struct FrameParserTests {
    private let parser = FrameParser(maxLength: 1 << 20)
    static let lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20]
    static let kinds: [FrameKind] = [.continuation, .text, .binary, .close, .ping, .pong]

    /// Parses a frame in parts and reassembles its payload.
    private func read(_ bytes: [UInt8]) -> (header: FrameHeader, payload: [UInt8])? {
        guard case .header(let header) = self.parser.parse(bytes), header.totalLength <= bytes.count else { return nil }
        var payload = Array(bytes[header.headerLength..<header.totalLength])
        payload.withUnsafeMutableBytes { unmask($0, with: header.mask) }
        return (header, payload)
    }

    @Test(arguments: lengths) func everyLengthIsReadAsItWasWritten(length: Int) {
        var random = SeededRandom(UInt64(length))
        let frame = ClientFrame(opcode: 0x2, payload: random.bytes(length))
        let result = self.read(frame.bytes)
        #expect(result?.header.length == length)
        #expect(result?.header.headerLength == (length < 126 ? 6 : length < 65_536 ? 8 : 14))
        #expect(result?.header.kind == .binary && result?.header.isFinal == true)
        #expect(result?.payload == frame.payload)
    }

    /// For every beginning of a header the parser reports the bytes it needs: more than available, never more than the header.
    @Test(arguments: lengths) func everyCutOfAHeaderIsIncomplete(length: Int) {
        let bytes = ClientFrame(payload: Array(repeating: 7, count: length)).bytes
        let headerLength = bytes.count - length
        for cut in 0..<headerLength {
            guard case .incomplete(let needed) = self.parser.parse(bytes[..<cut]) else {
                Issue.record("\(cut) of \(headerLength) bytes gave \(self.parser.parse(bytes[..<cut]))")
                continue
            }
            #expect(needed > cut && needed <= headerLength)
        }
        let whole = self.parser.parse(bytes)
        for cut in Set([headerLength, min(headerLength + 1, bytes.count), bytes.count]) {
            #expect(self.parser.parse(bytes[..<cut]) == whole, "the payload does not matter")
        }
    }

    @Test func bytesBehindAFrameDoNotMatter() {
        let frame = ClientFrame(payload: [1, 2, 3]).bytes
        #expect(self.parser.parse(frame) == self.parser.parse(frame + [0xFF, 0xFF, 0xFF]))
    }

    @Test(arguments: kinds) func everyKindIsTold(kind: FrameKind) {
        let result = self.read(ClientFrame(opcode: kind.rawValue, payload: [1]).bytes)
        #expect(result?.header.kind == kind)
    }

    @Test func unknownOpcodesAreRefused() {
        for opcode in UInt8(0)...15 {
            let isKnown = Self.kinds.contains { $0.rawValue == opcode }
            #expect(self.parser.refusal(of: ClientFrame(opcode: opcode)) == (isKnown ? nil : .protocolError))
        }
    }

    @Test(arguments: UInt8(1)...7) func reservedBitsAreRefused(bits: UInt8) {
        for kind in Self.kinds {
            #expect(
                self.parser.refusal(of: ClientFrame(opcode: kind.rawValue, reserved: bits)) == .protocolError)
        }
    }

    @Test(arguments: lengths) func unmaskedFramesAreRefused(length: Int) {
        let frame = ClientFrame(mask: nil, payload: Array(repeating: 1, count: length))
        #expect(self.parser.refusal(of: frame) == .protocolError)
        // Two bytes are enough: it waits for no more.
        guard case .error = self.parser.parse(frame.bytes.prefix(2)) else {
            Issue.record("waits for more")
            return
        }
    }

    @Test func controlFramesAreWholeAndShort() {
        for kind in Self.kinds {
            let refusal: CloseCode? = kind.isControl ? .protocolError : nil
            #expect(self.parser.refusal(of: ClientFrame(opcode: kind.rawValue, isFinal: false)) == refusal)
            let long = ClientFrame(opcode: kind.rawValue, payload: Array(repeating: 0, count: 126))
            #expect(self.parser.refusal(of: long) == refusal)
            let most = ClientFrame(opcode: kind.rawValue, payload: Array(repeating: 0, count: 125))
            #expect(self.parser.refusal(of: most) == nil)
            let short = ClientFrame(opcode: kind.rawValue, lengthForm: .sixteen)
            #expect(self.parser.refusal(of: short) == .protocolError)
        }
    }

    @Test func lengthsInMoreBytesThanNeededAreRefused() {
        for length in [0, 1, 125] as [UInt64] {
            let frame = ClientFrame(statedLength: length, lengthForm: .sixteen)
            #expect(self.parser.refusal(of: frame) == .protocolError)
        }
        for length in [0, 125, 126, 65_535] as [UInt64] {
            let frame = ClientFrame(statedLength: length, lengthForm: .sixtyFour)
            #expect(self.parser.refusal(of: frame) == .protocolError)
        }
        #expect(self.parser.refusal(of: ClientFrame(statedLength: 126, lengthForm: .sixteen)) == nil)
        #expect(self.parser.refusal(of: ClientFrame(statedLength: 65_536, lengthForm: .sixtyFour)) == nil)
    }

    @Test func lengthsAboveTheCapAreTooLargeAndOverflowNothing() {
        let cap: UInt64 = 1 << 20
        for length in [cap + 1, 1 << 31, 1 << 32, 1 << 62, 1 << 63, .max, .max - 13] {
            let frame = ClientFrame(statedLength: length)
            #expect(self.parser.refusal(of: frame) == .tooLarge, "\(length)")
        }
        #expect(self.parser.refusal(of: ClientFrame(statedLength: cap)) == nil)
        let small = FrameParser(maxLength: 10)
        #expect(small.refusal(of: ClientFrame(payload: Array(repeating: 0, count: 10))) == nil)
        #expect(small.refusal(of: ClientFrame(payload: Array(repeating: 0, count: 11))) == .tooLarge)
    }

    @Test func aReaderIndexThatIsNotZeroDoesNotMatter() {
        var buffer = ByteBuffer(bytes: [9, 9, 9] + ClientFrame(payload: [1, 2]).bytes)
        buffer.moveReaderIndex(forwardBy: 3)
        #expect(self.parser.parse(buffer) == self.parser.parse(ClientFrame(payload: [1, 2]).bytes))
    }

    @Test(arguments: [61, 62, 63] as [UInt64]) func noBytesTrap(seed: UInt64) {
        var random = SeededRandom(seed)
        for _ in 0..<20_000 {
            let bytes = random.bytes(Int.random(in: 0...20, using: &random))
            switch self.parser.parse(bytes) {
            case .incomplete(let needed): #expect(needed > bytes.count && needed <= 14, "seed \(seed)")
            case .header(let header):
                #expect(header.headerLength <= bytes.count && header.length <= 1 << 20, "seed \(seed)")
            case .error: break
            }
        }
    }

    /// An independent encoder.
    @Test(arguments: lengths) func whatNIOWritesIsReadTheSame(length: Int) throws {
        var random = SeededRandom(70 + UInt64(length))
        let opcodes: [WebSocketOpcode] =
            length <= 125 ? [.text, .binary, .continuation, .ping, .pong, .connectionClose] : [.text, .binary]
        for opcode in opcodes {
            let payload = random.bytes(length)
            let key = WebSocketMaskingKey(random.bytes(4))
            let channel = EmbeddedChannel(handler: WebSocketFrameEncoder())
            try channel.writeOutbound(
                WebSocketFrame(fin: true, opcode: opcode, maskKey: key, data: ByteBuffer(bytes: payload)))
            var bytes = ByteBuffer()
            while var part = try channel.readOutbound(as: ByteBuffer.self) { bytes.writeBuffer(&part) }
            let result = self.read(Array(bytes.readableBytesView))
            #expect(result?.header.kind == FrameKind(rawValue: UInt8(webSocketOpcode: opcode)))
            #expect(result?.header.isFinal == true && result?.header.totalLength == bytes.readableBytes)
            #expect(result?.payload == payload)
            _ = try channel.finish()
        }
    }
}
