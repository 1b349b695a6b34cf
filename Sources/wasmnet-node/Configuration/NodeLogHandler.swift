import Foundation
import Logging
import WasmnetNet

/// One log line per event, on standard error by default, as text or as JSON: constant messages, with everything variable as metadata. Each
/// field is escaped and limited to 256 bytes (``ByteText/shown(upTo:quoting:)``), whatever its source.
struct NodeLogHandler: LogHandler {
    /// Messages below it are not written. Shared by all loggers of the program: setting it for one sets it for all.
    var logLevel: Logger.Level {
        get { self.level.value }
        nonmutating set { self.level.value = newValue }
    }
    /// Added to every message.
    var metadata = Logger.Metadata()
    private let level: LogLevelBox
    private let format: NodeConfiguration.LogFormat
    private let writer: LineWriter

    /// - Parameter writer: where lines go, as ``writer(format:descriptor:)`` creates it. Shared by all loggers of the program.
    init(format: NodeConfiguration.LogFormat, level: LogLevelBox, writer: LineWriter) {
        self.format = format
        self.level = level
        self.writer = writer
    }

    /// A writer that reports lost lines in the handler's format.
    static func writer(format: NodeConfiguration.LogFormat, descriptor: Int32 = 2) -> LineWriter {
        LineWriter(descriptor: descriptor) { count in
            Self.line(.warning, "log lines were dropped: the output was blocked", ["lines": "\(count)"], format)
        }
    }

    /// One value of ``metadata``.
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    /// Passes one line to the writer.
    func log(event: LogEvent) {
        let metadata = self.metadata.merging(event.metadata ?? [:]) { $1 }
        self.writer.write(Self.line(event.level, "\(event.message)", metadata, self.format))
    }

    private static func line(
        _ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata, _ format: NodeConfiguration.LogFormat
    ) -> String {
        let fields = metadata.sorted { $0.key < $1.key }
        let time = MachineClock.wall().preciseText
        var line: String
        switch format {
        case .text:
            line = "\(time) \(Self.name(level)) \(message.shown())"
            for (key, value) in fields { line += " \(key.shown())=\(self.word("\(value)"))" }
        case .json:
            line = "{\"time\":\"\(time)\",\"level\":\"\(level.rawValue)\",\"message\":\(self.quoted(message))"
            for (key, value) in fields { line += ",\(self.quoted(key)):\(self.quoted("\(value)"))" }
            line += "}"
        }
        return line
    }

    private static func name(_ level: Logger.Level) -> String {
        switch level {
        case .trace: "TRACE"
        case .debug: "DEBUG"
        case .info: "INFO"
        case .notice: "NOTICE"
        case .warning: "WARNING"
        case .error: "ERROR"
        case .critical: "CRITICAL"
        }
    }

    /// Without quotes if it is one word of ASCII.
    private static func word(_ text: String) -> String {
        let isPlain =
            (1...ByteText.maxShown).contains(text.utf8.count)
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x3D }
        return isPlain ? text : self.quoted(text)
    }

    private static func quoted(_ text: String) -> String { "\"\(text.shown(quoting: true))\"" }
}

/// The level of a program's log, which may change while it runs.
final class LogLevelBox: Sendable {
    private let level: Guarded<Logger.Level>

    /// The level at the start.
    init(_ level: Logger.Level) { self.level = Guarded(level) }

    /// The level now.
    var value: Logger.Level {
        get { self.level.withLock { $0 } }
        set { self.level.withLock { $0 = newValue } }
    }
}
