import NIOCore
import RedisClient
import Testing

@Suite struct RESPValueTests {
    @Test func accessors() {
        #expect(RESPValue.integer(-7).int64 == -7)
        #expect(RESPValue.bulkString(ByteBuffer(string: "42")).int == 42)
        #expect(RESPValue.bulkString(ByteBuffer(string: "42 ")).int == nil)
        #expect(RESPValue.null.string == nil)
        let moved = RedisServerError(line: "MOVED 3999 127.0.0.1:6381")
        #expect(moved.code == "MOVED")
        #expect(moved.arguments == ["3999", "127.0.0.1:6381"])
    }

    @Test func descriptionHidesValues() {
        let secret = RESPValue.bulkString(ByteBuffer(string: "hunter2"))
        #expect(!secret.description.contains("hunter2"))
        #expect(!RESPValue.array([secret]).description.contains("hunter2"))
    }
}
