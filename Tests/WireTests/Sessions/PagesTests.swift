import Foundation
import NIOCore
import Testing
import Wasmnet
import WasmnetRelay
import WasmnetTesting

/// The browser client as the node's port serves it, as bytes: forms, validators, and kept connections.
@Suite struct PagesTests {
    private static let module = "export const words = \"" + String(repeating: "words ", count: 400) + "\";\n"

    /// A folder like that of `scripts/stage-client.sh`, as far as the node reads it.
    private final class Folder {
        let path = NSTemporaryDirectory() + "client-\(UInt64.random(in: 0 ... .max))"

        init() async throws {
            for (name, text) in [
                ("wasmnet-client.js", PagesTests.module), ("wasmnet-client.min.js", "export {};\n"),
                ("README.md", "# Words\n"), ("playground/index.html", "<!doctype html>\n"),
            ] {
                let file = URL(filePath: "\(self.path)/\(name)")
                try FileManager.default.createDirectory(
                    at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                try text.write(to: file, atomically: true, encoding: .utf8)
            }
            _ = try await ChildProgram.run("/bin/gzip", ["-9nk", "\(self.path)/wasmnet-client.js"])
        }

        deinit { try? FileManager.default.removeItem(atPath: self.path) }
    }

    private func withNode(
        upgradeTimeout: TimeAmount = .seconds(10), _ body: (TestNode) async throws -> Void
    ) async throws {
        let folder = try await Folder()
        let node = try await TestNode.start {
            $0.clientDirectory = folder.path
            $0.settings.upgradeTimeout = upgradeTimeout
            $0.drainTimeoutSeconds = 20
        }
        try await body(node)
        await node.stop()
    }

    private struct Answer {
        let status: Int
        let fields: [String: String]
        let body: ByteBuffer

        /// All complete answers, in order; an incomplete last one is left out.
        static func all(in bytes: ByteBuffer, toHEAD: Bool = false) -> [Answer] {
            var bytes = bytes
            var answers: [Answer] = []
            let end = Array("\r\n\r\n".utf8)
            while let length = bytes.readableBytesView.firstRange(of: end)?.upperBound {
                let head = String(buffer: bytes.readSlice(length: length - bytes.readerIndex)!)
                let lines = head.components(separatedBy: "\r\n").filter { !$0.isEmpty }
                var fields: [String: String] = [:]
                for line in lines.dropFirst() {
                    let name = line.prefix { $0 != ":" }
                    fields[name.lowercased()] = String(line.dropFirst(name.count + 2))
                }
                let count = toHEAD ? 0 : Int(fields["content-length"] ?? "0") ?? 0
                guard let body = bytes.readSlice(length: count) else { break }
                answers.append(Answer(status: Int(lines[0].split(separator: " ")[1]) ?? 0, fields: fields, body: body))
            }
            return answers
        }
    }

    private func request(
        _ path: String, _ fields: [String] = [], method: String = "GET", version: String = "1.1"
    ) -> String {
        (["\(method) \(path) HTTP/\(version)", "Host: node"] + fields + ["", ""]).joined(separator: "\r\n")
    }

    /// The answer to one request on a separate connection.
    private func answer(
        _ node: TestNode, _ path: String, _ fields: [String] = [], method: String = "GET"
    ) async throws -> Answer {
        let client = try await RawClient.connect(port: node.port)
        try await client.send(self.request(path, fields + ["Connection: close"], method: method))
        let answers = Answer.all(in: try await client.bytes(), toHEAD: method == "HEAD")
        await client.close()
        #expect(answers.count == 1)
        return try #require(answers.first)
    }

    /// Sends requests at once or one by one on one connection, and returns the answers until the node ends it, or until there are this
    /// many answers.
    private func answers(
        _ client: RawClient, _ requests: [String], count: Int? = nil
    ) async throws -> [Answer] {
        for request in requests { try await client.send(request) }
        return Answer.all(
            in: try await client.bytes { bytes in count.map { Answer.all(in: bytes).count >= $0 } ?? false })
    }

    // MARK: Forms

