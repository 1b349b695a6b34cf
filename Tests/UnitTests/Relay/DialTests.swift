import Glibc
import NIOCore
import NIOEmbedded
import NIOPosix
import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

@testable import WasmnetRelay

/// A race with real sockets on the loopback interface.
@Suite struct DialTests {
    private let eventLoop = MultiThreadedEventLoopGroup.singleton.any()

    /// The address that the dial reached, or its refusal. The delay between attempts is an hour: only failures advance it.
    private func dial(
        _ addresses: [IPAddress], port: UInt16, timeout: TimeAmount = .seconds(20)
    ) async -> Result<IPAddress, Refusal> {
        var settings = RelaySettings()
        settings.connectionAttemptDelay = .hours(1)
        let eventLoop = self.eventLoop
        let result = try? await eventLoop.flatSubmit { [settings] () -> EventLoopFuture<Result<IPAddress, Refusal>> in
            let promise = eventLoop.makePromise(of: Result<IPAddress, Refusal>.self)
            let dial = Dial(
                eventLoop: eventLoop, settings: settings, connector: SocketConnector(), host: "target.example",
                port: port, addresses: addresses,
                tls: nil, denial: { _ in nil }
            ) { result in
                promise.succeed(
                    result.map { connection in
                        connection.channel.close(promise: nil)
                        return connection.address
                    })
            }
            dial.start(timeout: timeout)
            return promise.futureResult
        }.get()
        return result ?? .failure(Refusal(.internalError, "the test's own"))
    }

    private func listener(on address: IPAddress) async throws -> any Channel {
        try await ServerBootstrap(group: self.eventLoop).bind(to: SocketAddress(address, port: 0)).get()
    }

    /// 127.0.0.n, closed unless a test listens there.
    private func loopback(_ n: UInt8) -> IPAddress { IPAddress(v4: (127, 0, 0, n)) }

    @Test func aRefusalMovesOnToTheNextAddressAtOnce() async throws {
        let listener = try await self.listener(on: self.loopback(3))
        let port = UInt16(listener.localAddress?.port ?? 0)
        let result = await self.dial([self.loopback(1), self.loopback(2), self.loopback(3)], port: port)
        #expect(result == .success(self.loopback(3)))
        try await listener.close()
    }

    @Test func whenAllAreRefusedTheClientLearnsItInTheNamesItUsed() async throws {
        let listener = try await self.listener(on: self.loopback(1))
        let port = UInt16(listener.localAddress?.port ?? 0)
        try await listener.close()
        let result = await self.dial([self.loopback(1), self.loopback(2)], port: port)
        guard case .failure(let refusal) = result else {
            Issue.record("connected to nobody")
            return
        }
        #expect(refusal.code == .refused)
        #expect(refusal.message == "target.example port \(port) refused the connection")
    }

    @Test func noAddressIsNotATimeout() async {
        guard case .failure(let refusal) = await self.dial([], port: 1, timeout: .seconds(1)) else { return }
        #expect(refusal.code == .unreachable)
    }

    @Test func theSystemsErrorsAreOurCodes() {
        let codes: [(CInt, ReasonCode)] = [
            (ECONNREFUSED, .refused), (ETIMEDOUT, .connectTimeout), (EHOSTUNREACH, .unreachable),
            (ENETUNREACH, .unreachable), (EACCES, .unreachable), (EMFILE, .overloaded), (ENFILE, .overloaded),
            (ENOBUFS, .overloaded), (ENOMEM, .overloaded), (EADDRNOTAVAIL, .overloaded),
        ]
        for (number, code) in codes {
            let error = IOError(errnoCode: number, reason: "secret words of the system")
            let refusal = Dial.refusal(error, host: "target.example", port: 7)
            #expect(refusal.code == code, "errno \(number)")
            #expect(!refusal.message.contains("secret"))
            #expect((refusal.retryAfterMilliseconds > 0) == (code == .overloaded))
        }
        #expect(Dial.refusal(ChannelError.connectTimeout(.seconds(1)), host: "h", port: 1).code == .connectTimeout)
        #expect(Dial.refusal(ChannelError.eof, host: "h", port: 1).code == .unreachable)
    }

    // MARK: The current policy

    /// A changed policy is in force before its sessions are notified: a connection that succeeds in between is decided by it.
    @Test func aConnectionThatComesBeforeTheNewsIsDecidedAllTheSame() throws {
        let harness = try CarrierHarness(.v2)
        let session = try #require(harness.session)
        _ = try harness.frames()
        harness.environment.replacePolicy(Policy(Policy.Rules()))
        let target = EmbeddedChannel(loop: harness.loop)
        _ = try TargetHarness.connect(1, .tcp, session, target)
        let events = try harness.events()
        guard events.count == 1, case .refused(1, let refusal)? = events.first else {
            Issue.record("\(events)")
            return
        }
        #expect(refusal.code == .policyDenied)
        #expect(!target.isActive && harness.ledger.counts.sockets == 0)
        try harness.finish()
    }

    /// TLS reveals the name: not to an address that is denied by the time that it is connected.
    @Test func noHandshakeBeginsWithADeniedAddress() async throws {
        let listener = try await self.listener(on: self.loopback(1))
        let port = UInt16(listener.localAddress?.port ?? 0)
        let eventLoop = self.eventLoop
        let code = try await eventLoop.flatSubmit { () -> EventLoopFuture<ReasonCode> in
            let promise = eventLoop.makePromise(of: ReasonCode.self)
            do {
                let tls = try TargetTLS(applicationProtocols: [], extraAuthorities: [])
                var settings = RelaySettings()
                settings.tlsHandshakeTimeout = .milliseconds(100)
                let dial = Dial(
                    eventLoop: eventLoop, settings: settings, connector: SocketConnector(), host: "target.example",
                    port: port, addresses: [self.loopback(1)], tls: (tls, nil),
                    denial: { _ in Refusal(.denylisted, "since a moment ago") }
                ) { result in
                    switch result {
                    case .success: promise.succeed(.normal)
                    case .failure(let refusal): promise.succeed(refusal.code)
                    }
                }
                dial.start(timeout: .seconds(20))
            } catch {
                promise.fail(error)
            }
            return promise.futureResult
        }.get()
        #expect(code == .denylisted)
        try await listener.close()
    }
}
