import WasmnetNet

/// A request's path and query, parsed (RFC 3986; the query as HTML forms write it, with `+` for a space).
struct RequestTarget: Hashable {
    /// Between the slashes, decoded: a segment may contain a slash that was written `%2F`.
    let segments: [String]
    /// As sent.
    private let rawQuery: ByteText

    /// - Throws: ``AdminError`` 400 if it is not a path, has an invalid escape, or does not decode to UTF-8.
    init(_ target: String) throws(AdminError) {
        let target = ByteText(target)
        guard let whole = target.dropping(prefix: "/") else {
            throw .badRequest("bad_target", "a request names a path, such as /livez")
        }
        var segments: [String] = []
        for segment in whole.before("?").split(at: "/") {
            segments.append(try Self.decoded(segment))
        }
        self.segments = segments
        self.rawQuery = whole.cut(at: "?")?.after ?? ""
    }

    /// Names and values of the query.
    ///
    /// - Throws: ``AdminError`` 400 if it has an invalid escape, or does not decode to UTF-8.
    func query() throws(AdminError) -> [(name: String, value: String)] {
        var query: [(String, String)] = []
        // As forms write it: a space is a plus.
        for pair in self.rawQuery.split(at: "&") where !pair.isEmpty {
            let plain = ByteText(pair.bytes.map { $0 == UInt8(ascii: "+") ? UInt8(ascii: " ") : $0 })
            query.append((try Self.decoded(plain.before("=")), try Self.decoded(plain.cut(at: "=")?.after ?? "")))
        }
        return query
    }

    private static func decoded(_ text: ByteText) throws(AdminError) -> String {
        guard let bytes = text.percentDecoded else {
            throw .badRequest("bad_target", "a % is not followed by two hexadecimal digits")
        }
        guard let decoded = bytes.validText else {
            throw .badRequest("bad_target", "an escape is not UTF-8")
        }
        return decoded
    }

}

/// The query of a request, restricted to the names its route knows.
struct Query {
    private let values: [String: String]

    init(_ values: [String: String]) { self.values = values }

    /// - Throws: ``AdminError`` 400 for an unknown or repeated name.
    init(_ pairs: [(name: String, value: String)], known: [String]) throws(AdminError) {
        var values: [String: String] = [:]
        for (name, value) in pairs {
            guard known.contains(where: { ByteText($0) == ByteText(name) }) else {
                let names = known.isEmpty ? "none" : known.joined(separator: ", ")
                throw .badRequest(
                    "unknown_parameter", "this path does not know the parameter \(name); it takes \(names)")
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw .badRequest("repeated_parameter", "the parameter \(name) is given twice")
            }
        }
        self.values = values
    }

    /// Nil if missing or empty.
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
        throw .badRequest("bad_parameter", "\(name) is one of \(choices), not \"\(text.shown())\"")
    }

    /// `cursor` and `limit`, 1 to 1,000 with 100 as its default.
    func window() throws(AdminError) -> PageWindow {
        guard let text = self.text("limit") else { return PageWindow(after: self.text("cursor")) }
        guard let limit = ByteText(text).decimal(as: Int.self), (1...1_000).contains(limit) else {
            throw .badRequest("bad_parameter", "limit is 1 to 1000, not \"\(text.shown())\"")
        }
        return PageWindow(after: self.text("cursor"), limit: limit)
    }
}
