import WasmnetProtocol

@testable import WasmnetRelay

/// Every input of a ``SocketMachine``, with every value that makes a difference.
enum SocketInput: CaseIterable, Equatable {
    case opened(allSent: Bool)
    case openingFailed
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

    static let allCases: [SocketInput] =
        [true, false].flatMap { flag -> [SocketInput] in
            [
                .opened(allSent: flag), .clientShutdown(allSent: flag), .clientClose(allSent: flag),
                .targetEnded(handedOver: flag), .targetFailed(handedOver: flag), .sessionEnded(allSent: flag),
            ]
        } + [
            .openingFailed, .allSent, .allHandedOver, .lingerExpired, .channelClosed, .terminate(.clientClosed),
            .terminate(.protocolError), .terminate(.policyDenied),
        ]
        + [true, false].flatMap { handedOver in
            [true, false].map { .windUp(handedOver: handedOver, allSent: $0) }
        }

    func apply(to machine: inout SocketMachine) -> [SocketMachine.Action] {
        switch self {
        case .opened(let allSent): return machine.opened(allSent: allSent)
        case .openingFailed: return machine.openingFailed(.refused)
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

    /// Reports that no data of the client waits to be sent.
    var saysAllSent: Bool {
        switch self {
        case .opened(true), .clientShutdown(true), .clientClose(true), .sessionEnded(true), .allSent,
            .windUp(_, allSent: true):
            true
        default: false
        }
    }

    /// Reports that all data of the target is with the client.
    var saysHandedOver: Bool {
        switch self {
        case .targetEnded(true), .targetFailed(true), .allHandedOver, .windUp(handedOver: true, _): true
        default: false
        }
    }
}

/// A machine and the actions it requested so far: the nodes of the walk.
struct WalkedSocket: Hashable {
    var machine: SocketMachine
    /// Every action requested so far.
    var done: Set<SocketMachine.Action> = []
    var hasFailedToOpen = false
    /// In the last step the client ended the socket.
    var clientIsGone = false
    /// The inputs that led here, for a failure's words; not part of what makes two nodes the same.
    var path: [SocketInput] = []

    static func == (left: Self, right: Self) -> Bool {
        left.machine == right.machine && left.done == right.done && left.hasFailedToOpen == right.hasFailedToOpen
            && left.clientIsGone == right.clientIsGone
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(self.machine)
        hasher.combine(self.done)
        hasher.combine(self.hasFailedToOpen)
        hasher.combine(self.clientIsGone)
    }

    func taking(_ input: SocketInput) -> (next: WalkedSocket, actions: [SocketMachine.Action]) {
        var next = self
        let actions = input.apply(to: &next.machine)
        next.done.formUnion(actions)
        next.path.append(input)
        switch input {
        case .clientClose, .sessionEnded: next.clientIsGone = true
        case .openingFailed where self.machine.phase == .opening: next.hasFailedToOpen = true
        default: break
        }
        return (next, actions)
    }
}

extension WalkedSocket {
    /// Breadth first through every node that inputs lead to; `check` sees every step once.
    static func walk(
        from start: WalkedSocket, inputs: [SocketInput] = SocketInput.allCases,
        check: (_ before: WalkedSocket, _ input: SocketInput, _ after: WalkedSocket, [SocketMachine.Action]) -> Void
    ) -> [WalkedSocket] {
        var nodes = [start]
        var seen: Set = [start]
        var index = 0
        while index < nodes.count {
            let node = nodes[index]
            index += 1
            for input in inputs {
                let (next, actions) = node.taking(input)
                check(node, input, next, actions)
                if seen.insert(next).inserted { nodes.append(next) }
            }
        }
        return nodes
    }
}

extension SocketMachine.Phase {
    var rank: Int {
        switch self {
        case .opening: 0
        case .open: 1
        case .lingering: 2
        case .closed: 3
        }
    }
}
