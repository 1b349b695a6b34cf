import ArgumentParser
import Foundation

/// The clients beside the honest one, in a separate process, so that they do not delay the honest one.
struct HostileLoad: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hostile-load", abstract: "The clients beside the honest one; `hostile` starts it.",
        shouldDisplay: false)

    @Option var port: UInt16
    @Option var seconds: Double
    @Option(help: "The last byte of the first client's address.") var firstHost: UInt8
    @Option(parsing: .upToNextOption, help: "One for each client.") var abuses: [Abuse]
    @Flag(help: "The same number of messages, in good manners.") var polite = false

    func run() throws {
        // The honest client has priority on their shared processor.
        nice(5)
        let reactor = Reactor()
        let target = try Target(on: reactor)
        let sink = try DatagramSink(on: reactor)
        let clients = try self.abuses.enumerated().map { index, abuse in
            let place = ClientPlace(
                index: index, host: self.firstHost + UInt8(index), nodePort: self.port, targetPort: target.port,
                datagramPort: sink.port, reactor: reactor)
            return self.polite
                ? try LoadClient.polite(place, insteadOf: abuse) : try LoadClient.hostile(place, abuse)
        }
        reactor.run(seconds: 2) { clients.allSatisfy(\.isReady) }
        Self.report("ready")
        let start = Clock.now
        var lastTick = start
        reactor.onTurn = {
            let now = Clock.now
            let seconds = Double(now - start) / 1e9
            for (client, abuse) in zip(clients, self.abuses) {
                client.offer(
                    upTo: abuse.offered(
                        client: client.place.index, after: seconds, of: self.seconds, polite: self.polite))
            }
            while now - lastTick >= 1_000_000 {
                lastTick += 1_000_000
                for client in clients { client.tick() }
            }
        }
        reactor.run(seconds: self.seconds)
        Self.report("sent \(clients.reduce(0) { $0 + $1.sent }) ended \(clients.reduce(0) { $0 + $1.ended })")
    }

    private static func report(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }
}

/// Reads and discards datagrams.
private final class DatagramSink: ReactorHandler {
    private let descriptor: Int32
    let port: UInt16
    private var datagram = [UInt8](repeating: 0, count: 64 << 10)

    init(on reactor: Reactor) throws {
        (self.descriptor, self.port) = try Sockets.bindDatagram()
        reactor.add(self.descriptor, reading: true, writing: false, self)
    }

    func ready(readable: Bool, writable: Bool) {
        for _ in 0..<1024 where recv(self.descriptor, &self.datagram, self.datagram.count, 0) < 0 { return }
    }
}
