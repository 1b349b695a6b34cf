import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol

/// One dial: races the allowed addresses, performs the TLS handshake, and hands the channel over, all within one deadline. It takes only
/// addresses that passed the policy, and looks up no name. The present policy is checked again before each attempt
/// and before the first byte on a connection.
final class Dial {
    /// The outcome, reported exactly once: the channel, its address, its allocator and the ALPN name, or why it failed.
    typealias Completion = (Result<Connection, Refusal>) -> Void

    struct Connection {
        var channel: any Channel
        var address: IPAddress
        var receiver: ReceiveAllocator
        var alpn: String?
        /// Duration of the TLS handshake in nanoseconds.
        var handshake: Int64?
    }

    /// A channel that is not connected yet.
    private struct Attempt {
        var channel: any Channel
        var address: IPAddress
        /// Why it was abandoned, if a changed policy is the reason.
        var denial: Refusal?
    }

    private let eventLoop: any EventLoop
    private let settings: RelaySettings
    private let connector: any TargetConnector
    private let port: UInt16
    /// The target as the client named it, for messages.
    private let host: String
    private let tls: (TargetTLS, serverName: String?)?
    /// Why an address may not be reached now; nil if it may.
    private let denial: (IPAddress) -> Refusal?
    private var race: ConnectionRace
    private var completion: Completion?
    private var delayTask: Scheduled<Void>?
    private var deadlineTask: Scheduled<Void>?
    private var lastRefusal: Refusal?
    private var handshaking: Connection?
    /// None outlives the dial: a target that never answers would hold its descriptor for minutes.
    private var underWay: [ObjectIdentifier: Attempt] = [:]
    private var isOver = false
    /// The addresses were decided in this very turn.
    private var isFresh = true

    init(
        eventLoop: any EventLoop, settings: RelaySettings, connector: any TargetConnector, host: String, port: UInt16,
        addresses: [IPAddress],
        tls: (TargetTLS, serverName: String?)?, denial: @escaping (IPAddress) -> Refusal?,
        completion: @escaping Completion
    ) {
        self.eventLoop = eventLoop
        self.settings = settings
        self.connector = connector
        self.host = host
        self.port = port
        self.tls = tls
        self.denial = denial
        self.race = ConnectionRace(AddressOrder.interleaved(addresses, limit: settings.maxAddressesPerName))
        self.completion = completion
    }

