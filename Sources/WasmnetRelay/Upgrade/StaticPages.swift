package import NIOCore
package import NIOHTTP1
import WasmnetNet

/// Files that the node's port serves over HTTP beside its WebSocket, by their paths. All are in memory, so that no request reads a disk.
package struct StaticPages: Sendable {
    package struct Page: Sendable {
        /// One encoding of a page.
        package struct Form: Sendable {
            package var bytes: ByteBuffer
            /// An entity tag with its quotes (RFC 9110, section 8.8.3), unique among all forms of all pages; nil: none.
            package var tag: String?

            package init(bytes: ByteBuffer, tag: String? = nil) {
                self.bytes = bytes
                self.tag = tag
            }
        }

        package var status: HTTPResponseStatus
        /// Without those that depend on the form: the entity tag, the coding, the length.
        package var headers: HTTPHeaders
        package var plain: Form
        package var gzipped: Form?

        package init(
            status: HTTPResponseStatus = .ok, headers: HTTPHeaders, plain: Form, gzipped: Form? = nil
        ) {
            self.status = status
            self.headers = headers
            self.plain = plain
            self.gzipped = gzipped
        }
    }

    private let pages: [String: Page]

    /// - Parameter pages: by their full paths, `/client/wasmnet-client.js`, without a query.
    package init(_ pages: [String: Page] = [:]) { self.pages = pages }

    package var count: Int { self.pages.count }

    package func page(at path: some StringProtocol) -> Page? { self.pages.isEmpty ? nil : self.pages[String(path)] }
}

extension PlainAnswer {
    /// A page in the form that the request accepts, or 304 if it already has that.
    init(_ page: StaticPages.Page, to request: HTTPRequestHead) {
        var headers = page.headers
        var form = page.plain
        if let gzipped = page.gzipped {
            headers.add(name: "Vary", value: "Accept-Encoding")
            if ContentCoding.takesGzip(request.headers["Accept-Encoding"]) {
                form = gzipped
                headers.add(name: "Content-Encoding", value: "gzip")
            }
        }
        if let tag = form.tag {
            headers.add(name: "ETag", value: tag)
            if EntityTag.isListed(tag, in: request.headers["If-None-Match"]) {
                for name in ["Content-Type", "Content-Encoding"] { headers.remove(name: name) }
                self.init(.notModified, headers, nil)
                return
            }
        }
        self.init(page.status, headers, form.bytes)
    }
}

/// `Accept-Encoding` (RFC 9110, section 12.5.3).
enum ContentCoding {
    /// Whether gzip is accepted, with a weight no lower than that of plain bytes if these are listed.
    static func takesGzip(_ lines: [String]) -> Bool {
        var gzip: Int?
        var plain: Int?
        var others: Int?
        for item in lines.lazy.flatMap({ ByteText($0).list() }) {
            let parts = item.split(at: ";").map(\.trimmed)
            // An invalid weight counts as 0.
            let weight = parts.count == 1 ? 1000 : parts.count == 2 ? Self.weight(parts[1]) ?? 0 : 0
            switch parts[0].lowercased {
            case "gzip", "x-gzip": gzip = weight
            case "identity": plain = weight
            case "*": others = weight
            default: break
            }
        }
        guard let gzip = gzip ?? others, gzip > 0 else { return false }
        return gzip >= plain ?? 0
    }

    /// `q=0.5` in thousandths (RFC 9110, section 12.4.2).
    private static func weight(_ text: ByteText) -> Int? {
        guard let digits = text.lowercased.dropping(prefix: "q=") else { return nil }
        let (whole, part) = digits.cut(at: ".") ?? (digits, "")
        guard part.count <= 3, part.isEmpty || part.decimal(as: Int.self) != nil else { return nil }
        let thousandths = (part.decimal(as: Int.self) ?? 0) * [1000, 100, 10, 1][part.count]
        switch whole {
        case "0": return thousandths
        case "1": return thousandths == 0 ? 1000 : nil
        default: return nil
        }
    }
}

/// `If-None-Match` (RFC 9110, section 13.1.2).
enum EntityTag {
    /// By weak comparison: `W/"a"` is `"a"`. No tag of ours contains a comma.
    static func isListed(_ tag: String, in lines: [String]) -> Bool {
        lines.lazy.flatMap { ByteText($0).list() }.contains { item in
            item == "*" || (item.dropping(prefix: "W/") ?? item) == ByteText(tag)
        }
    }
}
