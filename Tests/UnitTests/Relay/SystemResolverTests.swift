import Dispatch
import Glibc
import NIOCore
import NIOPosix
import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

@testable import WasmnetRelay

/// Names that begin with `slow` block their thread until they are released.
private final class SlowNames: Sendable {
    /// The names whose lookup a thread began.
    let begun: AsyncStream<String>
    private let begin: AsyncStream<String>.Continuation
    private let gate = DispatchSemaphore(value: 0)

    init() {
        (self.begun, self.begin) = AsyncStream.makeStream()
    }

    @Sendable func lookUp(_ name: String) throws -> [IPAddress] {
        self.begin.yield(name)
        if name.hasPrefix("slow") { self.gate.wait() }
        return [IPAddress(v4: (192, 0, 2, 1))]
    }

    func letGo(_ count: Int = 200) {
        for _ in 0..<count { self.gate.signal() }
    }
}

@Suite(.timeLimit(.minutes(1))) struct SystemResolverTests {
    private let names = SlowNames()
    private let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    private static let address = IPAddress(v4: (192, 0, 2, 1))

    private func asker(_ client: String, _ session: String = "1") -> LookupAsker {
        LookupAsker(client: ClientID(text: client), session: session)
    }

    private func ask(
        _ resolver: SystemResolver, _ names: [String], _ asker: LookupAsker, within time: TimeAmount = .seconds(20)
    ) throws -> [EventLoopFuture<[IPAddress]>] {
        try names.map { resolver.resolve(try HostName(parsing: $0), for: asker, within: time, on: self.eventLoop) }
    }

    /// Nil: it was answered with addresses, or not at all in ten seconds.
    private func refusal(_ answer: EventLoopFuture<[IPAddress]>) async -> Refusal? {
        let bounded = self.eventLoop.makePromise(of: [IPAddress].self)
        answer.cascade(to: bounded)
        let late = self.eventLoop.scheduleTask(in: .seconds(10)) { bounded.succeed([]) }
        defer { late.cancel() }
        do {
            _ = try await bounded.futureResult.get()
            return nil
        } catch {
            return error as? Refusal
        }
    }

    private func slow(_ count: Int) -> [String] { (1...count).map { "slow\($0).example" } }

    @Test func aClientIsServedWhileAnotherHoldsItsWholePart() async throws {
        let resolver = SystemResolver(threads: 8, lookUp: self.names.lookUp)
        defer { self.names.letGo() }
        let flood = try self.ask(resolver, self.slow(20), self.asker("a"))
        var begun = self.names.begun.makeAsyncIterator()
        #expect(Set([await begun.next(), await begun.next()]) == ["slow1.example", "slow2.example"])
        for number in 1...5 {
            let quick = try self.ask(resolver, ["quick\(number).example"], self.asker("b"))[0]
            #expect(try await quick.get() == [Self.address])
            #expect(await begun.next() == "quick\(number).example")
        }
        #expect(resolver.load.waiting == 18)
        self.names.letGo(20)
        for answer in flood { #expect(try await answer.get() == [Self.address]) }
    }

    @Test func whatOneClientMayAskIsBounded() async throws {
        let resolver = SystemResolver(threads: 8, waiting: 6, waitingPerClient: 4, lookUp: self.names.lookUp)
        defer { self.names.letGo() }
        // Two sessions are one client.
        let flood =
            try self.ask(resolver, self.slow(5), self.asker("a", "1"))
            + self.ask(resolver, self.slow(5), self.asker("a", "2"))
        for answer in flood[6...] {
            let refusal = await self.refusal(answer)
            #expect(refusal?.code == .overloaded && refusal?.retryAfterMilliseconds == 1000)
        }
        #expect(resolver.load == (4, 2))
        // The total is bounded too: b has two running and two waiting.
        let more = try self.ask(resolver, self.slow(5), self.asker("b"))
        #expect(await self.refusal(more[4])?.code == .overloaded)
        self.names.letGo()
        for answer in flood[..<6] + more[..<4] { #expect(try await answer.get() == [Self.address]) }
    }

    @Test func whatAnEndedSessionAskedNeverRuns() async throws {
        let resolver = SystemResolver(threads: 4, lookUp: self.names.lookUp)
        defer { self.names.letGo() }
        let dropped = try self.ask(resolver, self.slow(5), self.asker("a", "1"))
        let kept = try self.ask(resolver, ["kept.example"], self.asker("a", "2"))[0]
        resolver.drop(self.asker("a", "1"))
        for answer in dropped { #expect(await self.refusal(answer)?.code == .clientClosed) }
        // The one that runs still has the client's thread.
        #expect(resolver.load == (1, 1))
        self.names.letGo(1)
        #expect(try await kept.get() == [Self.address])
        var begun = self.names.begun.makeAsyncIterator()
        #expect(await begun.next() == "slow1.example")
        #expect(await begun.next() == "kept.example")
    }

    @Test func everyLookupIsAnsweredInTime() async throws {
        let resolver = SystemResolver(threads: 4, lookUp: self.names.lookUp)
        defer { self.names.letGo() }
        for answer in try self.ask(resolver, self.slow(3), self.asker("a"), within: .milliseconds(50)) {
            let refusal = await self.refusal(answer)
            #expect(refusal?.code == .nameNotFound && refusal?.retryAfterMilliseconds == 1000)
        }
        // A blocked thread counts against its client until it returns.
        #expect(resolver.load == (0, 1))
        let next = try self.ask(resolver, ["next.example"], self.asker("a"))[0]
        #expect(resolver.load == (1, 1))
        self.names.letGo(1)
        #expect(try await next.get() == [Self.address])
    }

    @Test func aStuckThreadHoldsNoShutdown() async throws {
        let resolver = SystemResolver(threads: 4, lookUp: self.names.lookUp)
        defer { self.names.letGo() }
        let answers = try self.ask(resolver, self.slow(3), self.asker("a"))
        await resolver.shutDown()
        for answer in answers { #expect(await self.refusal(answer)?.code == .draining) }
        let late = try self.ask(resolver, ["late.example"], self.asker("b"))[0]
        #expect(await self.refusal(late)?.code == .draining)
    }

    @Test func theMachinesResolverKnowsThisMachine() async throws {
        let resolver = SystemResolver()
        let addresses = try await resolver.resolve(try HostName(parsing: "localhost"), on: self.eventLoop).get()
        #expect(addresses.contains(IPAddress(v4: (127, 0, 0, 1))) || addresses.contains { $0.description == "::1" })
    }

    /// getaddrinfo's status, errno, the answer to the client, and when it may ask again.
    @Test(
        arguments: [
            (EAI_NONAME, 0, ReasonCode.nameNotFound, 0), (EAI_NONAME, ENOENT, .nameNotFound, 0),
            (EAI_FAIL, 0, .nameNotFound, 0), (EAI_AGAIN, 0, .nameNotFound, 1000),
            (EAI_AGAIN, EMFILE, .overloaded, 1000),
            (EAI_SYSTEM, EMFILE, .overloaded, 1000), (EAI_SYSTEM, ENFILE, .overloaded, 1000),
            (EAI_SYSTEM, EIO, .nameNotFound, 1000), (EAI_NONAME, EMFILE, .overloaded, 1000),
            (EAI_MEMORY, 0, .overloaded, 1000),
        ] as [(CInt, CInt, ReasonCode, UInt32)])
    func whatAFailureMeans(status: CInt, error: CInt, code: ReasonCode, retry: UInt32) {
        let refusal = AddressLookup.refusal("x.example", status: status, error: error)
        #expect(refusal.code == code && refusal.retryAfterMilliseconds == retry)
    }
}
