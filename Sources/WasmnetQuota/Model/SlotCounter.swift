/// How many of something are open at once.
package struct SlotCounter: Sendable, Hashable {
    package private(set) var inUse = 0

    package init() {}

    /// Whether one more may be opened. A limit below 1 means unlimited; one lowered below what is open refuses until enough closed.
    package func hasRoom(limit: Int) -> Bool { self.inUse < (limit > 0 ? limit : .max) }

    /// Takes one more. Nothing changes if there is no room.
    @discardableResult
    package mutating func take(limit: Int) -> Bool {
        guard self.hasRoom(limit: limit) else { return false }
        self.inUse += 1
        return true
    }

    package mutating func giveBack() {
        self.inUse = max(self.inUse - 1, 0)
    }
}
