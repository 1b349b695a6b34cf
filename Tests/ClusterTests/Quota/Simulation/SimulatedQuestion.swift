import RedisClient

@testable import WasmnetCluster

/// A node's request, Redis' answer, and the sum of the client's leases before and after it.
struct SimulatedQuestion {
    let script: RedisScript
    /// As in the script's file: the first is `ARGV[1]`.
    private let arguments: [RedisArgument]
    private let answer: [Int]
    private let tally: [Int]

    init(_ script: RedisScript, _ arguments: [RedisArgument], _ answer: RESPValue, _ tally: [Int]) {
        self.script = script
        self.arguments = arguments
        self.answer = answer.array?.compactMap(\.int) ?? []
        self.tally = tally
    }

    private func number(_ index: Int) -> Int {
        guard index <= self.arguments.count, case .integer(let number) = self.arguments[index - 1] else { return 0 }
        return Int(number)
    }

    /// The violation of docs/limits.md in an answer; nil: none.
    ///
    /// - Parameter most: the maximum of grants if more are open than the limit allows.
    func fault(most: Int) -> String? {
        if self.answersForAnotherGeneration { return "what was asked of generation \(self.number(2)) is done" }
        guard self.script == ClusterScripts.reserve, self.answer.count == 9, self.tally.count == 5, self.answer[0] == 1,
            self.number(12) > 0
        else { return nil }
        let (held, granted, limit) = (self.answer[2], self.answer[3], self.number(12))
        let (open, mayBeOpen, loose) = (self.number(10), self.number(11), self.number(24))
        let before = (granted: self.tally[0], own: self.tally[1])
        let after = (counted: self.tally[2], granted: self.tally[3], own: self.tally[4])
        if held > 0, granted > max(open - loose, before.own) {
            return "in a roll call \(granted) are granted, where \(open - loose) are firm"
        }
        if after.granted > max(most, before.granted) {
            return "\(after.granted) slots are granted in all, and \(most) may be"
        }
        if granted > max(mayBeOpen, before.own), after.counted > limit {
            return "it grows to \(granted) while \(after.counted) are open or granted, and the limit is \(limit)"
        }
        let room = max(limit - (after.granted - after.own), 0)
        if held == 0, granted < min(open, room) {
            return "of \(open) that are open \(granted) are granted, and there is room for \(room)"
        }
        return nil
    }

    private var answersForAnotherGeneration: Bool {
        guard [ClusterScripts.reserve, ClusterScripts.heartbeat, ClusterScripts.rollCall].contains(self.script),
            self.answer.count > 2, self.answer[0] == 1
        else { return false }
        let known = self.number(2)
        return known != 0 && known != self.answer[1]
    }
}
