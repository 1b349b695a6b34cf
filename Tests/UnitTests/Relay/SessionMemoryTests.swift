import NIOCore
import NIOHTTP1
import Testing
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

@testable import WasmnetRelay

/// The memory of a session: bounded, the oldest goes first.
@Suite struct SessionMemoryTests {
    // MARK: RecentlyClosedIDs

    @Test func recentIDsForgetTheOldest() {
        var recent = RecentlyClosedIDs(limit: 3)
        for id in [1, 2, 3] as [SocketID] { recent.insert(id, crossingEnds: 0) }
        recent.insert(1, crossingEnds: 0)
        #expect([1, 2, 3].allSatisfy { recent.contains($0) })
        recent.insert(4, crossingEnds: 0)
        #expect(!recent.contains(1), "told again, but first all the same")
        #expect([2, 3, 4].allSatisfy { recent.contains($0) })
    }

    @Test func anIDInUseAgainIsNotRecent() {
        var recent = RecentlyClosedIDs(limit: 2)
        recent.insert(1, crossingEnds: 0)
        recent.insert(2, crossingEnds: 0)
        recent.remove(1)
        recent.remove(9)
        #expect(!recent.contains(1))
        recent.insert(3, crossingEnds: 0)
        #expect(recent.contains(2) && recent.contains(3), "its place is free")
    }

    @Test func aLimitOfNothingRemembersNothing() {
        var recent = RecentlyClosedIDs(limit: 0)
        recent.insert(1, crossingEnds: 0)
        #expect(!recent.contains(1))
    }

    // MARK: ResolvedNames

    @Test func anAddressIsTiedToEveryNameItCameFrom() throws {
        var ties = ResolvedNames(limit: 10)
        let first = try HostName(parsing: "a.example")
        let second = try HostName(parsing: "b.example")
        ties.remember([.four(1), .six(1)], of: first)
        ties.remember([.four(1)], of: second)
        ties.remember([.four(1)], of: first)
        #expect(ties.names(of: .four(1)) == [first, second])
        #expect(ties.names(of: .six(1)) == [first])
        #expect(ties.names(of: .four(2)) == [])
    }

    @Test func theOldestTieGoesFirst() throws {
        var ties = ResolvedNames(limit: 2)
        let name = try HostName(parsing: "a.example")
        ties.remember([.four(1), .four(2), .four(3)], of: name)
        #expect(ties.names(of: .four(1)) == [])
        #expect(ties.names(of: .four(2)) == [name] && ties.names(of: .four(3)) == [name])
        for last in 0..<UInt8.max { ties.remember([.four(last)], of: name) }
        #expect((0...UInt8.max).filter { !ties.names(of: .four($0)).isEmpty }.count == 2)
    }
}
