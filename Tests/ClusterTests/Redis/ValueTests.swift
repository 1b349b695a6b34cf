import NIOCore
import Testing

@testable import RedisClient

@Suite struct BackoffTests {
    @Test func theBoundDoublesToTheCap() {
        var backoff = Backoff()
        let waits = (0..<10).map { _ in backoff.next(0.999_999) }
        let bounds: [Int64] = [50, 100, 200, 400, 800, 1000, 1000, 1000, 1000, 1000]
        for (wait, bound) in zip(waits, bounds) {
            #expect(wait <= .milliseconds(bound) && wait > .milliseconds(bound - 1))
        }
        #expect(backoff.next(0) == .nanoseconds(0))
        backoff.reset()
        #expect(backoff.next(0.5) == .milliseconds(25))
    }

    @Test func oddFractionsStayInRange() {
        for fraction in [-1, 2, .nan, .infinity] {
            var backoff = Backoff()
            #expect((.zero ... .milliseconds(50)).contains(backoff.next(fraction)))
        }
    }
}

@Suite struct ScriptTests {
    // The first three of RFC 3174, section 7.3; the others of the same lengths around a block's end by sha1sum.
    @Test(arguments: [
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
        (String(repeating: "a", count: 1_000), "291e9a6c66994949b57ba5e650361e98fc36b1ba"),
        (String(repeating: "a", count: 55), "c1c8bbdc22796e28c0e15163d20899b65621d65a"),
        (String(repeating: "a", count: 64), "0098ba824b5c16427bd7a1122a5a442a25ec644d"),
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    ])
    func digest(source: String, digest: String) {
        #expect(RedisScript(source).digest == digest)
    }
}

@Suite struct ServerErrorTests {
    /// Of each error: whether the same command may succeed later, and whether the connection is left to look for another server.
    static let table: [(line: String, mayPass: Bool, isLeft: Bool)] = [
        ("OOM command not allowed when used memory > 'maxmemory'.", true, false),
        ("MISCONF Redis is configured to save RDB snapshots, but it's unable to persist to disk.", true, false),
        ("NOREPLICAS Not enough good replicas to write.", true, false),
        ("BUSY Redis is busy running a script.", true, false),
        ("CLUSTERDOWN The cluster is down", true, false),
        ("TRYAGAIN Multiple keys request during rehashing of slot", true, false),
        ("LOADING Redis is loading the dataset in memory", true, true),
        ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", true, true),
        ("READONLY You can't write against a read only replica.", false, true),
        ("NOPERM User node has no permissions to run the 'evalsha' command", false, false),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", false, false),
        ("ERR unknown command", false, false),
    ]

    @Test(arguments: Self.table.indices) func whatMayPassAndWhatIsLeft(index: Int) {
        let (line, mayPass, isLeft) = Self.table[index]
        let error = RedisServerError(line: line)
        #expect(RedisError.server(error).mayPass == mayPass, "\(line)")
        #expect(error.isPassing == isLeft, "\(line)")
    }
}

@Suite struct ClusterValueTests {
    // From the cluster specification, and answers of CLUSTER KEYSLOT of Redis 7.0.
    @Test(arguments: [
        ("123456789", 0x31C3), ("foo", 12182), ("{user1000}.following", 3443), ("{user1000}.followers", 3443),
        ("foo{}{bar}", 8363), ("foo{{bar}}zap", 4015), ("foo{bar}{zap}", 5061), ("", 0), ("a{b", 13340),
    ])
    func slots(key: String, slot: Int) {
        #expect(HashSlot.of(key) == slot)
    }

    private let asked = RedisEndpoint.host("asked", port: 1)

    private func range(_ first: Int64, _ last: Int64, _ host: RESPValue, _ port: Int64) -> RESPValue {
        .array([.integer(first), .integer(last), .array([host, .integer(port)])])
    }

    @Test func readsClusterSlots() throws {
        let reply = RESPValue.array([
            range(0, 5, .bulkString(ByteBuffer(string: "::1")), 7000),
            range(6, 6, .null, 7001),
            range(10, 16383, .bulkString(ByteBuffer(string: "")), 7002),
            range(7, 7, .bulkString(ByteBuffer(string: "?")), 7001),
        ])
        let map = try #require(SlotMap(reply, asked: asked))
        #expect(map.masters == [.host("::1", port: 7000), .host("asked", port: 7001), .host("asked", port: 7002)])
        #expect(map[5] == .host("::1", port: 7000))
        #expect(map[7] == .host("asked", port: 7001))
        #expect(map[8] == nil)
        #expect(map[16383] == .host("asked", port: 7002))
        #expect(map[16384] == nil)
        #expect(map[-1] == nil)
    }

    @Test func unsoundClusterSlotsAreRefused() {
        let host = RESPValue.bulkString(ByteBuffer(string: "h"))
        for reply in [
            .array([]), .null, .array([.integer(1)]), .array([range(5, 4, host, 1)]), .array([range(-1, 4, host, 1)]),
            .array([range(0, 16384, host, 1)]), .array([range(0, 1, host, 0)]), .array([range(0, 1, host, 65536)]),
            .array([.array([.integer(0), .integer(1), .array([])])]),
        ] as [RESPValue] {
            #expect(SlotMap(reply, asked: asked) == nil, "\(reply)")
        }
    }

    @Test func redirections() {
        func read(_ line: String) -> Redirection? { Redirection(RedisServerError(line: line), asked: asked) }
        #expect(read("MOVED 3999 127.0.0.1:6381")?.endpoint == .host("127.0.0.1", port: 6381))
        #expect(read("MOVED 3999 ::1:6381")?.endpoint == .host("::1", port: 6381))
        #expect(read("MOVED 3999 :6381")?.endpoint == .host("asked", port: 6381))
        #expect(read("ASK 1 h:2")?.isAsk == true)
        #expect(read("MOVED 1 h:2")?.isAsk == false)
        for line in ["MOVED", "MOVED 1", "MOVED x h:1", "MOVED 1 h", "MOVED 1 h:0", "MOVED 16384 h:1", "ERR 1 h:1"] {
            #expect(read(line) == nil, "\(line)")
        }
    }
}
