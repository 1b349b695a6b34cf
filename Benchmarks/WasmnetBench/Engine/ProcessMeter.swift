import Foundation

/// The resource use of a process and its descendants, from `/proc` (proc(5)).
enum ProcessMeter {
    /// CPU time since start in seconds: run time of each live thread in nanoseconds (`schedstat`), and that of children
    /// that have ended and been waited for, in clock ticks (`stat`).
    static func cpuSeconds(of root: Int32) -> Double {
        var total = self.reaped(root)
        for process in self.tree(root) {
            let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
            for task in tasks {
                guard let text = self.read("/proc/\(process)/task/\(task)/schedstat") else { continue }
                total += (text.split(separator: " ").first.flatMap { Double($0) } ?? 0) / 1e9
            }
        }
        return total
    }

    /// Resident memory in bytes that is the process's own: anonymous pages (`smaps_rollup`, Anonymous). Pages of files are left out,
    /// since their count depends on the other processes that map them.
    static func residentBytes(of root: Int32) -> Int {
        self.tree(root).reduce(0) { sum, process in
            let lines = (self.read("/proc/\(process)/smaps_rollup") ?? "").split(separator: "\n")
            let line = lines.first { $0.hasPrefix("Anonymous:") } ?? ""
            return sum + (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) << 10
        }
    }

    private static func tree(_ root: Int32) -> [Int32] {
        var found = [root]
        var index = 0
        while index < found.count {
            let children = self.read("/proc/\(found[index])/task/\(found[index])/children") ?? ""
            found += children.split(separator: " ").compactMap { Int32($0) }
            index += 1
        }
        return found
    }

    private static func reaped(_ process: Int32) -> Double {
        // After the command's name, which ends with the last bracket: state is field 3, cutime 16, cstime 17.
        guard let stat = self.read("/proc/\(process)/stat"), let end = stat.lastIndex(of: ")") else { return 0 }
        let fields = stat[end...].split(separator: " ")
        guard fields.count > 15 else { return 0 }
        return ((Double(fields[14]) ?? 0) + (Double(fields[15]) ?? 0)) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private static func read(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}
