import DequeModule

/// Whose lookup gets a thread next: one queue a client, served in turns.
///
/// A client may hold a third as many threads as are free: alone a quarter of all, and fewer the more are busy, so
/// that a few clients with slow names leave some for the others. If one is free, every client may have one.
package struct LookupQueue<Client: Hashable & Sendable>: Sendable {
    package typealias ID = UInt64

    /// Why a lookup is rejected.
    package enum Rejection: Error, Equatable { case clientFull, full }

    /// Lookups that run concurrently.
    private let threads: Int
    /// Lookups that may wait.
    private let maxWaiting: Int
    /// Lookups of one client that may wait.
    private let maxWaitingOfClient: Int

    private var waiting: [Client: Deque<ID>] = [:]
    /// The clients of ``waiting``, in the order of their turns.
    private var turns = Deque<Client>()
    private var running: [Client: Int] = [:]
    package private(set) var waitingCount = 0
    package private(set) var busyThreads = 0

    package init(threads: Int, waiting: Int, waitingPerClient: Int) {
        self.threads = max(1, threads)
        self.maxWaiting = max(1, waiting)
        self.maxWaitingOfClient = max(1, waitingPerClient)
    }

    /// Queues a lookup behind its client's others.
    package mutating func add(_ id: ID, of client: Client) throws(Rejection) {
        guard self.waiting[client, default: []].count < self.maxWaitingOfClient else { throw .clientFull }
        guard self.waitingCount < self.maxWaiting else { throw .full }
        if self.waiting[client] == nil { self.turns.append(client) }
        self.waiting[client, default: []].append(id)
        self.waitingCount += 1
    }

    /// Takes the next lookup, and a thread for it; nil: none may run now.
    package mutating func next() -> (id: ID, client: Client)? {
        // A client that may not have a thread already has one: no more of them are skipped than there are threads.
        guard let index = self.turns.firstIndex(where: self.mayRun) else { return nil }
        let client = self.turns.remove(at: index)
        guard let id = self.waiting[client]?.popFirst() else { return nil }
        self.waitingCount -= 1
        if self.waiting[client]?.isEmpty == true {
            self.waiting[client] = nil
        } else {
            self.turns.append(client)
        }
        self.running[client, default: 0] += 1
        self.busyThreads += 1
        return (id, client)
    }

    private func mayRun(_ client: Client) -> Bool {
        self.running[client, default: 0] * 3 < self.threads - self.busyThreads
    }

    /// A client's thread is free again. A stuck one counts until then, whether or not its answer is still awaited.
    package mutating func returned(by client: Client) {
        guard let count = self.running[client] else { return }
        self.running[client] = count > 1 ? count - 1 : nil
        self.busyThreads -= 1
    }

    /// The answer is no longer wanted. A running lookup continues.
    package mutating func remove(_ id: ID, of client: Client) {
        guard let index = self.waiting[client]?.firstIndex(of: id) else { return }
        self.waiting[client]?.remove(at: index)
        self.waitingCount -= 1
        if self.waiting[client]?.isEmpty == true {
            self.waiting[client] = nil
            self.turns.removeAll { $0 == client }
        }
    }
}
