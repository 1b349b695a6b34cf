import NIOCore

/// The slot of a key, of the 16,384 in a Redis Cluster.
package enum HashSlot {
    package static let count = 16384

    /// The slot of a key: CRC16 of its hash tag, or of all of it, modulo 16,384 (Redis Cluster specification,
    /// "Key distribution model" and "Hash tags").
    package static func of(_ key: some Collection<UInt8>) -> Int {
        Int(crc16(hashTag(of: key))) % count
    }

    package static func of(_ key: String) -> Int {
        of(key.utf8)
    }

    /// The text between the first `{` and the first `}` after it, unless that is empty.
    private static func hashTag<Key: Collection<UInt8>>(of key: Key) -> Key.SubSequence {
        guard let open = key.firstIndex(of: UInt8(ascii: "{")) else { return key[...] }
        let behind = key[open...].dropFirst()
        guard let close = behind.firstIndex(of: UInt8(ascii: "}")), close != behind.startIndex else { return key[...] }
        return behind[..<close]
    }

    /// CRC-16/XMODEM: polynomial 0x1021, start 0, not reflected.
    package static func crc16(_ bytes: some Sequence<UInt8>) -> UInt16 {
        bytes.reduce(0) { crc, byte in
            crc << 8 ^ table[Int(crc >> 8 ^ UInt16(byte))]
        }
    }

    private static let table: [UInt16] = (0..<256).map { index in
        (0..<8).reduce(UInt16(index) << 8) { crc, _ in
            crc & 0x8000 == 0 ? crc << 1 : crc << 1 ^ 0x1021
        }
    }
}

extension RedisArgument {
    var hashSlot: Int {
        switch self {
        case .string(let text): HashSlot.of(text)
        case .bytes(let bytes): HashSlot.of(bytes.readableBytesView)
        case .integer(let value): HashSlot.of(String(value))
        }
    }
}