    /// RFC 9110, section 12.5.3.
    @Test func gzipIsForWhoTakesIt() async throws {
        try await self.withNode { node in
            let path = "/client/wasmnet-client.js"
            let plain = try await self.answer(node, path)
            #expect(String(buffer: plain.body) == Self.module)
            #expect(plain.fields["content-encoding"] == nil && plain.fields["vary"] == "Accept-Encoding")
            for (value, isTaken) in [
                ("gzip", true), ("GZip", true), ("x-gzip", true), ("br, gzip", true), ("gzip, deflate, br, zstd", true),
                ("*", true), ("gzip;q=1.0", true), ("gzip;q=0.001", true), ("gzip ; q=0.5", true),
                ("identity;q=0.5, gzip;q=0.8", true), ("gzip;q=0.5, *;q=0", true), ("identity;q=0, gzip", true),
                ("", false), ("br", false), ("identity", false), ("gzip;q=0", false), ("gzip;q=0.000", false),
                ("*;q=0", false), ("gzip;q=0, *", false), ("identity, gzip;q=0.9", false), ("gzip;q=2", false),
                ("gzip;q=1.5", false), ("gzip;q=0.0001", false), ("gzip;q=-1", false), ("gzip;q=", false),
                ("gzip;q=0.5;q=1", false), ("gzipped", false), ("g zip", false),
            ] {
                let seen = try await self.answer(node, path, ["Accept-Encoding: \(value)"])
                #expect((seen.fields["content-encoding"] == "gzip") == isTaken, "\(value)")
                #expect(seen.fields["content-length"] == "\(seen.body.readableBytes)")
                #expect(seen.body.readableBytesView.starts(with: [0x1F, 0x8B]) == isTaken, "\(value)")
                #expect(seen.fields["vary"] == "Accept-Encoding")
            }
            // In more lines than one.
            let lines = try await self.answer(node, path, ["Accept-Encoding: br", "Accept-Encoding: gzip"])
            #expect(lines.fields["content-encoding"] == "gzip" && lines.body.readableBytes < 200)
            // A page with only one form does not vary.
            let small = try await self.answer(node, "/client/README.md", ["Accept-Encoding: gzip"])
            #expect(small.fields["content-encoding"] == nil && small.fields["vary"] == nil)
        }
    }

    /// RFC 9110, sections 8.8.3, 13.1.2 and 15.4.5.
    @Test func whoHasAPageIsToldSo() async throws {
        try await self.withNode { node in
            let path = "/client/wasmnet-client.js"
            let gzip = "Accept-Encoding: gzip"
            let plain = try #require(try await self.answer(node, path).fields["etag"])
            let gzipped = try #require(try await self.answer(node, path, [gzip]).fields["etag"])
            #expect(plain != gzipped && plain.hasPrefix("\"") && plain.hasSuffix("\""))
            for (fields, isKnown) in [
                (["If-None-Match: \(plain)"], true), (["If-None-Match: W/\(plain)"], true),
                (["If-None-Match: *"], true),
                (["If-None-Match: \"other\", \(plain)"], true),
                (["If-None-Match: \"other\"", "If-None-Match: \(plain)"], true),
                (["If-None-Match: \(gzipped)", gzip], true), (["If-None-Match: \(plain), \(gzipped)", gzip], true),
                (["If-None-Match: \"other\""], false), (["If-None-Match: \(gzipped)"], false),
                (["If-None-Match: \(plain)", gzip], false), (["If-None-Match: \(plain.dropLast())"], false),
                (["If-None-Match: \(plain.dropFirst().dropLast())"], false), (["If-None-Match:"], false),
            ] {
                let seen = try await self.answer(node, path, fields)
                #expect(seen.status == (isKnown ? 304 : 200), "\(fields)")
                #expect(seen.fields["etag"] == (fields.contains(gzip) ? gzipped : plain))
                #expect(seen.fields["vary"] == "Accept-Encoding" && seen.fields["cache-control"] == "no-cache")
                guard isKnown else { continue }
                #expect(seen.body.readableBytes == 0 && seen.fields["content-length"] == nil)
                #expect(seen.fields["access-control-allow-origin"] == "*")
            }
            // The same bytes have the same tag on every node.
            try await self.withNode { other in
                let there = try await self.answer(other, path)
                #expect(there.fields["etag"] == plain)
            }
            let whole = try await self.answer(node, "/client/wasmnet-client.min.js")
            #expect(whole.fields["cache-control"] == "public, max-age=3600")
        }
    }

    @Test func aHeadRequestIsToldWhatGETWouldGive() async throws {
        try await self.withNode { node in
            for fields in [[], ["Accept-Encoding: gzip"]] {
                let path = "/client/wasmnet-client.js"
                let get = try await self.answer(node, path, fields)
                let head = try await self.answer(node, path, fields, method: "HEAD")
                #expect(head.status == 200 && head.fields == get.fields && head.body.readableBytes == 0)
                #expect(head.fields["content-length"] == "\(get.body.readableBytes)")
            }
        }
    }

    /// A form made from another version would be served for the wrong page.
    @Test func aGzippedFileThatIsNotItsPageIsAnError() async throws {
        let folder = try await Folder()
        for bytes in [Data((Self.module + " ").utf8), Data((Self.module.dropLast() + " ").utf8)] {
            try bytes.write(to: URL(filePath: "\(folder.path)/wasmnet-client.js"))
            let error = await #expect(throws: ConfigurationError.self) {
                _ = try await TestNode.start { $0.clientDirectory = folder.path }
            }
            let words = String(describing: error)
            #expect(words.contains("wasmnet-client.js.gz is not the gzipped wasmnet-client.js"), "\(words)")
        }
    }

    // MARK: Kept connections

