import Crypto
import Foundation
import NIOCore
import NIOHTTP1
import WasmnetPolicy
import WasmnetRelay
import WasmnetNet

/// The browser client as pages of the node's port: the package at `/client/`, its playground at `/playground/`.
enum ClientPages {
    /// What is served, by file extension. Everything else in the folder is not.
    private static let types = [
        "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
        "mjs": "text/javascript; charset=utf-8", "ts": "text/plain; charset=utf-8",
        "json": "application/json", "svg": "image/svg+xml", "wasm": "application/wasm",
        "md": "text/markdown; charset=utf-8",
    ]
    /// Folders of the package that are only for development.
    private static let left: Set<String> = ["node_modules", "test", "guests", "scripts", "bench"]
    /// The whole client, which imports nothing.
    private static let oneModule = "wasmnet-client.min.js"
    /// Total bytes of all files.
    private static let most = 64 << 20

    /// - Throws: ``ConfigurationError`` if the folder is not the client's, or too large.
    static func load(_ directory: String) throws(ConfigurationError) -> StaticPages {
        let root = URL(fileURLWithPath: directory).resolvingSymlinksInPath()
        guard FileManager.default.fileExists(atPath: root.appending(path: "wasmnet-client.js").path) else {
            throw ConfigurationError("\(directory) holds no wasmnet-client.js, so it is not the browser client")
        }
        var pages: [String: StaticPages.Page] = [:]
        var bytes = 0
        for path in self.files(in: root) {
            guard let type = self.types[URL(fileURLWithPath: path).pathExtension],
                let data = self.content(root.appending(path: path))
            else { continue }
            let gzipped = self.content(root.appending(path: path + ".gz"))
            bytes += data.count + (gzipped?.count ?? 0)
            guard bytes <= self.most else {
                throw ConfigurationError("\(directory) has more than \(self.most >> 20) MiB of files to serve")
            }
            guard gzipped.map({ Gzip.holds(data, in: $0) }) ?? true else {
                throw ConfigurationError(
                    "\(directory)/\(path).gz is not the gzipped \(path) beside it; remove it, or make the folder again")
            }
            let isPlayground = ByteText(path).starts(with: "playground/")
            let page = StaticPages.Page(
                headers: self.headers(path, type, isPlayground: isPlayground), plain: self.form(data),
                gzipped: gzipped.map(self.form))
            pages[isPlayground ? "/\(path)" : "/client/\(path)"] = page
            if path == "playground/index.html" { pages["/playground/"] = page }
        }
        if pages["/playground/"] != nil {
            pages["/playground"] = .init(
                status: .permanentRedirect, headers: ["Location": "/playground/"], plain: .init(bytes: ByteBuffer()))
        }
        return StaticPages(pages)
    }

    /// Nil if there is no such regular file; for one that is too large, more bytes than the total allows.
    private static func content(_ file: URL) -> Data? {
        (try? FileBytes.beginning(of: file.path, upTo: self.most)).map { Data($0) }
    }

    private static func form(_ data: Data) -> StaticPages.Page.Form {
        let digits = SHA256.hash(data: data).prefix(12).hexadecimal
        return .init(bytes: ByteBuffer(bytes: data), tag: "\"\(digits)\"")
    }

    private static func files(in root: URL) -> [String] {
        let all = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
        return all.filter { path in
            let folders = ByteText(path).split(at: "/").dropLast()
            guard let first = folders.first else { return !ByteText(path).starts(with: ".") }
            let isMade = first == "playground"
            return !folders.contains { $0.starts(with: ".") } && (isMade || !self.left.contains(first.text))
        }
    }

    /// Any page may load the package. The playground is isolated, so that programs may block using shared memory, and runs only files
    /// of this server and WebAssembly.
    private static func headers(_ path: String, _ type: String, isPlayground: Bool) -> HTTPHeaders {
        // Modules that import one another must be of one version: a browser asks whether they have changed. A self-contained one may be
        // older than the node for an hour.
        let caching = path == self.oneModule ? "public, max-age=3600" : "no-cache"
        var headers: HTTPHeaders = [
            "Content-Type": type, "Cache-Control": caching, "Cross-Origin-Resource-Policy": "cross-origin",
            "Cross-Origin-Embedder-Policy": "require-corp",
        ]
        if isPlayground {
            headers.add(name: "Cross-Origin-Opener-Policy", value: "same-origin")
            headers.add(
                name: "Content-Security-Policy",
                value: """
                    default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; img-src 'self'; \
                    connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'
                    """)
        } else {
            headers.add(name: "Access-Control-Allow-Origin", value: "*")
        }
        return headers
    }
}

/// The metadata of a gzip file (RFC 1952, section 2.3.1).
private enum Gzip {
    /// Whether a gzip file was made from these bytes, by its length and checksum.
    static func holds(_ data: Data, in gzipped: Data) -> Bool {
        guard gzipped.count >= 18, gzipped.starts(with: [0x1F, 0x8B, 8]) else { return false }
        let trailer = gzipped.suffix(8).reversed()
        let length = trailer.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let checksum = trailer.suffix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return length == UInt32(truncatingIfNeeded: data.count) && checksum == self.checksum(data)
    }

    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 1 ? 0xEDB8_8320 : 0) }
    }

    /// CRC-32 (RFC 1952, section 8).
    private static func checksum(_ data: Data) -> UInt32 {
        data.withUnsafeBytes { bytes in
            ~bytes.reduce(~UInt32(0)) { self.table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
        }
    }
}
