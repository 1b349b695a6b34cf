import NIOCore

@testable import WasmnetRelay

/// One frame as a client writes it, byte by byte after the figure of RFC 6455, section 5.2; every field can be wrong.
struct ClientFrame {
    /// The number of bytes for the length.
    enum LengthForm { case shortest, seven, sixteen, sixtyFour }

    var opcode: UInt8 = 0x2
    var isFinal = true
    /// The three bits that an extension would use, as a number of 0 to 7.
    var reserved: UInt8 = 0
    var mask: [UInt8]? = [0x37, 0xFA, 0x21, 0x3D]
    var payload: [UInt8] = []
    /// The header's length, if it is not the payload's.
    var statedLength: UInt64?
    var lengthForm = LengthForm.shortest

    var bytes: [UInt8] {
        let length = self.statedLength ?? UInt64(self.payload.count)
        var result = [(self.isFinal ? 0x80 : 0) | self.reserved << 4 | self.opcode]
        let maskBit: UInt8 = self.mask == nil ? 0 : 0x80
        switch self.lengthForm {
        case .seven: result.append(maskBit | UInt8(truncatingIfNeeded: length & 0x7F))
        case .sixteen: result += [maskBit | 126] + Self.bigEndian(length, 2)
        case .sixtyFour: result += [maskBit | 127] + Self.bigEndian(length, 8)
        case .shortest where length < 126: result.append(maskBit | UInt8(length))
        case .shortest where length < 65_536: result += [maskBit | 126] + Self.bigEndian(length, 2)
        case .shortest: result += [maskBit | 127] + Self.bigEndian(length, 8)
        }
        guard let mask = self.mask else { return result + self.payload }
        result += mask
        for (index, byte) in self.payload.enumerated() { result.append(byte ^ mask[index % 4]) }
        return result
    }

    var headerLength: Int { self.bytes.count - self.payload.count }

    private static func bigEndian(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }
}

extension FrameParser {
    func parse(_ bytes: some Sequence<UInt8>) -> Result { self.parse(ByteBuffer(bytes: bytes)) }

    /// The close code of an error, nil for any other result.
    func refusal(of frame: ClientFrame) -> CloseCode? {
        if case .error(let error) = self.parse(frame.bytes) { return error.closeCode }
        return nil
    }
}
