import Testing
import WasmnetQuota

struct QuotaInstantTests {
    @Test func clampsAtBothEnds() {
        let last: Int64 = 1 << 52
        #expect(QuotaInstant(microseconds: .max).microseconds == last)
        #expect(QuotaInstant(microseconds: .min) == .epoch)
        #expect(QuotaInstant.distantFuture + .seconds(.max) == .distantFuture)
        #expect(QuotaInstant.epoch - .seconds(.max) == .epoch)
        #expect(QuotaInstant.epoch + .seconds(.min) == .epoch)
        #expect((QuotaInstant.epoch - .distantFuture).microseconds == -last)
        #expect(QuotaDuration.milliseconds(.min).microseconds == -last)
    }

    @Test(arguments: [
        (Int64.min, UInt32(0)), (0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2), (86_400_000_000, 86_400_000),
        (.max, .max),
    ])
    func roundsMillisecondsUp(microseconds: Int64, milliseconds: UInt32) {
        #expect(QuotaDuration(microseconds: microseconds).millisecondsRoundedUp == milliseconds)
    }

    @Test func everyRefusalHasItsWords() {
        let messages = QuotaKind.allCases.map { QuotaRefusal(kind: $0).message }
        #expect(Set(messages).count == QuotaKind.allCases.count)
        #expect(QuotaRefusal(kind: .connectRate, retryAfter: micro(1)).retryAfterMilliseconds == 1)
        #expect(QuotaRefusal(kind: .dayBytes, retryAfter: .zero).retryAfterMilliseconds == 1)
    }
}
