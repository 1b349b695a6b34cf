import Testing
import WasmnetProtocol

@testable import WasmnetRelay

/// Every reachable state of ``SocketMachine`` with every input, including those that a correct caller would not give in it.
@Suite struct SocketWalkTests {
    struct Start: CustomTestStringConvertible {
        var shape: SocketMachine.Shape
        /// Whether it was open from the start, as an accepted connection.
        var isOpen: Bool
        var testDescription: String { "\(self.shape), \(self.isOpen ? "open" : "opening")" }
        var knowsHalfClose: Bool { self.shape == .stream(knowsHalfClose: true) }
        var isWhole: Bool { self.shape == .whole }
        var node: WalkedSocket {
            var machine = SocketMachine(self.shape)
            if self.isOpen { _ = machine.opened(allSent: true) }
            return WalkedSocket(machine: machine)
        }
    }

    /// A stream of v2 and of v1, and a datagram socket or a listener.
    static let shapes: [SocketMachine.Shape] = [.stream(knowsHalfClose: true), .stream(knowsHalfClose: false), .whole]
    static let starts = shapes.flatMap { shape in [true, false].map { Start(shape: shape, isOpen: $0) } }
    static let streams = starts.filter { !$0.isWhole }

    @Test(arguments: starts) func whatMayComeOnceComesOnce(start: Start) {
        _ = WalkedSocket.walk(from: start.node) { before, input, after, actions in
            #expect(Set(actions).count == actions.count, "\(after.path)")
            for once: SocketMachine.Action in [.announceClosed, .announceEnd, .closeOutput, .closeChannel] {
                #expect(
                    !(actions.contains(once) && before.done.contains(once)), "\(once) again: \(after.path)")
            }
        }
    }

    @Test(arguments: starts) func nothingIsToldAfterTheEnd(start: Start) {
        _ = WalkedSocket.walk(from: start.node) { before, input, after, actions in
            guard before.machine.isAnnounced else { return }
            #expect(Set(actions).isDisjoint(with: [.announceEnd, .announceClosed]), "\(after.path)")
            #expect(!after.machine.wantsTargetBytes && !after.machine.takesClientBytes, "\(after.path)")
        }
    }

    @Test(arguments: starts) func theEndIsToldWithOneReasonThatStays(start: Start) {
        _ = WalkedSocket.walk(from: start.node) { before, input, after, actions in
            // The opener reports a failed opening.
            #expect(after.machine.isAnnounced == (after.done.contains(.announceClosed) || after.hasFailedToOpen))
            #expect(after.machine.isAnnounced == (after.machine.reason != nil), "\(after.path)")
            if let reason = before.machine.reason { #expect(after.machine.reason == reason, "\(after.path)") }
        }
    }

    @Test(arguments: starts) func lifeGoesOneWay(start: Start) {
        _ = WalkedSocket.walk(from: start.node) { before, input, after, actions in
            #expect(after.machine.phase.rank >= before.machine.phase.rank, "\(after.path)")
            if before.machine.outbound != .open { #expect(after.machine.outbound != .open, "\(after.path)") }
            if before.machine.outbound == .finished { #expect(after.machine.outbound == .finished, "\(after.path)") }
            if before.machine.inbound != .open { #expect(after.machine.inbound != .open, "\(after.path)") }
        }
    }

    @Test(arguments: starts) func aClosedStreamStaysAsItIs(start: Start) {
        _ = WalkedSocket.walk(from: start.node) { before, input, after, actions in
            guard before.machine.phase == .closed else { return }
            #expect(after.machine == before.machine, "\(after.path)")
            // A connection that succeeds after all is closed.
            if case .opened = input {
                #expect(actions == [.abort])
            } else {
                #expect(actions == [], "\(after.path)")
            }
        }
    }

    @Test(arguments: starts) func halvesEndOnlyWhenAllOfThemIsOut(start: Start) {
        _ = WalkedSocket.walk(from: start.node) { before, input, after, actions in
            if actions.contains(.closeOutput) { #expect(input.saysAllSent, "\(after.path)") }
            if actions.contains(.announceEnd) { #expect(input.saysHandedOver && start.knowsHalfClose, "\(after.path)") }
            if !Set(actions).isDisjoint(with: [.closeOutput, .announceEnd]) {
                #expect(before.machine.phase != .opening || input == .opened(allSent: true), "\(after.path)")
            }
        }
    }

    /// The linger timer relies on this: it ends the connection in any state, and the socket once its client has
    /// the data left for it.
    @Test(arguments: starts) func theLingerTimerEndsWhatItWasStartedFor(start: Start) {
        let nodes = WalkedSocket.walk(from: start.node) { _, _, _, _ in }
        let lingering = nodes.filter { $0.done.contains(.startLinger) && $0.machine.phase != .closed }
        for node in lingering { #expect(node.taking(.lingerExpired).actions.contains(.abort), "\(node.path)") }
        let stuck = lingering.lazy.map { $0.taking(.lingerExpired).next.taking(.allHandedOver).next }
            .first { $0.machine.phase != .closed }
        // The walk is breadth first: no shorter path leads to such a state.
        #expect(stuck == nil, "stuck after \(stuck?.path ?? [])")
    }

    @Test(arguments: starts) func everyStateCanBeEndedAtOnce(start: Start) {
        for node in WalkedSocket.walk(from: start.node, check: { _, _, _, _ in }) {
            let (after, actions) = node.taking(.terminate(.protocolError))
            #expect(after.machine.phase == .closed, "\(after.path)")
            // The connection is released exactly while there may be one.
            #expect(actions.contains(.abort) == (node.machine.phase != .closed), "\(after.path)")
            let gone = node.taking(.channelClosed).next.machine.phase
            if node.machine.phase != .opening { #expect(gone == .closed, "\(after.path)") }
        }
    }

    @Test(arguments: starts) func afterAClientClosedNothingOfTheTargetIsWanted(start: Start) {
        _ = WalkedSocket.walk(from: start.node) { before, input, after, actions in
            guard after.clientIsGone else { return }
            #expect(!after.machine.wantsTargetBytes, "\(after.path)")
            #expect(!after.machine.takesClientBytes, "\(after.path)")
            #expect(!actions.contains(.announceEnd), "\(after.path)")
        }
    }

    /// In order: the client is notified once it has the received data, and the connection ends once it accepted the sent data.
    @Test(arguments: streams) func windingUpDeliversBothWays(start: Start) {
        _ = WalkedSocket.walk(from: start.node) { before, input, after, actions in
            guard case .windUp(let handedOver, let allSent) = input else { return }
            #expect(!actions.contains(.abort) && !actions.contains(.discardInbound), "\(after.path)")
            if before.machine.phase == .open, actions.contains(.announceClosed) { #expect(handedOver, "\(after.path)") }
            if actions.contains(.closeChannel) {
                #expect(allSent || before.machine.outbound == .finished, "\(after.path)")
            }
            if after.machine != before.machine {
                #expect(!after.machine.wantsTargetBytes && !after.machine.takesClientBytes, "\(after.path)")
                #expect(!after.machine.clientHasFinished, "\(after.path)")
            }
        }
    }

    /// Whatever else happens to the connection meanwhile.
    @Test(arguments: starts) func aWindUpEndsWithItsOwnReason(start: Start) {
        var node = start.node
        if !start.isOpen { node = node.taking(.opened(allSent: true)).next }
        for handedOver in [false, true] {
            let winding = node.taking(.windUp(handedOver: handedOver, allSent: false)).next
            let inputs: [SocketInput] = [
                .targetFailed(handedOver: false), .targetFailed(handedOver: true), .targetEnded(handedOver: true),
                .allHandedOver, .allSent, .lingerExpired, .channelClosed,
            ]
            let nodes = WalkedSocket.walk(from: winding, inputs: inputs) { _, _, _, _ in }
            let other = nodes.first { $0.machine.isAnnounced && $0.machine.reason != .byteQuota }
            #expect(other == nil, "\(other?.path ?? [])")
            #expect(nodes.contains { $0.machine.phase == .closed })
        }
    }

    /// A datagram socket or a listener opens and ends, for any input, and delivers nothing later.
    @Test(arguments: starts.filter(\.isWhole)) func withoutDirectionsItEndsAsAWhole(start: Start) {
        let nodes = WalkedSocket.walk(from: start.node) { before, input, after, actions in
            #expect(
                Set(actions).isDisjoint(with: [.announceEnd, .closeOutput, .startLinger]), "\(after.path)")
            #expect(after.machine.phase != .lingering, "\(after.path)")
            // A bound port is released with the end, and never before.
            let ends = after.machine.phase == .closed && before.machine.phase != .closed
            let letsGo = actions.contains(.abort) || actions.contains(.closeChannel)
            if ends, input != .channelClosed { #expect(letsGo, "\(after.path)") }
            if !ends, before.machine.phase != .closed { #expect(actions == [], "\(after.path)") }
        }
        #expect(nodes.contains { $0.machine.phase == .closed })
    }

    /// A late answer to a dial, a bind, a lookup or a reservation opens nothing and reports nothing.
    @Test(arguments: starts) func noLateAnswerOpensAnything(start: Start) {
        for node in WalkedSocket.walk(from: start.node, check: { _, _, _, _ in }) where node.machine.phase != .opening {
            for flag in [true, false] {
                let (after, actions) = node.taking(.opened(allSent: flag))
                #expect(after.machine == node.machine, "\(after.path)")
                #expect(actions == (node.machine.phase == .open ? [] : [.abort]), "\(after.path)")
            }
            let (after, actions) = node.taking(.openingFailed)
            #expect(after.machine == node.machine && actions == [], "\(after.path)")
        }
    }

    /// Nothing is left of a socket after its end: the timer that ends it is started before, and its connection goes last.
    @Test(arguments: starts) func theOrderLeavesNothingBehind(start: Start) {
        _ = WalkedSocket.walk(from: start.node) { _, _, after, actions in
            if let gone = actions.firstIndex(where: { $0 == .abort || $0 == .closeChannel }) {
                #expect(gone == actions.count - 1, "\(after.path)")
            }
            if let told = actions.firstIndex(of: .announceClosed), let end = actions.firstIndex(of: .announceEnd) {
                #expect(end < told, "\(after.path)")
            }
        }
    }

    /// Checks the walk itself: that it reaches everything.
    @Test func theWalkReachesEveryPhaseAndDirection() {
        let nodes = Self.starts.flatMap { WalkedSocket.walk(from: $0.node) { _, _, _, _ in } }
        for phase in SocketMachine.Phase.allCases { #expect(nodes.contains { $0.machine.phase == phase }) }
        for state in SocketMachine.Outbound.allCases { #expect(nodes.contains { $0.machine.outbound == state }) }
        for state in SocketMachine.Inbound.allCases { #expect(nodes.contains { $0.machine.inbound == state }) }
        #expect(nodes.count > 100)
    }
}
