import Glibc
import NIOConcurrencyHelpers
package import NIOCore

/// The bytes a ``TestTarget`` sends: each depends on its offset, so that a gap or a swap shows. They repeat after 16 MiB.
package enum Pattern {
    /// A block is created once, on first use: the bytes of one block are those of the first, plus its number.
    private static let blockSize = 1 << 16
    private static let blocks = NIOLockedValueBox([[UInt8]?](repeating: nil, count: 256))

    private static func block(_ number: Int) -> [UInt8] {
        blocks.withLockedValue { blocks in
            if let made = blocks[number] { return made }
            let made = (0..<blockSize).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8 &* 7 &+ number) }
            blocks[number] = made
            return made
        }
    }

    /// Walks a range a block at a time, until stopped.
    private static func walk(
        from offset: Int, count: Int, _ body: (_ at: Int, UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        var done = 0
        while done < count {
            let position = offset + done
            let start = position % blockSize
            let length = min(blockSize - start, count - done)
            let goesOn = block(position / blockSize % 256).withUnsafeBytes { bytes in
                body(done, UnsafeRawBufferPointer(rebasing: bytes[start..<start + length]))
            }
            guard goesOn else { return false }
            done += length
        }
        return true
    }

    package static func bytes(from offset: Int, count: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        _ = self.walk(from: offset, count: count) { _, part in
            buffer.writeBytes(part)
            return true
        }
        return buffer
    }

    /// Whether a buffer matches the pattern from an offset on.
    package static func matches(_ buffer: ByteBuffer, from offset: Int) -> Bool {
        buffer.withUnsafeReadableBytes { bytes in
            self.walk(from: offset, count: bytes.count) { at, part in
                memcmp(bytes.baseAddress! + at, part.baseAddress!, part.count) == 0
            }
        }
    }
}
