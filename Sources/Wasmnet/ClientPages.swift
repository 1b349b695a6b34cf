import Foundation
import NIOCore
import NIOHTTP1
import WasmnetRelay
import WasmnetText

/// The browser client as pages of the node's port: the package at `/client/`, its playground at `/playground/`.
enum ClientPages {
    /// What is served, by the ending of its name. Everything else in the folder is not.
    private static let types = [
        "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
        "mjs": "text/javascript; charset=utf-8", "ts": "text/plain; charset=utf-8",
        "json": "application/json", "svg": "image/svg+xml", "wasm": "application/wasm",
        "md": "text/markdown; charset=utf-8",
    ]
    /// Folders of the package that are for its making.
    private static let left: Set<String> = ["node_modules", "test", "guests", "scripts", "bench"]
    /// Bytes of all files together.
    private static let most = 64 << 20

    /// - Throws: ``ConfigurationError`` where the folder is none of the client's, or too large.
    static func load(_ directory: String) throws(ConfigurationError) -> StaticPages {
        let root = URL(fileURLWithPath: directory).resolvingSymlinksInPath()
        guard FileManager.default.fileExists(atPath: root.appending(path: "wasmnet-client.js").path) else {
            throw ConfigurationError("\(directory) holds no wasmnet-client.js, so it is not the browser client")
        }
        var pages: [String: StaticPages.Page] = [:]
        var bytes = 0
        for path in self.files(in: root) {
            guard let type = self.types[URL(fileURLWithPath: path).pathExtension],
                let data = FileManager.default.contents(atPath: root.appending(path: path).path)
            else { continue }
            bytes += data.count
            guard bytes <= self.most else {
                throw ConfigurationError("\(directory) has more than \(self.most >> 20) MiB of files to serve")
            }
            let isPlayground = ByteText(path).starts(with: "playground/")
            let page = StaticPages.Page(
                bytes: ByteBuffer(bytes: data), headers: self.headers(type, isPlayground: isPlayground))
            pages[isPlayground ? "/\(path)" : "/client/\(path)"] = page
            if path == "playground/index.html" { pages["/playground/"] = page }
        }
        if pages["/playground/"] != nil {
            pages["/playground"] = .init(
                status: .permanentRedirect, bytes: ByteBuffer(), headers: ["Location": "/playground/"])
        }
        return StaticPages(pages)
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

    /// Any page may load the package. The playground is isolated, so that programs may block by shared memory, and runs nothing but files
    /// of this server and WebAssembly.
    private static func headers(_ type: String, isPlayground: Bool) -> HTTPHeaders {
        var headers: HTTPHeaders = [
            "Content-Type": type, "Cache-Control": "no-cache", "Cross-Origin-Resource-Policy": "cross-origin",
            "Cross-Origin-Embedder-Policy": "require-corp",
        ]
        if isPlayground {
            headers.add(name: "Cross-Origin-Opener-Policy", value: "same-origin")
            headers.add(
                name: "Content-Security-Policy",
                value: """
                    default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self' ws: wss: \
                    blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'
                    """)
        } else {
            headers.add(name: "Access-Control-Allow-Origin", value: "*")
        }
        return headers
    }
}
