import NIOHTTP1

/// Whether a page may open a session, by its `Origin` (RFC 6454, section 7; RFC 6455, section 10.2).
enum OriginRule {
    /// Compared as a whole and without regard to case: scheme and host have none, and an origin has nothing else but a port.
    static func allows(_ headers: HTTPHeaders, _ allowed: [String]) -> Bool {
        guard !allowed.isEmpty else { return true }
        let origins = headers["Origin"]
        guard origins.count == 1, let origin = origins.first?.lowercased() else { return false }
        return allowed.contains { $0.lowercased() == origin }
    }
}