    @Test(arguments: [true, false]) func aConnectionIsKeptForTheNextRequest(atOnce: Bool) async throws {
        try await self.withNode { node in
            let client = try await RawClient.connect(port: node.port)
            let requests = [
                self.request("/client/wasmnet-client.js"), self.request("/client/nothing"), self.request("/"),
                self.request("/playground"), self.request("/client/README.md", ["Content-Length: 0"]),
                self.request("/client/README.md", ["If-None-Match: *"]),
            ]
            var seen: [Answer] = []
            if atOnce {
                seen = try await self.answers(client, [requests.joined()], count: requests.count)
            } else {
                for (index, request) in requests.enumerated() {
                    seen = try await self.answers(client, [request], count: index + 1)
                }
            }
            #expect(seen.map(\.status) == [200, 404, 200, 308, 200, 304])
            #expect(seen.allSatisfy { $0.fields["connection"] == "keep-alive" })
            // It can still become a session.
            try await client.send(FrontTests.handshake())
            let bytes = try await client.bytes { Answer.all(in: $0).count > requests.count }
            #expect(Answer.all(in: bytes).last?.status == 101)
            await client.close()
        }
    }

    @Test func whatEndsAConnectionSaysSo() async throws {
        try await self.withNode { node in
            for (name, request, status) in [
                ("Connection: close", self.request("/", ["Connection: close"]), 200),
                ("in a list", self.request("/", ["Connection: x, Close"]), 200),
                ("HTTP/1.0", self.request("/", version: "1.0"), 200),
                ("HTTP/1.0 that asks", self.request("/", ["Connection: keep-alive"], version: "1.0"), 200),
                ("another method", self.request("/", method: "POST"), 405),
                ("a body", self.request("/", ["Content-Length: 3"]) + "abc", 200),
                ("a body in chunks", self.request("/", ["Transfer-Encoding: chunked"]) + "0\r\n\r\n", 200),
                ("no request", "words\r\n\r\n", 400),
                ("a handshake that is none", self.request("/", ["Upgrade: websocket"]), 400),
            ] {
                let client = try await RawClient.connect(port: node.port)
                // Later requests are not answered.
                let seen = try await self.answers(client, [request + self.request("/client/README.md")])
                #expect(seen.map(\.status) == [status], "\(name)")
                #expect(seen.first?.fields["connection"] == "close", "\(name)")
                await client.close()
            }
        }
    }

    @Test func aConnectionHasAHundredRequests() async throws {
        try await self.withNode { node in
            let client = try await RawClient.connect(port: node.port)
            let many = Array(repeating: self.request("/client/README.md"), count: 130)
            let seen = try await self.answers(client, [many.joined()])
            #expect(seen.count == 100)
            #expect(seen.dropLast().allSatisfy { $0.fields["connection"] == "keep-alive" })
            #expect(seen.last?.fields["connection"] == "close")
            await client.close()
        }
    }

    /// Between requests it has the time of a fresh connection, and is the first to be closed.
    @Test func aKeptConnectionIsAsIdleAsAFreshOne() async throws {
        try await self.withNode(upgradeTimeout: .milliseconds(400)) { node in
            let client = try await RawClient.connect(port: node.port)
            #expect(try await self.answers(client, [self.request("/")]).map(\.status) == [200])
            #expect(try await !client.wasReset())
            await client.close()
        }
        try await self.withNode(upgradeTimeout: .seconds(60)) { node in
            let kept = try await RawClient.connect(port: node.port, from: "127.0.0.78")
            _ = try await self.answers(kept, [self.request("/")], count: 1)
            var others: [RawClient] = []
            for _ in 0..<64 { others.append(try await RawClient.connect(port: node.port, from: "127.0.0.78")) }
            #expect(try await self.answers(kept, []).count == 1, "the oldest that is idle has ended")
            #expect(node.server.environment.pending.count == 64)
            for other in others { await other.close() }
            await kept.close()
        }
    }

    @Test func aDrainEndsKeptConnections() async throws {
        try await self.withNode { node in
            let live = try await TestClient.connect(port: node.port)
            let kept = try await RawClient.connect(port: node.port)
            _ = try await self.answers(kept, [self.request("/")], count: 1)
            node.server.beginDrain()
            #expect(try await self.answers(kept, []).map(\.status) == [200])
            await kept.close()
            await live.close()
        }
    }

    /// A page that is not read keeps its connection for the time of an answer; nothing more is read from it meanwhile.
    @Test func whoReadsNothingIsCutOff() async throws {
        let folder = try await Folder()
        let large = Data(repeating: 0x20, count: 8 << 20)
        try large.write(to: URL(filePath: "\(folder.path)/large.json"))
        let node = try await TestNode.start {
            $0.clientDirectory = folder.path
            $0.settings.upgradeTimeout = .milliseconds(500)
        }
        let client = try await RawClient.connect(port: node.port, reads: false, receiveBuffer: 8 << 10)
        try await client.send(self.request("/client/large.json"))
        let pending = node.server.environment.pending
        for _ in 0..<500 where pending.count == 0 { try await Task.sleep(for: .milliseconds(10)) }
        for _ in 0..<1000 where pending.count > 0 { try await Task.sleep(for: .milliseconds(10)) }
        #expect(pending.count == 0)
        await client.close()
        await node.stop()
    }
}
