import Testing
import WasmnetProtocol

@testable import WasmnetRelay

/// Every reachable state of ``StreamMachine`` with every input, also those that no sane caller would give in it.
@Suite struct StreamWalkTests {
    struct Start: CustomTestStringConvertible {
        var knowsHalfClose: Bool
        var isConnected: Bool
        var testDescription: String {
            "\(self.knowsHalfClose ? "v2" : "v1"), \(self.isConnected ? "accepted" : "dialed")"
        }
        var node: WalkedStream {
            WalkedStream(machine: StreamMachine(knowsHalfClose: self.knowsHalfClose, isConnected: self.isConnected))
        }
    }

    static let starts = [true, false].flatMap { half in
        [true, false].map { Start(knowsHalfClose: half, isConnected: $0) }
    }

    @Test(arguments: starts) func whatMayComeOnceComesOnce(start: Start) {
        _ = WalkedStream.walk(from: start.node) { before, input, after, actions in
            for once: StreamMachine.Actions in [.announceClosed, .announceEnd, .closeOutput, .closeChannel] {
                #expect(
                    !(actions.contains(once) && before.done.contains(once)), "\(once) again: \(after.path)")
            }
        }
    }

    @Test(arguments: starts) func nothingIsToldAfterTheEnd(start: Start) {
        _ = WalkedStream.walk(from: start.node) { before, input, after, actions in
            guard before.machine.isAnnounced else { return }
            #expect(actions.isDisjoint(with: [.announceEnd, .announceClosed]), "\(after.path)")
            #expect(!after.machine.wantsTargetBytes && !after.machine.takesClientBytes, "\(after.path)")
        }
    }

    @Test(arguments: starts) func theEndIsToldWithOneReasonThatStays(start: Start) {
        _ = WalkedStream.walk(from: start.node) { before, input, after, actions in
            // A failed dial is told by whoever dialed.
            #expect(after.machine.isAnnounced == (after.done.contains(.announceClosed) || after.hasFailedToDial))
            #expect(after.machine.isAnnounced == (after.machine.reason != nil), "\(after.path)")
            if let reason = before.machine.reason { #expect(after.machine.reason == reason, "\(after.path)") }
        }
    }

    @Test(arguments: starts) func lifeGoesOneWay(start: Start) {
        _ = WalkedStream.walk(from: start.node) { before, input, after, actions in
            #expect(after.machine.phase.rank >= before.machine.phase.rank, "\(after.path)")
            if before.machine.outbound != .open { #expect(after.machine.outbound != .open, "\(after.path)") }
            if before.machine.outbound == .finished { #expect(after.machine.outbound == .finished, "\(after.path)") }
            if before.machine.inbound != .open { #expect(after.machine.inbound != .open, "\(after.path)") }
        }
    }

    @Test(arguments: starts) func aClosedStreamStaysAsItIs(start: Start) {
        _ = WalkedStream.walk(from: start.node) { before, input, after, actions in
            guard before.machine.phase == .closed else { return }
            #expect(after.machine == before.machine, "\(after.path)")
            // A connection that comes through after all is closed.
            if case .connected = input {
                #expect(actions == .abort)
            } else {
                #expect(actions == [], "\(after.path)")
            }
        }
    }

    @Test(arguments: starts) func halvesEndOnlyWhenAllOfThemIsOut(start: Start) {
        _ = WalkedStream.walk(from: start.node) { before, input, after, actions in
            if actions.contains(.closeOutput) { #expect(input.saysAllSent, "\(after.path)") }
            if actions.contains(.announceEnd) { #expect(input.saysHandedOver && start.knowsHalfClose, "\(after.path)") }
            if !actions.isDisjoint(with: [.closeOutput, .announceEnd]) {
                #expect(before.machine.phase != .dialing || input == .connected(allSent: true), "\(after.path)")
            }
        }
    }

    /// Whoever starts the linger timer relies on it: it ends the connection in whatever state it finds it, and the socket once its client has
    /// what is left for it.
    @Test(arguments: starts) func theLingerTimerEndsWhatItWasStartedFor(start: Start) {
        let nodes = WalkedStream.walk(from: start.node) { _, _, _, _ in }
        let lingering = nodes.filter { $0.done.contains(.startLinger) && $0.machine.phase != .closed }
        for node in lingering { #expect(node.taking(.lingerExpired).actions.contains(.abort), "\(node.path)") }
        let stuck = lingering.lazy.map { $0.taking(.lingerExpired).next.taking(.allHandedOver).next }
            .first { $0.machine.phase != .closed }
        // The walk is breadth first: no shorter way leads to such a state.
        #expect(stuck == nil, "stuck after \(stuck?.path ?? [])")
    }

    @Test(arguments: starts) func everyStateCanBeEndedAtOnce(start: Start) {
        for node in WalkedStream.walk(from: start.node, check: { _, _, _, _ in }) {
            let (after, actions) = node.taking(.terminate(.protocolError))
            #expect(after.machine.phase == .closed, "\(after.path)")
            // The connection is let go of exactly while there may be one.
            #expect(actions.contains(.abort) == (node.machine.phase != .closed), "\(after.path)")
            let gone = node.taking(.channelClosed).next.machine.phase
            if node.machine.phase != .dialing { #expect(gone == .closed, "\(after.path)") }
        }
    }

    @Test(arguments: starts) func afterAClientClosedNothingOfTheTargetIsWanted(start: Start) {
        _ = WalkedStream.walk(from: start.node) { before, input, after, actions in
            guard after.clientIsGone else { return }
            #expect(!after.machine.wantsTargetBytes, "\(after.path)")
            #expect(!after.machine.takesClientBytes, "\(after.path)")
            #expect(!actions.contains(.announceEnd), "\(after.path)")
        }
    }

    /// In order: the client is told once it has what came, and the connection goes once it took what was sent.
    @Test(arguments: starts) func windingUpDeliversBothWays(start: Start) {
        _ = WalkedStream.walk(from: start.node) { before, input, after, actions in
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
        if !start.isConnected { node = node.taking(.connected(allSent: true)).next }
        for handedOver in [false, true] {
            let winding = node.taking(.windUp(handedOver: handedOver, allSent: false)).next
            let inputs: [StreamInput] = [
                .targetFailed(handedOver: false), .targetFailed(handedOver: true), .targetEnded(handedOver: true),
                .allHandedOver, .allSent, .lingerExpired, .channelClosed,
            ]
            let nodes = WalkedStream.walk(from: winding, inputs: inputs) { _, _, _, _ in }
            let other = nodes.first { $0.machine.isAnnounced && $0.machine.reason != .byteQuota }
            #expect(other == nil, "\(other?.path ?? [])")
            #expect(nodes.contains { $0.machine.phase == .closed })
        }
    }

    /// Guards the walk itself: that it gets everywhere.
    @Test func theWalkReachesEveryPhaseAndDirection() {
        let nodes = Self.starts.flatMap { WalkedStream.walk(from: $0.node) { _, _, _, _ in } }
        for phase in StreamMachine.Phase.allCases { #expect(nodes.contains { $0.machine.phase == phase }) }
        for state in StreamMachine.Outbound.allCases { #expect(nodes.contains { $0.machine.outbound == state }) }
        for state in StreamMachine.Inbound.allCases { #expect(nodes.contains { $0.machine.inbound == state }) }
        #expect(nodes.count > 100)
    }
}
