import Foundation
public import Logging

/// One log line an event on standard error, as text or as JSON: constant messages, everything that varies as metadata.
public struct NodeLogHandler: LogHandler {
    /// Messages below it are not written.
    public var logLevel = Logger.Level.info
    /// What every message carries.
    public var metadata = Logger.Metadata()
    private let format: NodeConfiguration.LogFormat
    private let label: String

    /// The label is not written: a node is one program.
    public init(label: String, format: NodeConfiguration.LogFormat, level: Logger.Level) {
        self.label = label
        self.format = format
        self.logLevel = level
    }

    /// One value of ``metadata``.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    /// Writes one line to standard error.
    public func log(event: LogEvent) {
        let fields = self.metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let time = Date().formatted(.iso8601.time(includingFractionalSeconds: true))
        var line: String
        switch self.format {
        case .text:
            line = "\(time) \(event.level.rawValue.uppercased()) \(Self.singleLine("\(event.message)"))"
            for (key, value) in fields { line += " \(key)=\(Self.quoted("\(value)"))" }
        case .json:
            line = "{\"time\":\(Self.json(time)),\"level\":\(Self.json(event.level.rawValue))"
            line += ",\"message\":\(Self.json("\(event.message)"))"
            for (key, value) in fields { line += ",\(Self.json(key)):\(Self.json("\(value)"))" }
            line += "}"
        }
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }

    /// What came from outside must not forge a line of its own.
    private static func singleLine(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }

    private static func quoted(_ text: String) -> String {
        let isPlain = !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x3D }
        return isPlain ? text : self.json(text)
    }

    private static func json(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
