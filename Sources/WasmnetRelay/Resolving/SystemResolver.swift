import DequeModule
package import NIOCore
package import WasmnetNet
package import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// The machine's own blocking resolver, on separate threads, so that no event loop waits.
///
/// ``LookupQueue`` decides the order. Threads start when there is something to look up and end when there is not. Every lookup
/// is answered within its time, even while its thread is stuck.
package final class SystemResolver: NameResolver {
    /// Blocks until a name's addresses are known; throws a ``Refusal``.
    package typealias LookUp = @Sendable (_ name: String) throws -> [IPAddress]

    private struct Lookup {
        let asker: LookupAsker
        let name: String
        let scope: LookupScope
        let promise: EventLoopPromise<[IPAddress]>
    }

    /// A thread's present work.
    private struct Job: Sendable {
        let id: UInt64
        let name: String
        let scope: LookupScope
        let asker: LookupAsker
    }

    private struct State {
        var queue: LookupQueue<ClientID>
        /// Unanswered lookups, waiting or running.
        var lookups: [UInt64: Lookup] = [:]
        var lastID: UInt64 = 0
        var isShutDown = false

        /// Assigns threads to the next lookups.
        mutating func startable() -> Deque<Job> {
            var jobs = Deque<Job>()
            while let (id, _) = self.queue.next() {
                guard let lookup = self.lookups[id] else { continue }
                jobs.append(Job(id: id, name: lookup.name, scope: lookup.scope, asker: lookup.asker))
            }
            return jobs
        }
    }

    private let state: Guarded<State>
    private let lookUp: @Sendable (String, LookupScope) throws -> [IPAddress]

    /// - Parameters:
    ///   - threads: concurrent lookups; default 32.
    ///   - waiting: lookups that may wait; default 4096.
    ///   - waitingPerClient: lookups of one client that may wait; default 128.
    ///   - lookUp: how a name is looked up, in any scope; nil for the machine's way.
    package init(
        threads: Int = 32, waiting: Int = 4096, waitingPerClient: Int = 128,
        lookUp: LookUp? = nil
    ) {
        let queue = LookupQueue<ClientID>(threads: threads, waiting: waiting, waitingPerClient: waitingPerClient)
        self.state = Guarded(State(queue: queue))
        if let lookUp {
            self.lookUp = { name, _ in try lookUp(name) }
        } else {
            self.lookUp = { name, scope in try AddressLookup.addresses(of: name, scope) }
        }
    }

    /// Lookups that wait for a thread, and threads that are busy.
    package var load: (waiting: Int, busy: Int) {
        self.state.withLock { ($0.queue.waitingCount, $0.queue.busyThreads) }
    }

    /// Answers all lookups with `draining`, now and from now on. Stuck threads are abandoned.
    package func shutDown() async {
        let left = self.state.withLock { state in
            state.isShutDown = true
            return Self.take(Array(state.lookups.keys), of: &state)
        }
        for lookup in left { lookup.promise.fail(Self.goingAway) }
    }

    package func resolve(_ name: HostName, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]> {
        self.resolve(name, for: .node, within: .seconds(30), on: eventLoop)
    }

    package func resolve(
        _ name: HostName, for asker: LookupAsker, within timeout: TimeAmount, on eventLoop: any EventLoop
    ) -> EventLoopFuture<[IPAddress]> {
        self.resolve(name, .system, for: asker, within: timeout, on: eventLoop)
    }

    package func resolve(
        _ name: HostName, _ scope: LookupScope, for asker: LookupAsker, within timeout: TimeAmount,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<[IPAddress]> {
        let promise = eventLoop.makePromise(of: [IPAddress].self)
        let lookup = Lookup(asker: asker, name: name.text, scope: scope, promise: promise)
        let admitted = self.state.withLock { state in Self.admit(lookup, to: &state) }
        switch admitted {
        case .failure(let refusal): promise.fail(refusal)
        case .success(let (id, jobs)):
            let deadline = eventLoop.scheduleTask(in: timeout) { self.end([id], AddressLookup.noAnswer(name.text)) }
            promise.futureResult.whenComplete { _ in deadline.cancel() }
            self.start(jobs)
        }
        return promise.futureResult
    }

    package func drop(_ asker: LookupAsker) {
        let ids = self.state.withLock { state in
            state.lookups.compactMap { $0.value.asker == asker ? $0.key : nil }
        }
        self.end(ids, Refusal(.clientClosed, "the session ended"))
    }

    // MARK: The queue

    private static let goingAway = Refusal(.draining, "the node is going away")

    private static func admit(
        _ lookup: Lookup, to state: inout State
    ) -> Result<(id: UInt64, jobs: Deque<Job>), Refusal> {
        guard !state.isShutDown else { return .failure(self.goingAway) }
        state.lastID += 1
        let id = state.lastID
        do {
            try state.queue.add(id, of: lookup.asker.client)
        } catch {
            let message =
                switch error {
                case .clientFull: "too many names are being looked up for this client"
                case .full: "too many names are being looked up"
                }
            return .failure(Refusal(.overloaded, message, retryAfterMilliseconds: 1000))
        }
        state.lookups[id] = lookup
        return .success((id, state.startable()))
    }

    /// Removes lookups from the queue; their threads, if any, stay busy.
    private static func take(_ ids: [UInt64], of state: inout State) -> [Lookup] {
        ids.compactMap { id in
            guard let lookup = state.lookups.removeValue(forKey: id) else { return nil }
            state.queue.remove(id, of: lookup.asker.client)
            return lookup
        }
    }

    /// Answers lookups that are still unanswered.
    private func end(_ ids: [UInt64], _ refusal: Refusal) {
        let ended = self.state.withLock { state in Self.take(ids, of: &state) }
        for lookup in ended { lookup.promise.fail(refusal) }
    }

    // MARK: Threads

    private func start(_ jobs: Deque<Job>) {
        var jobs = jobs
        while let job = jobs.popFirst() {
            guard !DetachedThread.start({ self.work(job) }) else { continue }
            let refusal = Refusal(
                .overloaded, "the node has no thread left for a lookup", retryAfterMilliseconds: 1000)
            jobs += self.finish(job, .failure(refusal))
        }
    }

    /// A thread's whole life: this lookup, then others until none may run.
    private func work(_ first: Job) {
        var job: Job? = first
        while let current = job {
            var jobs = self.finish(current, Result { try self.lookUp(current.name, current.scope) })
            job = jobs.popFirst()
            // One freed thread can let more than one run: every client's share grows with it.
            self.start(jobs)
        }
    }

    /// A thread is free again: answers, unless the time was up or the asker gone, and returns what runs next.
    private func finish(_ job: Job, _ result: Result<[IPAddress], any Error>) -> Deque<Job> {
        let (lookup, jobs) = self.state.withLock { state in
            state.queue.returned(by: job.asker.client)
            return (state.lookups.removeValue(forKey: job.id), state.startable())
        }
        lookup?.promise.completeWith(result)
        return jobs
    }
}
