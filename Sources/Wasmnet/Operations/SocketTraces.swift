import NIOHTTP1
import Tracing
import WasmnetProtocol
import WasmnetRelay

/// A span for each session and, below it, one for each socket, if the embedder has bootstrapped a tracer. The session's span continues
/// the trace that the upgrade request names (W3C `traceparent`, or what the tracer reads).
struct SocketTraces: Sendable {
    /// Nil: no tracing.
    private let tracer: (any Tracer)?

    init(_ tracer: (any Tracer)?) {
        self.tracer = tracer is NoOpTracer ? nil : tracer
    }

    private struct SessionTrace: Sendable {
        let span: any Span
    }

    private struct HeaderExtractor: Extractor {
        func extract(key: String, from carrier: HTTPHeaders) -> String? { carrier.first(name: key) }
    }

    func context(of request: HTTPRequestHead) -> (any Sendable)? {
        guard let tracer = self.tracer else { return nil }
        var context = InstrumentationContext.topLevel
        tracer.extract(request.headers, into: &context, using: HeaderExtractor())
        return SessionTrace(span: tracer.startSpan("wasmnet.session", context: context, ofKind: .server))
    }

    func sessionEnded(_ session: SessionOrigin, _ reason: ReasonCode, nanoseconds: Int64) {
        guard let trace = session.trace as? SessionTrace else { return }
        trace.span.attributes["wasmnet.session"] = session.id
        trace.span.attributes["wasmnet.reason"] = reason.word
        trace.span.end()
    }

    /// The span is created at the socket's end, backdated to its start: nothing of it is kept while it lives.
    func socketEnded(_ socket: SocketRecord, of session: SessionOrigin, _ reason: ReasonCode, at now: Int64) {
        guard let tracer = self.tracer, let trace = session.trace as? SessionTrace else { return }
        let end = DefaultTracerClock.now
        let age = UInt64(max(0, now - socket.opened))
        let start = DefaultTracerClock.Timestamp(nanosecondsSinceEpoch: end.nanosecondsSinceEpoch - age)
        let span: any Span = tracer.startSpan(
            "wasmnet.socket", context: trace.span.context, ofKind: .client, at: start)
        span.attributes["wasmnet.session"] = session.id
        span.attributes["wasmnet.kind"] = socket.kind.rawValue
        span.attributes["wasmnet.reason"] = reason.word
        span.attributes["wasmnet.bytes_up"] = Int64(clamping: socket.bytesUp)
        span.attributes["wasmnet.bytes_down"] = Int64(clamping: socket.bytesDown)
        if !socket.host.isEmpty {
            span.attributes["server.address"] = socket.host
            span.attributes["server.port"] = Int64(socket.port)
        }
        if reason != .normal, reason != .clientClosed { span.setStatus(SpanStatus(code: .error)) }
        span.end(at: end)
    }
}
