/// A request's path and query, taken apart (RFC 3986; the query as HTML forms write it, with `+` for a blank).
struct RequestTarget: Hashable {
    /// Between the slashes, decoded: a segment may hold a slash that was written `%2F`.
    let segments: [String]
    let query: [(name: String, value: String)]

    /// - Throws: ``AdminError`` 400 where it is no path, an escape is not one, or what it stands for is not UTF-8.
    init(_ target: String) throws(AdminError) {
        guard target.hasPrefix("/") else {
            throw .badRequest("bad_target", "a request names a path, such as /livez")
        }
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var segments: [String] = []
        for segment in (parts.first ?? "/").dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            segments.append(try Self.decoded(segment, plusIsBlank: false))
        }
        self.segments = segments
        var query: [(String, String)] = []
        for pair in (parts.count > 1 ? parts[1] : "").split(separator: "&") {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = try Self.decoded(halves.first ?? "", plusIsBlank: true)
            query.append((name, halves.count > 1 ? try Self.decoded(halves[1], plusIsBlank: true) : ""))
        }
        self.query = query
    }

    private static func decoded(_ text: Substring, plusIsBlank: Bool) throws(AdminError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(Self.nibble), let low = rest.popFirst().flatMap(Self.nibble)
                else { throw .badRequest("bad_target", "a % is not followed by two hexadecimal digits") }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsBlank: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw .badRequest("bad_target", "an escape does not stand for UTF-8")
        }
        return decoded
    }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    static func == (left: Self, right: Self) -> Bool {
        left.segments == right.segments && left.query.elementsEqual(right.query) { $0 == $1 }
    }

    func hash(into hasher: inout Hasher) { hasher.combine(self.segments) }
}

/// The query of a request, held to the names its route knows.
struct Query {
    private let values: [String: String]

    /// - Throws: ``AdminError`` 400 for a name that is unknown or there twice.
    init(_ pairs: [(name: String, value: String)], known: [String]) throws(AdminError) {
        var values: [String: String] = [:]
        for (name, value) in pairs {
            guard known.contains(name) else {
                let names = known.isEmpty ? "none" : known.joined(separator: ", ")
                throw .badRequest(
                    "unknown_parameter", "this path does not know the parameter \(name); it takes \(names)")
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw .badRequest("repeated_parameter", "the parameter \(name) is there twice")
            }
        }
        self.values = values
    }

    /// Nil where it is not there or empty.
    func text(_ name: String) -> String? { self.values[name].flatMap { $0.isEmpty ? nil : $0 } }

    func flag(_ name: String) throws(AdminError) -> Bool {
        switch self.values[name] {
        case nil, "false", "0": return false
        case "true", "1", "": return true
        default: throw .badRequest("bad_parameter", "\(name) is true or false")
        }
    }

    func choice<Value: RawRepresentable & CaseIterable>(_ name: String) throws(AdminError) -> Value?
    where Value.RawValue == String {
        guard let text = self.text(name) else { return nil }
        if let value = Value(rawValue: text) { return value }
        let choices = Value.allCases.map(\.rawValue).joined(separator: ", ")
        throw .badRequest("bad_parameter", "\(name) is one of \(choices)")
    }

    /// `cursor` and `limit`, 1 to 1,000 with 100 as its default.
    func window() throws(AdminError) -> PageWindow {
        guard let text = self.text("limit") else { return PageWindow(after: self.text("cursor")) }
        guard let limit = Int(text), (1...1_000).contains(limit) else {
            throw .badRequest("bad_parameter", "limit is 1 to 1000")
        }
        return PageWindow(after: self.text("cursor"), limit: limit)
    }
}
