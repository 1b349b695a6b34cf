import Foundation
public import Logging
import Synchronization

/// One log line an event on standard error, as text or as JSON: constant messages, everything that varies as metadata.
public struct NodeLogHandler: LogHandler {
    /// Messages below it are not written. Shared by all loggers of the program: set for one, it is set for all.
    public var logLevel: Logger.Level {
        get { self.level.value }
        nonmutating set { self.level.value = newValue }
    }
    /// What every message carries.
    public var metadata = Logger.Metadata()
    private let level: LogLevelBox
    private let format: NodeConfiguration.LogFormat
    private let label: String

    /// The label is not written: a node is one program.
    public init(label: String, format: NodeConfiguration.LogFormat, level: LogLevelBox) {
        self.label = label
        self.format = format
        self.level = level
    }

    /// One value of ``metadata``.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    /// Writes one line to standard error.
    public func log(event: LogEvent) {
        let fields = self.metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let time = Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
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
        // A log that nobody reads any more, or a full disk, costs lines and not the node.
        try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
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

/// The level of a program's log, which may change while it runs.
public final class LogLevelBox: Sendable {
    private let level: Mutex<Logger.Level>

    /// The level at the start.
    public init(_ level: Logger.Level) { self.level = Mutex(level) }

    /// The level now.
    public var value: Logger.Level {
        get { self.level.withLock { $0 } }
        set { self.level.withLock { $0 = newValue } }
    }
}
