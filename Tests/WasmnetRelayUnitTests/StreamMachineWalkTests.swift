import Testing
import WasmnetProtocol

@testable import WasmnetRelay

/// Every state that can be reached, with every input.
@Suite struct StreamMachineWalkTests {
    enum Input: CaseIterable, Sendable {
        case connected, connectedUnsent, dialFailed, shutdown, shutdownUnsent, close, closeUnsent, allSent
        case targetEnded, targetEndedUnsent, targetEndedUnread, targetFailed, targetFailedUnread
        case allHandedOver, allHandedOverUnsent, terminate
        case sessionEnded, sessionEndedUnsent, lingerExpired, channelClosed

        func apply(to machine: inout StreamMachine) -> StreamMachine.Actions {
            switch self {
            case .connected: return machine.connected(allSent: true)
            case .connectedUnsent: return machine.connected(allSent: false)
            case .dialFailed:
                machine.dialFailed(.refused)
                return []
            case .shutdown: return machine.clientShutdown(allSent: true)
            case .shutdownUnsent: return machine.clientShutdown(allSent: false)
            case .close: return machine.clientClose(allSent: true)
            case .closeUnsent: return machine.clientClose(allSent: false)
            case .allSent: return machine.allSent()
            case .targetEnded: return machine.targetEnded(handedOver: true, allSent: true)
            case .targetEndedUnsent: return machine.targetEnded(handedOver: true, allSent: false)
            case .targetEndedUnread: return machine.targetEnded(handedOver: false, allSent: true)
            case .targetFailed: return machine.targetFailed(.targetReset, handedOver: true)
            case .targetFailedUnread: return machine.targetFailed(.targetReset, handedOver: false)
            case .allHandedOver: return machine.allHandedOver(allSent: true)
            case .allHandedOverUnsent: return machine.allHandedOver(allSent: false)
            case .terminate: return machine.terminate(.policyDenied)
            case .sessionEnded: return machine.sessionEnded(allSent: true)
            case .sessionEndedUnsent: return machine.sessionEnded(allSent: false)
            case .lingerExpired: return machine.lingerExpired()
            case .channelClosed: return machine.channelClosed()
            }
        }
    }

    struct Step {
        var before: StreamMachine
        var input: Input
        var after: StreamMachine
        var actions: StreamMachine.Actions
    }

    /// Breadth first from both beginnings, until nothing new is found.
    static func walk(knowsHalfClose: Bool) -> [Step] {
        var seen: [StreamMachine] = []
        var queue = [
            StreamMachine(knowsHalfClose: knowsHalfClose),
            StreamMachine(knowsHalfClose: knowsHalfClose, isConnected: true),
        ]
        var steps: [Step] = []
        while let state = queue.popLast() {
            guard !seen.contains(state) else { continue }
            seen.append(state)
            for input in Input.allCases {
                var next = state
                let actions = input.apply(to: &next)
                steps.append(Step(before: state, input: input, after: next, actions: actions))
                queue.append(next)
            }
        }
        return steps
    }

