import NIOHTTP1
import WasmnetPolicy

/// Whether a page may open a session, by its `Origin` (RFC 6454, section 7; RFC 6455, section 10.2).
enum OriginRule {
    /// Compared as a whole, after ``WebOrigin`` has normalized both.
    static func allows(_ headers: HTTPHeaders, _ allowed: [String]) -> Bool {
        guard !allowed.isEmpty else { return true }
        let origins = headers["Origin"]
        guard origins.count == 1, let origin = origins.first.flatMap({ try? WebOrigin($0) }) else { return false }
        return allowed.contains { (try? WebOrigin($0)) == origin }
    }
}
