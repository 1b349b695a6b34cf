import DequeModule
import NIOCore
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol

/// One session's lookups of names: each name once at a time, and not again for a while after it was found.
///
/// Only an actual lookup is charged, whatever kind of request causes it. Loop-bound, as its session.
final class NameLookups {
    /// The addresses, and how many nanoseconds the lookup took; nil if none was made for this caller.
    typealias Completion = (Result<[IPAddress], Refusal>, _ lookup: Int64?) -> Void

    private struct Answer {
        var addresses: [IPAddress]
        var found: Int64
    }

    private let environment: RelayEnvironment
    private let eventLoop: any EventLoop
    private let asker: LookupAsker
    private var waiting: [HostName: [Completion]] = [:]
    private var waitingCount = 0
    private var answers: [HostName: Answer] = [:]
    /// The names of ``answers``, the oldest first.
    private var order = Deque<HostName>()

    init(_ environment: RelayEnvironment, eventLoop: any EventLoop, asker: LookupAsker) {
        self.environment = environment
        self.eventLoop = eventLoop
        self.asker = asker
    }

    /// A recent answer for a name; nil if it must be looked up.
    func recent(_ name: HostName) -> [IPAddress]? {
        guard let answer = self.answers[name],
            self.environment.uptimeNanoseconds() - answer.found < self.environment.settings.nameMemory.nanoseconds
        else { return nil }
        return answer.addresses
    }

    /// - Parameters:
    ///   - payment: charges for one lookup, and returns whether it may be made.
    ///   - timeout: of the lookup, if one is made.
    func addresses(
        of name: HostName, within timeout: TimeAmount,
        payment: (_ then: @escaping (Result<Void, Refusal>) -> Void) -> Void, completion: @escaping Completion
    ) {
        if let addresses = self.recent(name) { return completion(.success(addresses), nil) }
        let isUnderWay = self.waiting[name] != nil
        let settings = self.environment.settings
        guard isUnderWay || self.waiting.count < settings.maxLookupsPerSession,
            self.waitingCount < settings.maxSocketsPerSession
        else {
            let refusal = Refusal(.overloaded, "too many names are being looked up", retryAfterMilliseconds: 1000)
            return completion(.failure(refusal), nil)
        }
        self.waitingCount += 1
        self.waiting[name, default: []].append(completion)
        guard !isUnderWay else { return }
        payment { result in
            switch result {
            case .success: self.lookUp(name, within: timeout)
            case .failure(let refusal): self.finish(name, .failure(refusal), nil)
            }
        }
    }

    /// The session has ended: waiting callers are answered, since they may hold resources until then.
    func end() {
        let completions = self.waiting.values.flatMap { $0 }
        self.waiting = [:]
        self.waitingCount = 0
        guard !completions.isEmpty else { return }
        self.environment.resolver.drop(self.asker)
        for completion in completions { completion(.failure(Refusal(.clientClosed, "the session ended")), nil) }
    }

    private func lookUp(_ name: HostName, within timeout: TimeAmount) {
        guard self.waiting[name] != nil else { return }
        let start = self.environment.uptimeNanoseconds()
        let lookup = self.environment.resolver.resolve(name, for: self.asker, within: timeout, on: self.eventLoop)
        lookup.assumeIsolated().whenComplete { result in
            let now = self.environment.uptimeNanoseconds()
            self.environment.observer.took(.resolve, nanoseconds: now - start)
            if case .success(let addresses) = result { self.remember(name, addresses, now) }
            let failure = { (error: any Error) in
                error as? Refusal ?? Refusal(.nameNotFound, "the name \(name.text) was not found")
            }
            self.finish(name, result.mapError(failure), now - start)
        }
    }

    private func finish(_ name: HostName, _ result: Result<[IPAddress], Refusal>, _ lookup: Int64?) {
        guard let completions = self.waiting.removeValue(forKey: name) else { return }
        self.waitingCount -= completions.count
        for completion in completions { completion(result, lookup) }
    }

    private func remember(_ name: HostName, _ addresses: [IPAddress], _ now: Int64) {
        if self.answers.updateValue(Answer(addresses: addresses, found: now), forKey: name) != nil {
            self.order.removeAll { $0 == name }
        }
        self.order.append(name)
        if self.order.count > self.environment.settings.maxRememberedNames, let oldest = self.order.popFirst() {
            self.answers[oldest] = nil
        }
    }
}

@available(*, unavailable)
extension NameLookups: Sendable {}
