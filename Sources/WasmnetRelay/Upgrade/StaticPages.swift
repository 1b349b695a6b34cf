package import NIOCore
package import NIOHTTP1

/// Files that the node's port gives over HTTP beside its WebSocket, by their paths. All are in memory, so that no request reaches a disk.
package struct StaticPages: Sendable {
    package struct Page: Sendable {
        package var status = HTTPResponseStatus.ok
        package var bytes: ByteBuffer
        package var headers: HTTPHeaders

        package init(status: HTTPResponseStatus = .ok, bytes: ByteBuffer, headers: HTTPHeaders) {
            self.status = status
            self.bytes = bytes
            self.headers = headers
        }
    }

    private let pages: [String: Page]

    /// - Parameter pages: by their whole paths, `/client/wasmnet-client.js`, without a query.
    package init(_ pages: [String: Page] = [:]) { self.pages = pages }

    package var count: Int { self.pages.count }

    package func page(at path: some StringProtocol) -> Page? { self.pages.isEmpty ? nil : self.pages[String(path)] }
}