    @Test(arguments: [false, true]) func theEndIsToldOnceAndLast(knowsHalfClose: Bool) {
        let steps = Self.walk(knowsHalfClose: knowsHalfClose)
        #expect(steps.count >= Input.allCases.count * 12)
        for step in steps {
            let isTold = step.actions.contains(.announceClosed)
            #expect(
                isTold == (!step.before.isAnnounced && step.after.isAnnounced && step.input != .dialFailed), "\(step)")
            if step.after.isAnnounced { #expect(step.after.reason != nil, "\(step)") }
            if step.before.isAnnounced { #expect(step.after.reason == step.before.reason, "\(step)") }
            if step.actions.contains(.announceEnd) {
                #expect(knowsHalfClose && !step.before.isAnnounced && step.before.inbound != .ended, "\(step)")
            }
        }
    }

    @Test(arguments: [false, true]) func nothingHappensAfterTheEnd(knowsHalfClose: Bool) {
        for step in Self.walk(knowsHalfClose: knowsHalfClose) where step.before.phase == .closed {
            #expect(step.after == step.before, "\(step)")
            // A connection that comes too late is dropped, and that is all.
            #expect(step.actions.isSubset(of: .abort), "\(step)")
        }
    }

    /// Whoever leaves the live phases gets rid of its channel, by a close or an abort, unless it has none.
    @Test(arguments: [false, true]) func noChannelIsForgotten(knowsHalfClose: Bool) {
        for step in Self.walk(knowsHalfClose: knowsHalfClose)
        where step.before.phase != .closed && step.after.phase == .closed {
            let isGone = step.input == .channelClosed || step.input == .dialFailed
            #expect(isGone || !step.actions.isDisjoint(with: [.abort, .closeChannel]), "\(step)")
        }
    }

    /// Accepted bytes are cut off only by who may: a broken target, a timer, an order, a dial without bytes.
    @Test(arguments: [false, true]) func nobodyElseCutsAcceptedBytesOff(knowsHalfClose: Bool) {
        let mayCut: Set<Input> = [
            .targetFailed, .targetFailedUnread, .terminate, .lingerExpired, .allHandedOver, .allHandedOverUnsent,
        ]
        for step in Self.walk(knowsHalfClose: knowsHalfClose) where step.actions.contains(.abort) {
            let isDialWithoutBytes = step.before.phase == .dialing && [.close, .sessionEnded].contains(step.input)
            let isLate = step.before.phase != .dialing && [.connected, .connectedUnsent].contains(step.input)
            #expect(mayCut.contains(step.input) || isDialWithoutBytes || isLate, "\(step)")
            if [.allHandedOver, .allHandedOverUnsent].contains(step.input) {
                #expect(step.after.reason == .targetReset, "\(step)")
            }
        }
    }

    @Test(arguments: [false, true]) func theOutputIsClosedOnceAndAfterEverythingIsOut(knowsHalfClose: Bool) {
        for step in Self.walk(knowsHalfClose: knowsHalfClose) where step.actions.contains(.closeOutput) {
            #expect(step.before.outbound != .finished && step.after.outbound == .finished, "\(step)")
            let unsent: Set<Input> = [
                .connectedUnsent, .shutdownUnsent, .closeUnsent, .sessionEndedUnsent, .targetEndedUnsent,
                .allHandedOverUnsent,
            ]
            #expect(!unsent.contains(step.input), "\(step)")
        }
    }

    /// From wherever it is, each of these ends it.
    @Test(arguments: [false, true]) func everyStateCanEnd(knowsHalfClose: Bool) {
        for step in Self.walk(knowsHalfClose: knowsHalfClose) {
            if step.input == .terminate { #expect(step.after.phase == .closed, "\(step)") }
            if step.input == .channelClosed, step.before.phase != .dialing {
                #expect(step.after.phase == .closed, "\(step)")
            }
            if step.input == .dialFailed, step.before.phase == .dialing {
                #expect(step.after.phase == .closed, "\(step)")
            }
        }
    }

    /// Who was told to wait for a while does not wait for ever, whatever comes between.
    @Test(arguments: [false, true]) func everyLingerEnds(knowsHalfClose: Bool) {
        var seen: [StreamMachine] = []
        var queue = Self.walk(knowsHalfClose: knowsHalfClose).filter { $0.actions.contains(.startLinger) }.map(\.after)
        #expect(!queue.isEmpty)
        while let state = queue.popLast() {
            guard !seen.contains(state) else { continue }
            seen.append(state)
            var expired = state
            _ = expired.lingerExpired()
            #expect(expired.phase == .closed, "\(state)")
            for input in Input.allCases {
                var next = state
                _ = input.apply(to: &next)
                queue.append(next)
            }
        }
    }

    /// The ordinary life in both languages, edge by edge.
    @Test func aLifeInV2() {
        var machine = StreamMachine(knowsHalfClose: true)
        #expect(machine.takesClientBytes)
        #expect(machine.connected(allSent: false) == [])
        #expect(machine.targetEnded(handedOver: false, allSent: false) == [])
        #expect(!machine.wantsTargetBytes)
        #expect(machine.allHandedOver(allSent: false) == .announceEnd)
        #expect(machine.takesClientBytes)
        #expect(machine.clientShutdown(allSent: false) == [])
        #expect(!machine.takesClientBytes)
        #expect(machine.allSent() == [.closeOutput, .announceClosed, .closeChannel])
        #expect(machine.reason == .normal)
    }

    @Test func aLifeInV1() {
        var machine = StreamMachine(knowsHalfClose: false)
        #expect(machine.connected(allSent: false) == [])
        #expect(machine.targetEnded(handedOver: true, allSent: false) == [.announceClosed, .startLinger])
        #expect(machine.reason == .normal)
        #expect(!machine.takesClientBytes)
        #expect(machine.allSent() == [.closeOutput, .closeChannel])
        #expect(machine.phase == .closed)
    }

    /// Nothing is left to wait for: its slot is free at once, and the target sees an end and no reset.
    @Test func aTargetThatEndsInV1WithNothingUnsentIsClosedAtOnce() {
        var machine = StreamMachine(knowsHalfClose: false, isConnected: true)
        let actions = machine.targetEnded(handedOver: true, allSent: true)
        #expect(actions == [.announceClosed, .startLinger, .closeOutput, .closeChannel])
        #expect(machine.phase == .closed)
    }

    @Test func aCloseWithBytesOnTheirWayWaitsForThem() {
        var machine = StreamMachine(knowsHalfClose: true, isConnected: true)
        #expect(machine.clientClose(allSent: false) == [.discardInbound, .startLinger])
        #expect(machine.allSent() == [.closeOutput, .announceClosed])
        #expect(machine.reason == .clientClosed)
        #expect(machine.targetEnded(handedOver: true, allSent: true) == .closeChannel)
    }
}
