import Wasmnet
import WasmnetNet

/// Reads options from flags first and the environment second, and collects errors.
struct OptionSource {
    let environment: [String: String]
    var problems: [String] = []

    init(environment: [String: String]) {
        self.environment = environment
        // As from an env file with CRLF line endings.
        self.problems = environment.filter {
            ByteText($0.key).starts(with: "WASMNET_") && ByteText($0.value).hasControls
        }.keys
            .sorted()
            .map { "\($0) contains a control character" }
    }

    /// How a value was given, for error messages.
    private static func name(_ name: String, isFlag: Bool) -> String {
        isFlag ? "--\(Self.flag(name))" : "WASMNET_\(name)"
    }

    /// How something was given, for error messages; nil if it was not.
    func given(_ isFlag: Bool, _ name: String) -> String? {
        isFlag || self.variable(name) != nil ? Self.name(name, isFlag: isFlag) : nil
    }

    private func variable(_ name: String) -> String? {
        self.environment["WASMNET_\(name)"].flatMap { $0.isEmpty ? nil : $0 }
    }

    func text(_ flag: String?, _ name: String) -> String? { flag ?? self.variable(name) }

    func list(_ name: String) -> [String] {
        self.variable(name).map { ByteText($0).list().map(\.text) } ?? []
    }

    mutating func flag(_ name: String) -> Bool {
        switch self.variable(name).map({ ByteText($0).lowercased.text }) {
        case nil, "0", "false", "no": return false
        case "1", "true", "yes": return true
        case .some(let other):
            self.problems.append("WASMNET_\(name) is true or false, not \"\(other.shown())\"")
            return false
        }
    }

    mutating func number<N: LosslessStringConvertible & Comparable>(
        _ flag: N?, _ name: String, in range: ClosedRange<N>
    ) -> N? {
        let value: N
        if let flag {
            value = flag
        } else if let text = self.variable(name) {
            guard let number = N(text) else {
                self.problems.append("WASMNET_\(name) is a number, not \"\(text.shown())\"")
                return nil
            }
            value = number
        } else {
            return nil
        }
        guard range.contains(value) else {
            self.problems.append(
                "\(Self.name(name, isFlag: flag != nil)) is \(range.lowerBound) to \(range.upperBound), not \(value)")
            return nil
        }
        return value
    }

    mutating func choice<Value>(_ flag: String?, _ name: String, _ choices: [(String, Value)]) -> Value? {
        guard let text = self.text(flag, name) else { return nil }
        let written = ByteText(text)
        if let choice = choices.first(where: { ByteText($0.0).isEqual(ignoringCase: written) }) { return choice.1 }
        self.problems.append(
            "\(Self.name(name, isFlag: flag != nil)) is one of \(choices.map(\.0).joined(separator: ", ")), not \"\(text.shown())\""
        )
        return nil
    }

    private static func flag(_ name: String) -> String {
        ByteText(name).lowercased.split(at: "_").map(\.text).joined(separator: "-")
    }

    mutating func tls(_ certificate: String?, _ key: String?) -> ServerConfiguration.TLSFiles? {
        switch (self.text(certificate, "TLS_CERT"), self.text(key, "TLS_KEY")) {
        case (nil, nil): return nil
        case (let certificate?, let key?): return .init(certificate: certificate, key: key)
        case (nil, _):
            self.problems.append("\(Self.name("TLS_KEY", isFlag: key != nil)) needs --tls-cert")
            return nil
        case (_, nil):
            self.problems.append("\(Self.name("TLS_CERT", isFlag: certificate != nil)) needs --tls-key")
            return nil
        }
    }
}
