/// The ports of a set, each once, in a random order, without storing a list.
package struct PortWalk: Sendable, Sequence, IteratorProtocol {
    private let ports: PortSet
    private let count: Int
    /// Coprime to ``count``, so that the steps visit every port before the first again.
    private let step: Int
    private var index: Int
    private var left: Int

    package init(_ ports: PortSet, using random: inout some RandomNumberGenerator) {
        let count = ports.count
        self.ports = ports
        self.count = count
        self.left = count
        self.index = count > 0 ? Int.random(in: 0..<count, using: &random) : 0
        var step = count > 2 ? Int.random(in: 1..<count, using: &random) : 1
        while !Self.sharesNoDivisor(step, count) { step = step % (count - 1) + 1 }
        self.step = step
    }

    package init(_ ports: PortSet) {
        var random = SystemRandomNumberGenerator()
        self.init(ports, using: &random)
    }

    /// One port only; 0 stands for any free port of the system.
    package init(only port: UInt16) {
        self.init(PortSet([port...port]))
    }

    package mutating func next() -> UInt16? {
        guard self.left > 0 else { return nil }
        defer {
            self.left -= 1
            self.index = (self.index + self.step) % self.count
        }
        return self.ports.port(at: self.index)
    }

    /// Ports not yet returned.
    package var underestimatedCount: Int { self.left }

    private static func sharesNoDivisor(_ a: Int, _ b: Int) -> Bool {
        var (a, b) = (a, b)
        while b > 0 { (a, b) = (b, a % b) }
        return a <= 1
    }
}
