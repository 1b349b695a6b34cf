import Foundation
public import Logging
import Synchronization

/// One log line an event, on standard error by default, as text or as JSON: constant messages, everything that varies as metadata.
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
    private let writer: LineWriter

    /// - Parameter writer: where lines go, as ``writer(format:descriptor:)`` makes it. Shared by all loggers of the program.
    public init(format: NodeConfiguration.LogFormat, level: LogLevelBox, writer: LineWriter) {
        self.format = format
        self.level = level
        self.writer = writer
    }

    /// A writer that tells of lost lines in the handler's format.
    public static func writer(format: NodeConfiguration.LogFormat, descriptor: Int32 = 2) -> LineWriter {
        LineWriter(descriptor: descriptor) { count in
            Self.line(.warning, "log lines were lost: nobody took them", ["lines": "\(count)"], format)
        }
    }

    /// One value of ``metadata``.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    /// Gives one line to the writer.
    public func log(event: LogEvent) {
        let metadata = self.metadata.merging(event.metadata ?? [:]) { $1 }
        self.writer.write(Self.line(event.level, "\(event.message)", metadata, self.format))
    }

    private static func line(
        _ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata, _ format: NodeConfiguration.LogFormat
    ) -> String {
        let fields = metadata.sorted { $0.key < $1.key }
        let time = Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        var line: String
        switch format {
        case .text:
            line = "\(time) \(level.rawValue.uppercased()) \(self.singleLine(message))"
            for (key, value) in fields { line += " \(key)=\(self.quoted("\(value)"))" }
        case .json:
            line = "{\"time\":\(self.json(time)),\"level\":\(self.json(level.rawValue))"
            line += ",\"message\":\(self.json(message))"
            for (key, value) in fields { line += ",\(self.json(key)):\(self.json("\(value)"))" }
            line += "}"
        }
        return line
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
