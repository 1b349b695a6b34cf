import DequeModule

/// How many bytes may be in flight to the peer of a WebSocket, in all the queues between here and its program's end of the
/// socket, so that an urgent message finds them short.
///
/// The kernels' buffers of both ends hold megabytes, and a peer that reads slower than the node sends lets them fill; a
/// keystroke's echo would wait behind them. So the node puts markers (pings) between its data: their answers show how
/// much has arrived, how fast, and how long the round trip is. The window is twice what rate and round trip need, the
/// model of BBR (draft-ietf-ccwg-bbr, sections 2.3 and 4.1), but never less than a few milliseconds of the rate. A round
/// trip is valid for ``roundTripLifetime``; then, under load, data is held until all of it has arrived, and the next marker
/// measures anew.
///
/// A peer that never answers a marker is no longer limited once ``stopProbing()`` is called.
struct DeliveryWindow {
    private struct Marker {
        var number: UInt64
        /// All bytes sent before it.
        var sent: UInt64
        var time: Int64
        /// What had arrived, and when, at the time it was sent.
        var arrived: UInt64
        /// The queues were empty before it, up to ``shortWay`` bytes.
        var isClean: Bool
        /// The window was full: the rate is limited by the connection, not by what there was to send.
        var wasFull: Bool
    }

    /// The window's bounds while round trips are short: at most this many bytes, and at least ``smallest``.
    static let largestFloor = 384 << 10
    static let smallest = 64 << 10
    /// The longest acceptable time for queues to empty, in nanoseconds.
    private static let queueTime = 10_000_000.0
    /// How long a round trip is valid, in nanoseconds.
    static let roundTripLifetime: Int64 = 10_000_000_000
    /// A marker this few bytes after a time without data measures the connection without a queue.
    private static let shortWay: UInt64 = 16 << 10
    /// A peer that stops answering must not cost memory.
    private static let maxMarkers = 64

    /// Bytes that may be in flight.
    private(set) var limit = DeliveryWindow.largestFloor
    private var sent: UInt64 = 0
    private var arrived: UInt64 = 0
    private var markers = Deque<Marker>()
    private var lastNumber: UInt64 = 0
    private var nextMark: UInt64 = DeliveryWindow.shortWay
    private(set) var isAnswered = false
    private var isGivenUp = false
    /// Bytes a nanosecond.
    private var rate = 0.0
    /// Nanoseconds; nil if none was measured.
    private(set) var roundTrip: Int64?
    private var roundTripTime: Int64 = 0
    private var isEmptying = false
    /// The connection was emptied for a measurement: next a marker must be sent alone, since behind a large message it would measure that.
    private var mustProbe = false

    /// Bytes sent and not known to have arrived.
    var onTheirWay: Int { Int(clamping: self.sent - self.arrived) }

    /// Whether more may be sent now.
    var hasRoom: Bool {
        self.isGivenUp || (!self.isEmptying && self.onTheirWay < self.limit)
    }

    /// The peer's time to answer the first marker is up.
    mutating func stopProbing() {
        if !self.isAnswered { self.isGivenUp = true }
    }

    /// A marker is due by itself: nothing more may be sent and no awaited answer could change that, or the round trip must be measured.
    var needsMarker: Bool { (self.mustProbe || !self.hasRoom) && self.markers.isEmpty }

    /// Counts sent bytes.
    /// - Returns: Whether a marker is due behind them: enough was sent since the last, or they filled the window and no answer is awaited
    ///   that could make room.
    mutating func send(_ bytes: Int) -> Bool {
        self.sent += UInt64(max(0, bytes))
        return self.sent >= self.nextMark || self.needsMarker
    }

    /// A marker is about to be sent, whether one was due or not.
    /// - Returns: Its number.
    mutating func mark(now: Int64) -> UInt64 {
        self.lastNumber += 1
        self.mustProbe = false
        self.nextMark = self.sent + UInt64(self.limit / 3)
        if self.markers.count < Self.maxMarkers {
            self.markers.append(
                Marker(
                    number: self.lastNumber, sent: self.sent, time: now, arrived: self.arrived,
                    isClean: self.sent - self.arrived <= Self.shortWay + UInt64(Self.smallest),
                    wasFull: self.onTheirWay >= self.limit / 2))
        }
        if self.roundTrip != nil, now - self.roundTripTime > Self.roundTripLifetime, self.onTheirWay > 0 {
            self.isEmptying = true
        }
        return self.lastNumber
    }

    /// The peer answered a marker; an unknown one is ignored, and those before it count as answered (RFC 6455, section 5.5.3).
    mutating func answered(_ number: UInt64, now: Int64) {
        guard let index = self.markers.firstIndex(where: { $0.number == number }) else { return }
        let marker = self.markers[index]
        self.markers.removeFirst(index + 1)
        self.isAnswered = true
        self.isGivenUp = false
        self.arrived = max(self.arrived, marker.sent)
        let elapsed = max(1, now - marker.time)
        if elapsed <= self.roundTrip ?? .max || (marker.isClean && now - self.roundTripTime > Self.roundTripLifetime) {
            self.roundTrip = elapsed
            self.roundTripTime = now
        }
        let measured = Double(marker.sent - marker.arrived) / Double(elapsed)
        if measured > self.rate {
            self.rate = measured
        } else if marker.wasFull {
            self.rate += (measured - self.rate) / 8
        }
        self.updateLimit()
        if self.markers.isEmpty {
            self.mustProbe = self.isEmptying && now - self.roundTripTime > Self.roundTripLifetime
            // The connection is empty, or nearly so: the next data measures it soon.
            self.isEmptying = false
            if self.onTheirWay <= Int(Self.shortWay) { self.nextMark = self.sent + Self.shortWay }
        }
    }

    private mutating func updateLimit() {
        let floor = min(Double(Self.largestFloor), max(Double(Self.smallest), self.rate * Self.queueTime))
        let way = 2 * self.rate * Double(self.roundTrip ?? 0)
        self.limit = Int(min(Double(1 << 30), max(floor, way)))
    }
}
