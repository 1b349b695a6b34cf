package import WasmnetNet

/// Happy eyeballs (RFC 8305, section 5) as a value: which address is tried when, and the outcome of the race.
package struct ConnectionRace: Sendable {
    package enum Action: Equatable, Sendable {
        case attempt(IPAddress)
        case startDelay
        case stopDelay
        /// Every attempt failed.
        case fail
        /// This connection wins; every other attempt is dropped.
        case win
        /// A connection that succeeded too late.
        case drop
    }

    private var remaining: ArraySlice<IPAddress>
    private var underWay = 0
    private var isOver = false

    package init(_ addresses: [IPAddress]) {
        self.remaining = addresses[...]
    }

    package mutating func start() -> [Action] {
        guard self.remaining.isEmpty else { return self.next() }
        self.isOver = true
        return [.fail]
    }

    /// The delay between two attempts is over.
    package mutating func delayPassed() -> [Action] {
        self.isOver ? [] : self.next()
    }

    package mutating func attemptFailed() -> [Action] {
        self.underWay -= 1
        guard !self.isOver else { return [] }
        if !self.remaining.isEmpty { return [.stopDelay] + self.next() }
        guard self.underWay <= 0 else { return [] }
        self.isOver = true
        return [.fail]
    }

    package mutating func attemptConnected() -> [Action] {
        self.underWay -= 1
        guard !self.isOver else { return [.drop] }
        self.isOver = true
        return [.stopDelay, .win]
    }

    /// The client closed, or the time is up.
    package mutating func cancel() -> [Action] {
        guard !self.isOver else { return [] }
        self.isOver = true
        return [.stopDelay]
    }

    private mutating func next() -> [Action] {
        guard let address = self.remaining.popFirst() else { return [] }
        self.underWay += 1
        return self.remaining.isEmpty ? [.attempt(address)] : [.attempt(address), .startDelay]
    }
}
