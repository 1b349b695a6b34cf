import Testing
import WasmnetProtocol

@testable import WasmnetRelay

/// The transitions of ``SocketMachine``, each in its context.
@Suite struct SocketMachineTests {
    private func open(_ knowsHalfClose: Bool = true) -> SocketMachine {
        var machine = SocketMachine(.stream(knowsHalfClose: knowsHalfClose))
        _ = machine.opened(allSent: true)
        return machine
    }

    // MARK: Before connected

    @Test func bytesAreTakenBeforeTheDialIsThrough() {
        let machine = SocketMachine(.stream(knowsHalfClose: true))
        #expect(machine.takesClientBytes)
        #expect(!machine.wantsTargetBytes)
    }

    @Test func shutdownBeforeConnectedWaitsForTheBytes() {
        var machine = SocketMachine(.stream(knowsHalfClose: true))
        #expect(machine.clientShutdown(allSent: false) == [])
        #expect(machine.clientHasFinished && !machine.takesClientBytes)
        #expect(machine.opened(allSent: false) == [])
        #expect(machine.wantsTargetBytes)
        #expect(machine.allSent() == [.closeOutput])
        #expect(machine.wantsTargetBytes)
    }

    @Test func shutdownBeforeConnectedWithoutBytesComesWithTheConnection() {
        var machine = SocketMachine(.stream(knowsHalfClose: true))
        #expect(machine.clientShutdown(allSent: true) == [])
        #expect(machine.opened(allSent: true) == [.closeOutput])
    }

    @Test func closeBeforeConnectedWithoutBytesEndsAtOnce() {
        var machine = SocketMachine(.stream(knowsHalfClose: false))
        #expect(machine.clientClose(allSent: true) == [.announceClosed, .abort])
        #expect(machine.reason == .clientClosed)
        #expect(machine.opened(allSent: true) == [.abort])
    }

    @Test func closeBeforeConnectedStillDeliversWhatWasSent() {
        var machine = SocketMachine(.stream(knowsHalfClose: false))
        #expect(machine.clientClose(allSent: false) == [.discardInbound, .startLinger])
        #expect(machine.opened(allSent: false) == [])
        #expect(!machine.wantsTargetBytes)
        #expect(machine.allSent() == [.closeOutput, .announceClosed])
        #expect(machine.phase == .lingering && machine.reason == .clientClosed)
        #expect(machine.targetEnded(handedOver: true) == [.closeChannel])
    }

    @Test func anOpeningThatFailsIsToldByItsCaller() {
        var machine = SocketMachine(.stream(knowsHalfClose: true))
        #expect(machine.openingFailed(.refused) == [.closeChannel])
        #expect(machine.phase == .closed && machine.reason == .refused)
    }

    @Test func aDialThatOutlivesTheLingerIsGivenUp() {
        var machine = SocketMachine(.stream(knowsHalfClose: true))
        _ = machine.clientClose(allSent: false)
        #expect(machine.lingerExpired() == [.announceClosed, .abort])
        #expect(machine.reason == .clientClosed)
    }

    // MARK: Both ends in turn

    @Test func bothHalvesEndInEitherOrderAndTheEndIsNormal() {
        var targetFirst = self.open()
        #expect(targetFirst.targetEnded(handedOver: true) == [.announceEnd])
        #expect(targetFirst.takesClientBytes)
        #expect(targetFirst.clientShutdown(allSent: true) == [.closeOutput, .announceClosed, .closeChannel])
        #expect(targetFirst.reason == .normal)

        var clientFirst = self.open()
        #expect(clientFirst.clientShutdown(allSent: true) == [.closeOutput])
        #expect(clientFirst.targetEnded(handedOver: true) == [.announceEnd, .announceClosed, .closeChannel])
        #expect(clientFirst.reason == .normal)
    }

    @Test func theTargetsEndWaitsForItsBytes() {
        var machine = self.open()
        #expect(machine.targetEnded(handedOver: false) == [])
        #expect(machine.inbound == .draining)
        #expect(machine.targetEnded(handedOver: true) == [], "a second end means nothing")
        #expect(machine.allHandedOver() == [.announceEnd])
        #expect(machine.allHandedOver() == [])
    }

