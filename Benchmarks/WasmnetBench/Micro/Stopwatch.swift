/// Nanoseconds a call of `body` takes: the median over rounds of `calls` calls each, after one round that warms up.
func nanosecondsPerCall(calls: Int, rounds: Int = 9, _ body: (Int) -> Void) -> Double {
    var times: [Double] = []
    for round in 0...rounds {
        let start = Clock.now
        for call in 0..<calls { body(call) }
        if round > 0 { times.append(Double(Clock.now - start) / Double(calls)) }
    }
    return median(times) ?? 0
}

/// Keeps the optimizer from dropping results computed only for the stopwatch.
@inline(never)
func use<T>(_ value: T) {
    withExtendedLifetime(value) {}
}
