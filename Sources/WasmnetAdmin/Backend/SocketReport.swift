import WasmnetNet

package enum SocketState: String, Sendable, Codable, CaseIterable {
    /// Its name is being resolved or its target dialed.
    case opening
    case open
    /// One direction has ended.
    case halfClosed = "half_closed"
    case listening
}

/// A live socket of a session, for the operator.
package struct SocketReport: Sendable, Hashable, Codable {
    package var session: String
    /// Unique within its session only.
    package var id: String
    package var client: String
    /// `tcp`, `tls`, `udp`, `listener`, …
    package var kind: String
    package var state: SocketState
    /// As the client named it, `host:port`; nil if it has none, as a UDP socket that is not connected.
    package var destination: String?
    /// The address dialed, `address:port`.
    package var address: String?
    package var ageSeconds: Double
    package var bytesUp: UInt64
    package var bytesDown: UInt64

    package init(
        session: String, id: String, client: String, kind: String, state: SocketState, destination: String?,
        address: String?, ageSeconds: Double, bytesUp: UInt64, bytesDown: UInt64
    ) {
        self.session = session
        self.id = id
        self.client = client
        self.kind = kind
        self.state = state
        self.destination = destination
        self.address = address
        self.ageSeconds = ageSeconds
        self.bytesUp = bytesUp
        self.bytesDown = bytesDown
    }

    /// Whether that is its destination: `host:port` or a host alone, as named or as dialed, case-insensitively.
    package func leads(to wanted: String) -> Bool {
        let wanted = ByteText(wanted).lowercased
        return [self.destination, self.address].contains { place in
            guard let place = place.map({ ByteText($0).lowercased }) else { return false }
            // Without its port.
            let host = place.cutLast(at: ":")?.before ?? place
            return place == wanted || host == wanted || host == ByteText("[\(wanted.text)]")
        }
    }
}

/// A filter for sockets. A nil member matches all.
package struct SocketQuestion: Sendable, Hashable {
    package var window: PageWindow
    package var client: String?
    package var state: SocketState?
    package var destination: String?
    package var session: String?

    package init(
        window: PageWindow = PageWindow(), client: String? = nil, state: SocketState? = nil, destination: String? = nil,
        session: String? = nil
    ) {
        self.window = window
        self.client = client
        self.state = state
        self.destination = destination
        self.session = session
    }

    package func includes(_ socket: SocketReport) -> Bool {
        (self.client == nil || self.client == socket.client) && (self.state == nil || self.state == socket.state)
            && (self.session == nil || self.session == socket.session)
            && (self.destination.map { socket.leads(to: $0) } ?? true)
    }
}
