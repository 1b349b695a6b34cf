import Foundation
import Synchronization

/// The cost of scraping for a node, and its effect on a message in progress.
struct Scrapes {
    /// More often than a Prometheus would.
    private static let interval = 5.0
    private static let count = 200

    func run(in field: Field) throws -> [FigureRow] {
        field.restart(.node)
        guard let node = try field.proxy(.node), let port = node.adminPort else { throw BenchError("no node") }
        let open = try field.open(.node, lanes: 64, carriers: 8, dialect: .v2)
        defer { open.close() }
        let before = node.cpuSeconds
        for _ in 0..<Self.count { try Self.scrape(port) }
        let cost = (node.cpuSeconds - before) / Double(Self.count)

        let pinger = Pinger(open.lanes[0], size: 64)
        pinger.start()
        field.reactor.run(seconds: 0.5)
        pinger.isTiming = true
        let quiet = try self.ping(pinger, in: field)
        let scraper = Scraper(port)
        let scraped = try self.ping(pinger, in: field)
        let scrapes = scraper.stop()
        guard scrapes > 0 else { throw BenchError("/metrics was not read once in a second") }
        return [
            FigureRow(work: "a scrape of /metrics", measure: "us of the node's CPU", figures: [.node: cost * 1e6]),
            FigureRow(
                work: "a scrape every \(Int(Self.interval)) s", measure: "% of a CPU",
                figures: [.node: cost / Self.interval * 100], goal: 1),
            FigureRow(work: "64 B ping-pong", measure: "p99 us", figures: [.node: quiet]),
            FigureRow(
                work: "the same, scraped \(scrapes) times meanwhile", measure: "p99 us", figures: [.node: scraped]),
        ]
    }

    private func ping(_ pinger: Pinger, in field: Field) throws -> Double {
        let known = pinger.roundTrips.count
        var sample = try field.measure(.node, seconds: 1) { Double(pinger.count) }
        sample.roundTrips = pinger.roundTrips.dropFirst(known).sorted()
        return (sample.percentile(99) ?? 0) / 1000
    }

    /// Reads all of /metrics.
    fileprivate static func scrape(_ port: UInt16) throws {
        let request = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        let answer = try Sockets.exchange(Array(request.utf8), port: port)
        guard answer.starts(with: Array("HTTP/1.1 200".utf8)) else { throw BenchError("/metrics was not answered 200") }
    }
}

/// Scrapes without a pause on a separate thread.
private final class Scraper: Sendable {
    private let isStopped = Atomic(false)
    private let count = Atomic(0)

    init(_ port: UInt16) {
        Thread.detachNewThread {
            while !self.isStopped.load(ordering: .relaxed), (try? Scrapes.scrape(port)) != nil {
                self.count.add(1, ordering: .relaxed)
            }
        }
    }

    /// - Returns: how many it made.
    func stop() -> Int {
        self.isStopped.store(true, ordering: .relaxed)
        return self.count.load(ordering: .relaxed)
    }
}