    @Test func inV1TheTargetsEndIsTheSocketsButBytesStillGoOut() {
        var machine = self.open(false)
        #expect(machine.targetEnded(handedOver: false) == [])
        #expect(machine.allHandedOver() == [.announceClosed, .startLinger])
        #expect(machine.reason == .normal && !machine.takesClientBytes)
        #expect(machine.allSent() == [.closeOutput, .closeChannel])
        #expect(machine.phase == .closed)
    }

    @Test func targetEndThenClientClose() {
        var machine = self.open()
        #expect(machine.targetEnded(handedOver: true) == [.announceEnd])
        let actions = machine.clientClose(allSent: true)
        #expect(actions.contains(.closeOutput) && actions.contains(.announceClosed))
        #expect(machine.reason == .clientClosed)
        _ = machine.lingerExpired()
        #expect(machine.phase == .closed)
    }

    @Test func clientCloseThenTargetEndThenALingerThatRunsOut() {
        var machine = self.open()
        #expect(machine.clientClose(allSent: false) == [.discardInbound, .startLinger])
        // The target has no more to send and accepts no bytes either.
        #expect(machine.targetEnded(handedOver: true) == [])
        #expect(machine.lingerExpired() == [.announceClosed, .abort])
        #expect(machine.phase == .closed && machine.reason == .clientClosed)
    }

    @Test func clientCloseThenTargetEndThenTheLastByteOut() {
        var machine = self.open()
        _ = machine.clientClose(allSent: false)
        _ = machine.targetEnded(handedOver: true)
        #expect(machine.allSent() == [.closeOutput, .announceClosed, .closeChannel])
        #expect(machine.reason == .clientClosed)
    }

    @Test func closeAfterShutdownDoesNotHalfCloseTwice() {
        var machine = self.open()
        #expect(machine.clientShutdown(allSent: true) == [.closeOutput])
        #expect(machine.clientClose(allSent: true) == [.discardInbound, .startLinger, .announceClosed])
        #expect(machine.phase == .lingering)
    }

    // MARK: Aborts

    @Test func whatABrokenTargetSentBeforeIsHandedOverFirst() {
        var machine = self.open()
        #expect(machine.targetFailed(.targetReset, handedOver: false) == [])
        #expect(!machine.wantsTargetBytes && !machine.takesClientBytes)
        #expect(machine.allHandedOver() == [.announceClosed, .abort], "no `end`: the target did not end, it broke")
        #expect(machine.reason == .targetReset)
    }

    @Test func aTargetThatBreaksAfterTheClientClosedChangesNothing() {
        var machine = self.open()
        _ = machine.clientClose(allSent: false)
        #expect(machine.targetFailed(.targetReset, handedOver: true) == [.announceClosed, .abort])
        #expect(machine.reason == .clientClosed)
    }

    @Test func aChannelThatIsGoneIsAResetUnlessSomebodyEndedIt() {
        var machine = self.open()
        #expect(machine.channelClosed() == [.announceClosed])
        #expect(machine.reason == .targetReset)

        var closing = self.open()
        _ = closing.clientClose(allSent: false)
        #expect(closing.channelClosed() == [.announceClosed])
        #expect(closing.reason == .clientClosed)
    }

    @Test(arguments: ReasonCode.allCases) func anOpenStreamEndsWithTheReasonItIsGiven(reason: ReasonCode) {
        var machine = self.open()
        #expect(machine.terminate(reason) == [.discardInbound, .announceClosed, .abort])
        #expect(machine.reason == reason)
    }

    @Test func resetWhileLingeringTellsNothingMore() {
        var machine = self.open()
        _ = machine.clientClose(allSent: true)
        #expect(machine.phase == .lingering)
        #expect(machine.terminate(.clientClosed) == [.abort])
        #expect(machine.phase == .closed)
    }

    @Test func aSecondCloseIsNothing() {
        var machine = self.open()
        _ = machine.clientClose(allSent: false)
        let before = machine
        #expect(machine.clientClose(allSent: false) == [])
        _ = machine.targetEnded(handedOver: true)
        #expect(machine.clientClose(allSent: false) == [], "and none after the target's end")
        #expect(before.phase == machine.phase)
    }

    @Test func whenTheSessionEndsAcceptedBytesStillGoOut() {
        var machine = self.open()
        #expect(machine.sessionEnded(allSent: false) == [.discardInbound, .startLinger])
        #expect(machine.allSent() == [.closeOutput, .announceClosed])
        #expect(machine.targetEnded(handedOver: true) == [.closeChannel])
    }
}
