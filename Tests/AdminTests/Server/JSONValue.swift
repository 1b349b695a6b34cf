import Foundation

/// JSON of any shape.
enum JSONValue: Decodable, Hashable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    init?(_ text: String) {
        guard let value = try? JSONDecoder().decode(Self.self, from: Data(text.utf8)) else { return nil }
        self = value
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members[name]
    }

    var string: String? { if case .string(let value) = self { value } else { nil } }
    var number: Double? { if case .number(let value) = self { value } else { nil } }
    var array: [JSONValue] { if case .array(let values) = self { values } else { [] } }
    var members: [String: JSONValue] { if case .object(let members) = self { members } else { [:] } }

    var text: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let value): value.rounded() == value ? "\(Int64(value))" : "\(value)"
        case .string(let value): "\"" + value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
        case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value.text)" }.joined(separator: ",")
                + "}"
        }
    }
}

/// The part of OpenAPI 3.0's schemas that the document uses.
struct SchemaCheck {
    let document: JSONValue

    /// The target of `$ref`, or the value itself.
    func resolved(_ value: JSONValue) -> JSONValue {
        guard let reference = value["$ref"]?.string else { return value }
        var target = document
        for name in reference.dropFirst(2).split(separator: "/") { target = target[String(name)] ?? .null }
        return target
    }

    /// - Returns: the mismatches, with their paths; empty if there are none.
    func problems(_ value: JSONValue, _ schema: JSONValue, at path: String = "$") -> [String] {
        let schema = resolved(schema)
        let choices = schema["oneOf"]?.array ?? []
        if !choices.isEmpty {
            let fitting = choices.filter { problems(value, $0, at: path).isEmpty }.count
            return fitting == 1 ? [] : ["\(path) fits \(fitting) of \(choices.count)"]
        }
        switch (schema["type"]?.string, value) {
        case ("string", .string(let text)):
            let allowed = schema["enum"]?.array.compactMap(\.string) ?? []
            return allowed.isEmpty || allowed.contains(text) ? [] : ["\(path) is \(text)"]
        case ("boolean", .bool), ("number", .number): return []
        // JSON has no infinity; the server writes its name.
        case ("number", .string("Infinity")): return []
        case ("integer", .number(let number)): return number.rounded() == number ? [] : ["\(path) is \(number)"]
        case ("array", .array(let values)):
            return values.enumerated().flatMap { problems($1, schema["items"] ?? .null, at: "\(path)[\($0)]") }
        case ("object", .object(let members)): return problems(members, schema, at: path)
        default: return ["\(path) is \(value.text), not of type \(schema["type"]?.text ?? "none")"]
        }
    }

    private func problems(_ members: [String: JSONValue], _ schema: JSONValue, at path: String) -> [String] {
        let properties = schema["properties"]?.members ?? [:]
        let missing = (schema["required"]?.array ?? []).compactMap(\.string).filter { members[$0] == nil }
        return missing.map { "\(path).\($0) is missing" }
            + members.flatMap { name, value -> [String] in
                if let property = properties[name] { return problems(value, property, at: "\(path).\(name)") }
                switch schema["additionalProperties"] {
                case .object?: return problems(value, schema["additionalProperties"] ?? .null, at: "\(path).\(name)")
                default: return ["\(path).\(name) is not described"]
                }
            }
    }
}
