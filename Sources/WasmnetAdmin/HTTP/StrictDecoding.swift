/// Any member name of an object.
private struct AnyKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(stringValue: String) {
        self.stringValue = stringValue
        self.intValue = nil
    }

    init(intValue: Int) {
        self.stringValue = String(intValue)
        self.intValue = intValue
    }
}

extension Decoder {
    /// A container that contains only known members: a misspelt member must not pass for an omitted one.
    ///
    /// - Parameter renamed: old names, and the message for each.
    func strictContainer<Key: CodingKey & CaseIterable>(
        _ keys: Key.Type, renamed: [String: String] = [:]
    ) throws -> KeyedDecodingContainer<Key> {
        let known = Set(Key.allCases.map(\.stringValue))
        let unknown = try self.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue).filter { !known.contains($0) }
        if let name = unknown.min() {
            let path = JSONText.path(self.codingPath + [AnyKey(stringValue: name)])
            if let now = renamed[name] { throw BodyError(path: path, "no such member any more; use \(now)") }
            throw BodyError(path: path, "no such member; there are \(known.sorted().joined(separator: ", "))")
        }
        return try self.container(keyedBy: keys)
    }
}
