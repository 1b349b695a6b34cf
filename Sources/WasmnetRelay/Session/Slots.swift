import NIOCore
import WasmnetProtocol
import WasmnetQuota

/// The slots of a client's limits, each with one of the node's descriptors.
struct Slots {
    private let core: SessionCore

    init(_ core: SessionCore) {
        self.core = core
    }

    /// - Parameter body: receives the slot, or why there is none, and whether it was waited for.
    func reserve(_ what: Reservation, then body: @escaping (Result<QuotaSlot?, Refusal>, _ isLate: Bool) -> Void) {
        let opens = what != .resolve
        let environment = self.core.environment
        guard !opens || environment.takeDescriptor() else { return body(.failure(.noResources), false) }
        let (observer, descriptors) = (environment.observer, environment.descriptors)
        let eventLoop = self.core.eventLoop
        let body = NIOLoopBound(
            { (result: Result<QuotaSlot?, QuotaRefusal>, isLate: Bool) in
                if case .failure(let refusal) = result { observer.quotaRefused(refusal.kind) }
                if opens, case .failure = result { descriptors.giveBack() }
                body(
                    result.map { opens ? QuotaSlot(.socket, of: DescriptorSlot($0, descriptors)) : $0 }
                        .mapError(Refusal.init), isLate)
            }, eventLoop: eventLoop)
        let answer = self.core.allowance.reserve(what, now: environment.clock.now()) { result in
            eventLoop.execute { body.value(result, true) }
        }
        if let answer { body.value(answer, false) }
    }
}

@available(*, unavailable)
extension Slots: Sendable {}
