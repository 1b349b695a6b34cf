/// A set that keeps the insertion order of its elements, with constant-time operations.
struct AgeOrder<Element: Hashable & Sendable>: Sendable {
    private struct Links: Sendable {
        var before: Element?
        var after: Element?
    }

    private var links: [Element: Links] = [:]
    private(set) var first: Element?
    private var last: Element?

    var isEmpty: Bool { self.links.isEmpty }

    /// The next younger one.
    func after(_ element: Element) -> Element? { self.links[element]?.after }

    /// Adds an element as the youngest; one already present keeps its place.
    mutating func append(_ element: Element) {
        guard self.links[element] == nil else { return }
        self.links[element] = Links(before: self.last, after: nil)
        if let last = self.last { self.links[last]?.after = element } else { self.first = element }
        self.last = element
    }

    mutating func remove(_ element: Element) {
        guard let links = self.links.removeValue(forKey: element) else { return }
        if let before = links.before { self.links[before]?.after = links.after } else { self.first = links.after }
        if let after = links.after { self.links[after]?.before = links.before } else { self.last = links.before }
    }
}
