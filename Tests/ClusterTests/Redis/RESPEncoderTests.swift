import NIOCore
import RedisClient
import Testing

@Suite struct RESPEncoderTests {
    @Test func writesBinarySafeBulkStrings() {
        var buffer = ByteBuffer()
        let command = RedisCommand(["SET", .bytes(ByteBuffer(bytes: [0, 13, 10, 255])), -12, "é"])
        RESPEncoder.encode(command, into: &buffer)
        let expected =
            Array("*4\r\n$3\r\nSET\r\n$4\r\n".utf8) + [0, 13, 10, 255]
            + Array("\r\n$3\r\n-12\r\n$2\r\né\r\n".utf8)
        #expect(Array(buffer.readableBytesView) == expected)
    }

    @Test func aCommandHidesItsWords() {
        let command: RedisCommand = ["AUTH", "hunter2"]
        var dumped = ""
        dump(command, to: &dumped)
        for text in ["\(command)", String(reflecting: command), dumped] {
            #expect(!text.contains("hunter2"))
        }
    }
}
