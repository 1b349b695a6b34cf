import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import Wasmnet
import WasmnetPolicy
import WasmnetNet

/// The denylist through a node's admin API.
struct AdminDenylistClient: DenylistClient {
    let base: String
    let token: String?
    let http: AdminHTTP

    /// Entries in one request: far below the limit of a body.
    private static let piece = 500

    func entries() async throws -> [DenylistEntry] {
        var entries: [DenylistEntry] = []
        var cursor: String?
        repeat {
            var query = "?limit=1000"
            if let cursor {
                query += "&cursor=" + (cursor.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
            }
            let page: Listing = try await self.ask(.GET, "/v1/denylist\(query)", Optional<Additions>.none)
            let now = Double(MachineClock.wall().milliseconds) / 1000
            entries += try page.items.map { item in
                DenylistEntry(
                    try DenylistCommand.subject(item.entry),
                    expiry: item.seconds_left.map { UnixTime(secondsSinceEpoch: now + $0) },
                    reason: item.reason.flatMap { try? DenylistReason($0) })
            }
            cursor = page.next
        } while cursor != nil
        return entries
    }

    func change(_ changes: [DenylistChange]) async throws -> DenylistSummary {
        var summary = DenylistSummary(changed: 0, version: 0)
        var rest = changes[...]
        while let first = rest.first {
            let isAddition = if case .add = first { true } else { false }
            let run = rest.prefix { change in
                if case .add = change { isAddition } else { !isAddition }
            }.prefix(Self.piece)
            rest = rest.dropFirst(run.count)
            let change: Change =
                isAddition
                ? try await self.ask(.POST, "/v1/denylist", Additions(entries: run.compactMap(Additions.Item.init)))
                : try await self.ask(.DELETE, "/v1/denylist", Removals(entries: run.map(\.subject.text)))
            summary.changed += change.changed
            summary.version = change.version
        }
        return summary
    }

    /// Adds first, so that nothing that stays denied is open in between.
    func load(_ entries: [DenylistEntry], replaces: Bool) async throws -> DenylistSummary {
        let known = replaces ? try await self.entries() : []
        let kept = Set(entries.map(\.text))
        let gone = known.filter { !kept.contains($0.text) }.map { DenylistChange.remove($0.subject) }
        return try await self.change(entries.map(DenylistChange.init(adding:)) + gone)
    }

    // MARK: HTTP

    private struct Additions: Encodable {
        struct Item: Encodable {
            var entry: String
            var ttl_seconds: Double?
            var reason: String?

            /// Nil for entries that have expired already.
            init?(_ change: DenylistChange) {
                guard case .add(let subject, let expiry, let reason) = change else { return nil }
                self.entry = subject.text
                self.reason = reason?.text
                switch expiry {
                case .never: break
                case .after(let milliseconds): self.ttl_seconds = Double(milliseconds) / 1000
                case .at(let time):
                    let left = Double(time.milliseconds - MachineClock.wall().milliseconds) / 1000
                    guard left > 0 else { return nil }
                    self.ttl_seconds = left
                }
            }
        }
        var entries: [Item]
    }

    private struct Removals: Encodable {
        var entries: [String]
    }

    private struct Listing: Decodable {
        struct Item: Decodable {
            var entry: String
            var reason: String?
            var seconds_left: Double?
        }
        var items: [Item]
        var next: String?
    }

    private struct Change: Decodable {
        var changed: Int
        var version: Int64
    }

    private struct Failure: Decodable {
        struct Detail: Decodable { var message: String }
        var error: Detail
    }

    private func ask<Answer: Decodable>(
        _ method: HTTPMethod, _ path: String, _ body: (some Encodable)?
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: self.base + path)
        request.method = method
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(body)))
        }
        let (response, bytes) = try await self.http.answer(to: request, at: self.base)
        guard (200..<300).contains(response.status.code) else {
            let words = (try? JSONDecoder().decode(Failure.self, from: bytes))?.error.message
            let text = "--admin: \(response.status.code): \((words ?? response.status.reasonPhrase).shown())"
            switch response.status.code {
            case 408, 429, 500...: throw CommandFailure(text)
            default: throw ConfigurationError(text)
            }
        }
        return try JSONDecoder().decode(Answer.self, from: bytes)
    }
}

extension DenylistChange {
    fileprivate var subject: DenylistSubject {
        switch self {
        case .add(let subject, _, _), .remove(let subject): subject
        }
    }
}