    func start(timeout: TimeAmount) {
        self.deadlineTask = self.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            self.complete(
                .failure(Refusal(.connectTimeout, "\(self.host) port \(self.port) did not answer in time")))
        }
        self.carryOut(self.race.start(), channel: nil)
        self.isFresh = false
    }

    /// Ends the dial; its completion is no longer called.
    func cancel() {
        self.completion = nil
        self.complete(.failure(Refusal(.clientClosed, "")))
    }

    /// The policy or the denylist has changed: abandons what is now denied.
    func reapply() {
        if let connection = self.handshaking, let denial = self.denial(connection.address) {
            self.complete(.failure(denial))
            return
        }
        for (id, attempt) in self.underWay {
            guard let denial = self.denial(attempt.address) else { continue }
            self.underWay[id]?.denial = denial
            attempt.channel.close(promise: nil)
        }
    }

    private func carryOut(_ actions: [ConnectionRace.Action], channel: Connection?) {
        for action in actions {
            switch action {
            case .attempt(let address): self.attempt(address)
            case .startDelay:
                self.delayTask = self.eventLoop.assumeIsolated().scheduleTask(
                    in: self.settings.connectionAttemptDelay
                ) {
                    self.carryOut(self.race.delayPassed(), channel: nil)
                }
            case .stopDelay: self.delayTask?.cancel()
            case .fail:
                self.complete(
                    .failure(self.lastRefusal ?? Refusal(.unreachable, "\(self.host) could not be reached")))
            case .win:
                if let channel { self.won(channel) }
            case .drop: channel?.channel.close(promise: nil)
            }
        }
    }

    private func attempt(_ address: IPAddress) {
        if !self.isFresh, let denial = self.denial(address) { return self.attemptFailed(denial) }
        let receiver = ReceiveAllocator(largest: self.settings.wideReadChunkBytes)
        let target: SocketAddress
        do {
            target = try SocketAddress(address, port: self.port)
        } catch {
            self.carryOut(self.race.attemptFailed(), channel: nil)
            return
        }
        var attempt: ObjectIdentifier?
        self.connector
            .connect(to: target, receiver: receiver, on: self.eventLoop) { channel in
                guard !self.isOver else { return channel.close(promise: nil) }
                attempt = ObjectIdentifier(channel)
                self.underWay[ObjectIdentifier(channel)] = Attempt(channel: channel, address: address)
            }
            .assumeIsolated()
            .whenComplete { result in
                let denial = attempt.flatMap { self.underWay.removeValue(forKey: $0) }?.denial
                switch result {
                case .success(let channel):
                    // Without TLS it is handed over in this turn, which decides once more.
                    if let denial = denial ?? (self.tls == nil ? nil : self.denial(address)) {
                        channel.close(promise: nil)
                        return self.attemptFailed(denial)
                    }
                    let connection = Connection(channel: channel, address: address, receiver: receiver)
                    self.carryOut(self.race.attemptConnected(), channel: connection)
                case .failure(let error):
                    self.attemptFailed(denial ?? Self.refusal(error, host: self.host, port: self.port))
                }
            }
    }

    private func attemptFailed(_ refusal: Refusal) {
        self.lastRefusal = refusal
        self.carryOut(self.race.attemptFailed(), channel: nil)
    }

    private func won(_ connection: Connection) {
        self.closeUnderWay()
        guard let (tls, serverName) = self.tls else {
            self.complete(.success(connection))
            return
        }
        self.handshaking = connection
        let start = connection.channel.eventLoop.now
        tls.startHandshake(
            on: connection.channel, serverName: serverName, host: self.host,
            timeout: self.settings.tlsHandshakeTimeout
        ) { result in
            self.handshaking = nil
            switch result {
            case .success(let alpn):
                var connection = connection
                connection.alpn = alpn
                connection.handshake = (connection.channel.eventLoop.now - start).nanoseconds
                self.complete(.success(connection))
            case .failure(let refusal):
                connection.channel.close(promise: nil)
                self.complete(.failure(refusal))
            }
        }
    }

    private func complete(_ result: Result<Connection, Refusal>) {
        // Taken first: closing a channel during its handshake fails the handshake, which completes the dial again.
        let completion = self.completion.take()
        self.isOver = true
        self.deadlineTask?.cancel()
        self.carryOut(self.race.cancel(), channel: nil)
        self.closeUnderWay()
        if let handshaking = self.handshaking.take() { handshaking.channel.close(promise: nil) }
        guard let completion else {
            if case .success(let connection) = result { connection.channel.close(promise: nil) }
            return
        }
        completion(result)
    }

    private func closeUnderWay() {
        let attempts = self.underWay.values
        self.underWay = [:]
        for attempt in attempts { attempt.channel.close(promise: nil) }
    }

    /// Maps the operating system's error to a code and our own wording.
    static func refusal(_ error: any Error, host: String, port: UInt16) -> Refusal {
        let place = "\(host) port \(port)"
        guard let error = error as? IOError else {
            if case .connectTimeout? = error as? ChannelError {
                return Refusal(.connectTimeout, "\(place) did not answer in time")
            }
            return Refusal(.unreachable, "\(place) could not be reached")
        }
        if Exhaustion.isResourceExhaustion(error) { return .noResources }
        switch error.errnoCode {
        case ECONNREFUSED: return Refusal(.refused, "\(place) refused the connection")
        case ETIMEDOUT: return Refusal(.connectTimeout, "\(place) did not answer in time")
        // No local port is left toward that destination.
        case EADDRNOTAVAIL: return .noResources
        default: return Refusal(.unreachable, "\(place) could not be reached")
        }
    }
}

@available(*, unavailable)
extension Dial: Sendable {}
