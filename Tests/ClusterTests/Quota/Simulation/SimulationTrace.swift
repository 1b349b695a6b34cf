import RedisClient

@testable import WasmnetCluster

/// The events of a simulation, line by line, if a reader wants them.
final class SimulationTrace: @unchecked Sendable {
    private(set) var lines: [String] = []
    private let isOn: Bool

    init(isOn: Bool) { self.isOn = isOn }

    func note(_ time: Int64, _ who: String, _ words: () -> String) {
        guard self.isOn else { return }
        let digits = String(time % 1_000_000)
        let padding = String(repeating: "0", count: 6 - digits.count)
        self.lines.append("\(time / 1_000_000).\(padding)\(digits) \(who): \(words())")
    }
}

extension RedisScript {
    private static let names: [String: String] = [
        ClusterScripts.reserve.digest: "reserve", ClusterScripts.heartbeat.digest: "heartbeat",
        ClusterScripts.retire.digest: "retire", ClusterScripts.generation.digest: "generation",
        ClusterScripts.rollCall.digest: "rollcall", ClusterScripts.grant.digest: "grant",
        ClusterScripts.register.digest: "register", ClusterScripts.repair.digest: "repair",
    ]

    var name: String { Self.names[self.digest] ?? "script" }
}

extension [RedisArgument] {
    var shown: String {
        self.map {
            switch $0 {
            case .string(let text): text.isEmpty ? "-" : text
            case .integer(let number): "\(number)"
            case .bytes: "bytes"
            }
        }.joined(separator: " ")
    }
}

extension Result<RESPValue, RedisError> {
    var shown: String {
        switch self {
        case .success(let reply):
            reply.array?.map { $0.int64.map { "\($0)" } ?? "…" }.joined(separator: " ") ?? "\(reply)"
        case .failure(let error): "\(error)"
        }
    }
}
