/// The requests of the wire language: the raw value is the first byte of the binary form, ``name`` the `op` of the
/// JSON form.
enum RequestType: UInt8, CaseIterable {
    case connect = 0x01
    case bind = 0x02
    case listen = 0x03
    case send = 0x04
    case close = 0x05
    case connectUDP = 0x06
    case sendTo = 0x07
    case resolve = 0x08
    case connectTLS = 0x09
    case window = 0x0A
    case shutdown = 0x0B
    case reset = 0x0C
    case bindUDP = 0x0D

    /// The word in JSON; nil for types of v2 only, which has no JSON.
    var name: StaticString? {
        switch self {
        case .connect: "connect"
        case .bind: "bind"
        case .listen: "listen"
        case .send: "send"
        case .close: "close"
        case .connectUDP: "connect_udp"
        case .sendTo: "send_to"
        case .resolve: "resolve"
        case .connectTLS: "connect_tls"
        case .bindUDP: "bind_udp"
        case .window, .shutdown, .reset: nil
        }
    }

    var isVersion2Only: Bool { name == nil }
}

/// The events of the wire language: the raw value is the first byte of the binary form, ``name`` the `ev` of the JSON
/// form.
enum EventType: UInt8, CaseIterable {
    case connected = 0x81
    case data = 0x82
    case listening = 0x83
    case accepted = 0x84
    case closed = 0x85
    case error = 0x86
    case denied = 0x87
    case dataFrom = 0x88
    case resolved = 0x89
    case udpBound = 0x8A
    case window = 0x8B
    case end = 0x8C
    case goaway = 0x8D
    case hello = 0x90

    /// The word in JSON; nil for types of v2 only, which has no JSON.
    var name: StaticString? {
        switch self {
        case .connected: "connected"
        case .data: "data"
        case .listening: "listening"
        case .accepted: "accepted"
        case .closed: "closed"
        case .error: "error"
        case .denied: "denied"
        case .dataFrom: "data_from"
        case .resolved: "resolved"
        case .udpBound: "udp_bound"
        case .window, .end, .goaway, .hello: nil
        }
    }

    var isVersion2Only: Bool { name == nil }
}
