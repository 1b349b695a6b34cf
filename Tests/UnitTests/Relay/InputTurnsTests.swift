import NIOCore
import NIOEmbedded
import NIOPosix
import Synchronization
import Testing

@testable import WasmnetRelay

@Suite struct InputTurnsTests {
    /// Waits for one turn after the other; each takes a millisecond, at once or as a task that it leaves to the loop.
    private final class Busy: InputTurnTaker {
        private let turns: InputTurns
        private let tally: Tally
        private let loop: (any EventLoop)?
        private var left = 100

        init(_ turns: InputTurns, _ tally: Tally, leavesTasksTo loop: (any EventLoop)?) {
            self.turns = turns
            self.tally = tally
            self.loop = loop
        }

        func takeWaitingTurn() {
            self.tally.turns.wrappingAdd(1, ordering: .relaxed)
            if let loop = self.loop { loop.execute { InputTurnsTests.work() } } else { InputTurnsTests.work() }
            self.left -= 1
            if self.left > 0 { self.turns.add(self) }
        }
    }

    private static func work() {
        let end = NIODeadline.now() + .milliseconds(1)
        while NIODeadline.now() < end {}
    }

    private final class Tally: Sendable {
        let turns = Atomic<Int>(0)
        var value: Int { self.turns.load(ordering: .relaxed) }
    }

    /// Reports how many turns had been taken when the first datagram was read.
    private final class FirstRead: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        private let tally: Tally
        private let promise: EventLoopPromise<Int>

        init(_ tally: Tally, _ promise: EventLoopPromise<Int>) {
            self.tally = tally
            self.promise = promise
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { self.promise.succeed(self.tally.value) }
    }

    private static func turnsBeforeARead(on loop: any EventLoop, leavingTasks: Bool) -> EventLoopFuture<Int> {
        let (tally, promise) = (Tally(), loop.makePromise(of: Int.self))
        return DatagramBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FirstRead(tally, promise))
                }
            }
            .bind(host: "127.0.0.1", port: 0)
            .flatMap { channel in
                let turns = InputTurns(channel.eventLoop)
                for _ in 0..<4 { turns.add(Busy(turns, tally, leavesTasksTo: leavingTasks ? loop : nil)) }
                if let address = channel.localAddress {
                    channel.writeAndFlush(
                        AddressedEnvelope(remoteAddress: address, data: ByteBuffer(string: "x")), promise: nil)
                }
                return promise.futureResult.flatMap { count in channel.close().map { count } }
            }
    }

    /// Takes this many turns, and records each.
    private final class Noted: InputTurnTaker {
        private let name: String
        private let turns: InputTurns
        private let list: List
        private var left = 3

        init(_ name: String, _ turns: InputTurns, _ list: List) {
            (self.name, self.turns, self.list) = (name, turns, list)
        }

        func takeWaitingTurn() {
            self.list.names.append(self.name)
            self.left -= 1
            if self.left > 0 { self.turns.add(self) }
        }
    }

    private final class List { var names: [String] = [] }

    /// The first to arrive is first in every round, and one that returns goes behind those who wait.
    @Test func turnsAreTakenInTheOrderInWhichTheyWereAskedFor() {
        let loop = EmbeddedEventLoop()
        let (turns, list) = (InputTurns(loop), List())
        for name in ["a", "b", "c"] { turns.add(Noted(name, turns, list)) }
        for round in 1...3 {
            loop.advanceTime(by: .microseconds(101))
            #expect(list.names == Array(repeating: ["a", "b", "c"], count: round).flatMap { $0 })
        }
    }

    @Test(arguments: [false, true]) func theLoopLooksAtItsSocketsBetweenTwoRounds(leavingTasks: Bool) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let count = try await loop.flatSubmit { Self.turnsBeforeARead(on: loop, leavingTasks: leavingTasks) }.get()
        #expect(count < 40, "\(count) of 400 turns went by before the loop looked")
        try await group.shutdownGracefully()
    }
}
