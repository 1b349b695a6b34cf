import NIOCore
import Testing

@testable import WasmnetRelay

@Suite struct MessageAssemblerTests {
    private func assembler(_ cap: Int = 1000) -> MessageAssembler { MessageAssembler(maxLength: cap) }

    private func buffer(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }

    private func code(_ output: MessageAssembler.Output) -> CloseCode? {
        if case .error(let error) = output { return error.closeCode }
        return nil
    }

    @Test func wholeMessagesComeAsTheyAre() {
        var assembler = self.assembler()
        for (kind, text) in [(.text, "a"), (.binary, "b"), (.binary, "")] as [(FrameKind, String)] {
            let payload = self.buffer(text)
            #expect(
                assembler.receive(kind, isFinal: true, payload: payload) == .message(payload, isText: kind == .text))
        }
    }

    @Test(arguments: [FrameKind.text, .binary]) func fragmentsBecomeOneMessage(kind: FrameKind) {
        var assembler = self.assembler()
        #expect(assembler.receive(kind, isFinal: false, payload: self.buffer("one ")) == .fragment(isEmpty: false))
        #expect(assembler.receive(.continuation, isFinal: false, payload: ByteBuffer()) == .fragment(isEmpty: true))
        #expect(
            assembler.receive(.continuation, isFinal: false, payload: self.buffer("two ")) == .fragment(isEmpty: false))
        #expect(
            assembler.receive(.continuation, isFinal: true, payload: self.buffer("three"))
                == .message(self.buffer("one two three"), isText: kind == .text))
        // And none of it is left.
        #expect(self.code(assembler.receive(.continuation, isFinal: true, payload: ByteBuffer())) == .protocolError)
    }

    @Test func controlFramesComeBetweenFragments() {
        var assembler = self.assembler()
        #expect(assembler.receive(.text, isFinal: false, payload: self.buffer("a")) == .fragment(isEmpty: false))
        #expect(assembler.receive(.ping, isFinal: true, payload: self.buffer("p")) == .ping(self.buffer("p")))
        #expect(
            assembler.receive(.continuation, isFinal: false, payload: self.buffer("b")) == .fragment(isEmpty: false))
        #expect(assembler.receive(.pong, isFinal: true, payload: self.buffer("q")) == .pong(self.buffer("q")))
        #expect(
            assembler.receive(.continuation, isFinal: true, payload: self.buffer("c"))
                == .message(self.buffer("abc"), isText: true))
    }

    @Test func aContinuationOfNothingIsRefused() {
        for isFinal in [true, false] {
            var assembler = self.assembler()
            let output = assembler.receive(.continuation, isFinal: isFinal, payload: self.buffer("x"))
            #expect(self.code(output) == .protocolError)
        }
    }

    @Test func aNewMessageInsideAFragmentedOneIsRefused() {
        for kind in [FrameKind.text, .binary] {
            for isFinal in [true, false] {
                var assembler = self.assembler()
                #expect(assembler.receive(.binary, isFinal: false, payload: ByteBuffer()) == .fragment(isEmpty: true))
                #expect(self.code(assembler.receive(kind, isFinal: isFinal, payload: ByteBuffer())) == .protocolError)
            }
        }
    }

    @Test func theCapHoldsForAllFragmentsTogether() {
        for isFinal in [true, false] {
            var assembler = self.assembler(10)
            #expect(
                assembler.receive(.binary, isFinal: false, payload: self.buffer("12345")) == .fragment(isEmpty: false))
            #expect(
                assembler.receive(.continuation, isFinal: false, payload: self.buffer("67890"))
                    == .fragment(isEmpty: false))
            let output = assembler.receive(.continuation, isFinal: isFinal, payload: self.buffer("1"))
            #expect(self.code(output) == .tooLarge)
        }
        var assembler = self.assembler(10)
        _ = assembler.receive(.binary, isFinal: false, payload: self.buffer("12345"))
        let full = assembler.receive(.continuation, isFinal: true, payload: self.buffer("67890"))
        #expect(full == .message(self.buffer("1234567890"), isText: false))
    }

    @Test func emptyFragmentsWithoutEndAreRefusedSomeTime() {
        var assembler = self.assembler()
        #expect(assembler.receive(.binary, isFinal: false, payload: ByteBuffer()) == .fragment(isEmpty: true))
        var count = 1
        while count < 1_000_000,
            assembler.receive(.continuation, isFinal: false, payload: ByteBuffer()) == .fragment(isEmpty: true)
        {
            count += 1
        }
        #expect(count == 65_536)
    }

    @Test func aShortFragmentKeepsNoLargeReadAlive() {
        var read = ByteBuffer(repeating: 1, count: 1 << 20)
        var assembler = self.assembler(2000)
        guard let fragment = read.readSlice(length: 10) else { return }
        #expect(assembler.receive(.binary, isFinal: false, payload: fragment) == .fragment(isEmpty: false))
        guard case .message(let message, _) = assembler.receive(.continuation, isFinal: true, payload: fragment) else {
            Issue.record("no message")
            return
        }
        #expect(message.readableBytes == 20 && message.storageCapacity < 1 << 12)
    }

    // MARK: Close frames (RFC 6455, sections 5.5.1 and 7.4)

    private func close(_ code: UInt16, _ reason: [UInt8] = []) -> MessageAssembler.Output {
        var payload = ByteBuffer(integer: code)
        payload.writeBytes(reason)
        var assembler = self.assembler()
        return assembler.receive(.close, isFinal: true, payload: payload)
    }

    @Test func aCloseWithoutCodeAndOneOfAByte() {
        var assembler = self.assembler()
        #expect(assembler.receive(.close, isFinal: true, payload: ByteBuffer()) == .close(code: nil))
        let half = assembler.receive(.close, isFinal: true, payload: ByteBuffer(bytes: [3]))
        #expect(self.code(half) == .protocolError)
    }

    @Test func codesThatMayBeSentAndThoseThatMayNot() {
        for code in Array(1000...1003) + Array(1007...1014) + [3000, 3999, 4000, 4999] as [UInt16] {
            #expect(self.close(code) == .close(code: code))
        }
        // 1004 to 1006 and 1015 are never sent; the rest is unassigned.
        for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1999, 2000, 2999, 5000, 65_535] as [UInt16] {
            #expect(self.code(self.close(code)) == .protocolError, "\(code)")
        }
    }

    @Test func aReasonIsUTF8() {
        #expect(self.close(1000, Array("grüße".utf8)) == .close(code: 1000))
        for bad in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0x67, 0xC3]] as [[UInt8]] {
            #expect(self.code(self.close(1000, bad)) == .notText, "\(bad)")
        }
    }
}
