/// How long a connection may take for its present phase. A value; the handler keeps the clock.
struct ConnectionWatch: Equatable {
    /// What a connection is expected to send.
    enum Phase: Equatable {
        /// Its first request's header.
        case firstRequest
        /// The rest of a request.
        case body
        /// Nothing: it waits for us.
        case answer
        /// Its next request.
        case nextRequest
    }

    private var answersDue = 0
    private var isReading = false
    private var isFirst = true

    var phase: Phase {
        if self.isReading { return .body }
        if self.answersDue > 0 { return .answer }
        return self.isFirst ? .firstRequest : .nextRequest
    }

    /// Whether no request is in progress.
    var isIdle: Bool { self.phase == .firstRequest || self.phase == .nextRequest }

    mutating func headCame() {
        self.isFirst = false
        self.isReading = true
        self.answersDue += 1
    }

    mutating func endCame() { self.isReading = false }
    mutating func answerWritten() { self.answersDue = max(0, self.answersDue - 1) }
}
