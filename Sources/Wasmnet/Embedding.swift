public import NIOHTTP1
import WasmnetRelay

extension Server {
    /// An upgrader that puts a session on a connection of your own NIO HTTP server; one object for each connection.
    ///
    /// Give it to `configureHTTPServerPipeline(withServerUpgrade:)`. A handshake that is refused (path, origin, subprotocol, limit) goes on
    /// to your own HTTP handlers. Remove those in the completion handler: a session speaks bytes, not HTTP.
    public func makeUpgrader() -> any HTTPServerProtocolUpgrader {
        SessionUpgrader(environment: self.environment, admission: self.admission)
    }
}
