import Logging

/// Hands warnings and worse on to another handler, whatever level that has.
struct WarningsOnly: LogHandler {
    private var base: any LogHandler

    init(_ base: any LogHandler) { self.base = base }

    var logLevel: Logger.Level {
        get { max(self.base.logLevel, .warning) }
        set {}
    }

    var metadata: Logger.Metadata {
        get { self.base.metadata }
        set { self.base.metadata = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.base[metadataKey: key] }
        set { self.base[metadataKey: key] = newValue }
    }

    func log(event: LogEvent) {
        if event.level >= .warning { self.base.log(event: event) }
    }
}
