import WasmnetProtocol

@testable import WasmnetRelay

/// Everything that can be said to a ``StreamMachine``, with every value that makes a difference.
enum StreamInput: CaseIterable, Equatable {
    case connected(allSent: Bool)
    case dialFailed
    case clientShutdown(allSent: Bool)
    case clientClose(allSent: Bool)
    case allSent
    case targetEnded(handedOver: Bool)
    case targetFailed(handedOver: Bool)
    case allHandedOver
    case windUp(handedOver: Bool, allSent: Bool)
    case terminate(ReasonCode)
    case sessionEnded(allSent: Bool)
    case lingerExpired
    case channelClosed

    static let allCases: [StreamInput] =
        [true, false].flatMap { flag -> [StreamInput] in
            [
                .connected(allSent: flag), .clientShutdown(allSent: flag), .clientClose(allSent: flag),
                .targetEnded(handedOver: flag), .targetFailed(handedOver: flag), .sessionEnded(allSent: flag),
            ]
        } + [
            .dialFailed, .allSent, .allHandedOver, .lingerExpired, .channelClosed, .terminate(.clientClosed),
            .terminate(.protocolError), .terminate(.policyDenied),
        ]
        + [true, false].flatMap { handedOver in
            [true, false].map { .windUp(handedOver: handedOver, allSent: $0) }
        }

    func apply(to machine: inout StreamMachine) -> StreamMachine.Actions {
        switch self {
        case .connected(let allSent): return machine.connected(allSent: allSent)
        case .dialFailed:
            machine.dialFailed(.refused)
            return []
        case .clientShutdown(let allSent): return machine.clientShutdown(allSent: allSent)
        case .clientClose(let allSent): return machine.clientClose(allSent: allSent)
        case .allSent: return machine.allSent()
        case .targetEnded(let handedOver): return machine.targetEnded(handedOver: handedOver)
        case .targetFailed(let handedOver): return machine.targetFailed(.targetReset, handedOver: handedOver)
        case .allHandedOver: return machine.allHandedOver()
        case .windUp(let handedOver, let allSent):
            return machine.windUp(.byteQuota, handedOver: handedOver, allSent: allSent)
        case .terminate(let reason): return machine.terminate(reason)
        case .sessionEnded(let allSent): return machine.sessionEnded(allSent: allSent)
        case .lingerExpired: return machine.lingerExpired()
        case .channelClosed: return machine.channelClosed()
        }
    }

    /// It says that nothing of the client waits to go out.
    var saysAllSent: Bool {
        switch self {
        case .connected(true), .clientShutdown(true), .clientClose(true), .sessionEnded(true), .allSent,
            .windUp(_, allSent: true):
            true
        default: false
        }
    }

    /// It says that everything of the target is with the client.
    var saysHandedOver: Bool {
        switch self {
        case .targetEnded(true), .targetFailed(true), .allHandedOver, .windUp(handedOver: true, _): true
        default: false
        }
    }
}

/// A machine and what was done on its word so far: the nodes of the walk.
struct WalkedStream: Equatable {
    var machine: StreamMachine
    /// Every action that was ever asked for.
    var done: StreamMachine.Actions = []
    var hasFailedToDial = false
    /// Said by the last step's client, that it wants no more of the socket.
    var clientIsGone = false
    /// The inputs that led here, for a failure's words; not part of what makes two nodes the same.
    var path: [StreamInput] = []

    static func == (left: Self, right: Self) -> Bool {
        left.machine == right.machine && left.done == right.done && left.hasFailedToDial == right.hasFailedToDial
            && left.clientIsGone == right.clientIsGone
    }

    func taking(_ input: StreamInput) -> (next: WalkedStream, actions: StreamMachine.Actions) {
        var next = self
        let actions = input.apply(to: &next.machine)
        next.done.formUnion(actions)
        next.path.append(input)
        switch input {
        case .clientClose, .sessionEnded: next.clientIsGone = true
        case .dialFailed where self.machine.phase == .dialing: next.hasFailedToDial = true
        default: break
        }
        return (next, actions)
    }
}

extension WalkedStream {
    /// Breadth first through every node that inputs lead to; `check` sees every step once.
    static func walk(
        from start: WalkedStream, inputs: [StreamInput] = StreamInput.allCases,
        check: (_ before: WalkedStream, _ input: StreamInput, _ after: WalkedStream, StreamMachine.Actions) -> Void
    ) -> [WalkedStream] {
        var seen = [start]
        var index = 0
        while index < seen.count {
            let node = seen[index]
            index += 1
            for input in inputs {
                let (next, actions) = node.taking(input)
                check(node, input, next, actions)
                if !seen.contains(next) { seen.append(next) }
            }
        }
        return seen
    }
}

extension StreamMachine.Phase {
    var rank: Int {
        switch self {
        case .dialing: 0
        case .open: 1
        case .lingering: 2
        case .closed: 3
        }
    }
}
