import NIOCore
import Testing
import WasmnetProtocol

@Suite("Byte for byte as the tables have them")
struct GoldenTests {
    @Test func everyTypeIsInTheTables() {
        let requests = Set(GoldenRequest.table.map { ByteBuffer(hex: $0.binary).readableBytesView.first })
        #expect(requests == Set((0x01...0x0D).map { UInt8?.some($0) }))
        let events = Set(GoldenEvent.table.map { ByteBuffer(hex: $0.v2).readableBytesView.first })
        #expect(events == Set(((0x81...0x8D) + [0x90]).map { UInt8?.some($0) }))
    }

    @Test func requestsInJSON() throws {
        for golden in GoldenRequest.table {
            let message = Language.json.encode(golden.request)
            #expect(message?.text == golden.json)
            guard let json = golden.json else { continue }
            #expect(decodeJSON(json) == .success(golden.request), "\(json)")
        }
    }

    @Test func requestsInBinary() {
        for golden in GoldenRequest.table {
            let bytes = ByteBuffer(hex: golden.binary)
            #expect(Language.v2.encode(golden.request) == bytes, "\(golden.request)")
            #expect(Language.v2.request(bytes) == .success(golden.request), "\(golden.binary)")
            if golden.json != nil {
                #expect(Language.binary.encode(golden.request) == bytes, "\(golden.request)")
                #expect(Language.binary.request(bytes) == .success(golden.request), "\(golden.binary)")
            }
        }
    }

    @Test func version1DoesNotKnowTheRequestsOfVersion2() {
        for golden in GoldenRequest.table where golden.json == nil {
            let bytes = ByteBuffer(hex: golden.binary)
            #expect(Language.binary.encode(golden.request) == nil)
            let failure = Language.binary.request(bytes).failure
            #expect(failure?.message == "unknown type 0x" + golden.binary.prefix(2).lowercased())
            #expect(failure?.id == golden.request.id)
        }
    }

    @Test func eventsInJSON() {
        for golden in GoldenEvent.table {
            #expect(Language.json.encode(golden.event)?.text == golden.json)
            guard let json = golden.json else { continue }
            let heard = GoldenEvent.heard(golden.event, in: .json)
            #expect(Language.json.event(ByteBuffer(string: json)) == .success(heard), "\(json)")
        }
    }

    @Test func eventsInBinaryVersion1() {
        for golden in GoldenEvent.table {
            #expect(Language.binary.encode(golden.event)?.hex == golden.v1.map { ByteBuffer(hex: $0).hex })
            guard let bytes = golden.v1.map({ ByteBuffer(hex: $0) }) else {
                #expect(Language.binary.event(ByteBuffer(hex: golden.v2)).failure != nil)
                continue
            }
            let heard = GoldenEvent.heard(golden.event, in: .binary)
            #expect(Language.binary.event(bytes) == .success(heard), "\(golden.event)")
        }
    }

    @Test func eventsInVersion2() {
        for golden in GoldenEvent.table {
            let bytes = ByteBuffer(hex: golden.v2)
            #expect(Language.v2.encode(golden.event)?.hex == bytes.hex)
            #expect(Language.v2.event(bytes) == .success(golden.event), "\(golden.v2)")
        }
    }

    @Test func version2IsBinaryWhicheverEncodingIsNamed() {
        let codec = MessageCodec(version: .v2)
        for golden in GoldenEvent.table {
            var buffer = ByteBuffer()
            #expect(codec.encode(golden.event, as: .json, into: &buffer))
            #expect(buffer == ByteBuffer(hex: golden.v2))
        }
        for golden in GoldenRequest.table {
            var buffer = ByteBuffer()
            #expect(codec.encode(golden.request, as: .json, into: &buffer))
            #expect(buffer == ByteBuffer(hex: golden.binary))
        }
    }

    @Test func hotPathsWriteTheSameAsTheEvent() {
        let payload = ByteBuffer(bytes: (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        for version in WireVersion.allCases {
            let codec = MessageCodec(version: version)
            var whole = ByteBuffer()
            codec.encode(.data(77, payload), as: .binary, into: &whole)
            var header = ByteBuffer()
            codec.writeDataHeader(77, into: &header)
            #expect(header.readableBytes == MessageCodec.binaryDataHeaderLength)
            header.writeImmutableBuffer(payload)
            #expect(header == whole)
        }
        var whole = ByteBuffer(string: "before")
        Language.json.codec.encode(.data(77, payload), as: .json, into: &whole)
        var direct = ByteBuffer(string: "before")
        #expect(Language.json.codec.writeJSONData(77, payload, into: &direct))
        #expect(direct == whole)
    }

    @Test func everyCodeHasItsNumberAndWordInEvents() {
        for code in ReasonCode.allCases {
            #expect(ReasonCode(word: code.word) == code)
            let closed = Event.closed(1, code, message: "m")
            #expect(Language.v2.encode(closed)?.readableBytesView.dropFirst(9).first == code.rawValue)
            #expect(Language.json.encode(closed)?.text == #"{"ev":"closed","id":1,"code":"\#(code.word)"}"#)
            let refused = Event.refused(1, Refusal(code, "m"))
            let type: UInt8 = code == .policyDenied || code == .denylisted ? 0x87 : 0x86
            for language in [Language.binary, .v2] {
                #expect(language.encode(refused)?.readableBytesView.first == type)
            }
            for language in Language.allCases {
                let message = language.encode(refused)
                #expect(message.map { language.event($0) } == .success(GoldenEvent.heard(refused, in: language)))
            }
        }
        #expect(ReasonCode(word: "nonsense") == nil)
    }

    @Test func whatTheLanguageCannotHoldIsNotWritten() {
        let host = String(repeating: "a", count: 65_536)
        for language in Language.allCases {
            #expect(language.encode(Request.sendTo(1, host: host, port: 1, ByteBuffer())) == nil)
            #expect(language.encode(Event.dataFrom(1, ByteBuffer(), host: host, port: 1)) == nil)
        }
    }

    @Test func payloadsOfBinaryMessagesAreSlices() throws {
        let message = ByteBuffer(hex: "04 0000000000000003 'hello'")
        guard case .send(_, let payload) = try Language.v2.request(message).get() else {
            Issue.record("not a send")
            return
        }
        let outer = message.withUnsafeReadableBytes { $0.baseAddress.map { UInt(bitPattern: $0) } }
        let inner = payload.withUnsafeReadableBytes { $0.baseAddress.map { UInt(bitPattern: $0) } }
        #expect(inner == outer.map { $0 + 9 })
    }

    @Test func aMessageInTheMiddleOfABufferIsReadTheSame() {
        for golden in GoldenRequest.table {
            var buffer = ByteBuffer(string: "xyz")
            buffer.writeImmutableBuffer(ByteBuffer(hex: golden.binary))
            buffer.moveReaderIndex(forwardBy: 3)
            #expect(Language.v2.request(buffer) == .success(golden.request))
            guard let json = golden.json else { continue }
            buffer = ByteBuffer(string: "{\"id\":4," + json)
            buffer.moveReaderIndex(forwardBy: 8)
            #expect(Language.json.request(buffer) == .success(golden.request))
        }
    }
}
