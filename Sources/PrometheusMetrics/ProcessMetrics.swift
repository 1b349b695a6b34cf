import Foundation

extension PrometheusRegistry {
    /// The descriptions of ``addProcessMetrics()``; pass them to the registry at its creation.
    package static let processDescriptions: [MetricDescription] = [
        MetricDescription(
            "process_cpu_seconds_total", .counter, help: "User and system CPU time of this process in seconds.",
            unit: "seconds"),
        MetricDescription(
            "process_resident_memory_bytes", .gauge, help: "Resident memory of this process in bytes.", unit: "bytes"),
        MetricDescription(
            "process_virtual_memory_bytes", .gauge, help: "Virtual memory of this process in bytes.", unit: "bytes"),
        MetricDescription("process_open_fds", .gauge, help: "File descriptors that this process has open."),
        MetricDescription("process_max_fds", .gauge, help: "File descriptors that this process may have open."),
        MetricDescription("process_threads", .gauge, help: "Threads of this process."),
        MetricDescription(
            "process_start_time_seconds", .gauge, help: "When this process started, in seconds since 1970 (UTC).",
            unit: "seconds"),
    ]

    /// The process metrics that every Prometheus client exposes under the same names, read from Linux's /proc at each scrape. Without
    /// /proc they are omitted.
    package func addProcessMetrics() {
        self.addCounter("process_cpu_seconds_total") { ProcessStatus.now()?.cpuSeconds }
        self.addGauge("process_resident_memory_bytes") { ProcessStatus.now()?.residentBytes }
        self.addGauge("process_virtual_memory_bytes") { ProcessStatus.now()?.virtualBytes }
        self.addGauge("process_threads") { ProcessStatus.now()?.threads }
        self.addGauge("process_open_fds") { ProcessStatus.openFiles() }
        self.addGauge("process_max_fds") { ProcessStatus.fileLimit() }
        self.addGauge("process_start_time_seconds") { ProcessStatus.now()?.startTime }
    }
}

/// The data of this process from proc(5).
struct ProcessStatus: Equatable {
    var cpuSeconds: Double
    var threads: Double
    /// Since the machine started, in seconds.
    var startedAfterBoot: Double
    var virtualBytes: Double
    var residentBytes: Double

    /// - Parameter stat: a line of /proc/PID/stat. The name in it may contain spaces and brackets, so fields are counted after
    ///   the last bracket.
    init?(stat: String, ticksPerSecond: Double, pageSize: Double) {
        guard ticksPerSecond > 0, let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split(whereSeparator: \.isWhitespace)
        // Field 3, the state, is the first here.
        func field(_ number: Int) -> Double? { number - 3 < fields.count ? Double(fields[number - 3]) : nil }
        guard let user = field(14), let system = field(15), let threads = field(20), let started = field(22),
            let virtual = field(23), let resident = field(24)
        else { return nil }
        self.cpuSeconds = (user + system) / ticksPerSecond
        self.threads = threads
        self.startedAfterBoot = started / ticksPerSecond
        self.virtualBytes = virtual
        self.residentBytes = resident * pageSize
    }

    static func now() -> ProcessStatus? {
        guard let stat = Self.text("/proc/self/stat") else { return nil }
        return ProcessStatus(
            stat: stat, ticksPerSecond: Double(sysconf(Int32(_SC_CLK_TCK))),
            pageSize: Double(sysconf(Int32(_SC_PAGESIZE))))
    }

    private static let bootTime: Double? = Self.text("/proc/stat")?.split(separator: "\n")
        .first { $0.hasPrefix("btime ") }
        .flatMap { Double($0.dropFirst("btime ".count)) }

    var startTime: Double? { Self.bootTime.map { $0 + self.startedAfterBoot } }

    static func openFiles() -> Double? {
        // The listing itself has one of them open.
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")).map { Double($0.count - 1) }
    }

    static func fileLimit() -> Double? {
        Self.text("/proc/self/limits")?.split(separator: "\n")
            .first { $0.hasPrefix("Max open files") }
            .flatMap { $0.split(whereSeparator: \.isWhitespace).dropFirst(3).first }
            .flatMap { Double($0) }
    }

    private static func text(_ path: String) -> String? {
        // Files of /proc have no size, so they are read to their end.
        guard let file = FileHandle(forReadingAtPath: path), let data = try? file.readToEnd() else { return nil }
        return String(decoding: data, as: UTF8.self)
    }
}
