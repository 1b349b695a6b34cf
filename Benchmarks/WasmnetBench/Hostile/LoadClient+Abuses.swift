import NIOCore
import WasmnetProtocol

extension LoadClient {
    /// A client that sends the same number of messages as the abuse, 64 bytes each, to a target that reads them. If the abuse consists of
    /// connections, it makes as many, each a WebSocket that is opened and closed.
    static func polite(_ place: ClientPlace, insteadOf abuse: Abuse) throws -> LoadClient {
        if abuse == .unfinishedUpgrades { return UpgradeClient(place, finishing: true) }
        let body = ByteBuffer(repeating: 0x33, count: 64)
        return try MessageClient(
            place, .v1Binary,
            opening: [
                .connect(1, host: "127.0.0.1", port: place.targetPort), .send(1, ByteBuffer(string: "S")),
            ]
        ) { link, _ in link.send(.send(1, body), .v1Binary) }
    }

    static func hostile(_ place: ClientPlace, _ abuse: Abuse) throws -> LoadClient {
        switch abuse {
        case .refusedOpens: try self.refusedOpens(place)
        case .lookups: try self.lookups(place)
        case .emptyDatagrams: try self.emptyDatagrams(place)
        case .tinyFrames: try self.tinyFrames(place)
        case .unfinishedUpgrades: UpgradeClient(place, finishing: false)
        case .slowReaders: try self.slowReaders(place)
        case .opensAndCloses: try self.opensAndCloses(place)
        case .pings: try self.pings(place)
        }
    }

    /// Every second client uses JSON, which costs the node more.
    private static func dialect(_ place: ClientPlace) -> NodeSession.Dialect {
        place.index.isMultiple(of: 2) ? .v2 : .v1JSON
    }

    private static func refusedOpens(_ place: ClientPlace) throws -> LoadClient {
        let dialect = self.dialect(place)
        let open = Request.connect(1, host: "127.0.0.1", port: place.targetPort)
        return try MessageClient(place, dialect, opening: [open]) { link, number in
            let id = SocketID(number + 2)
            switch number % 8 {
            case 0: link.send(.connect(id, host: "10.0.0.1", port: 80), dialect)
            case 1: link.send(.connect(id, host: "no such host!", port: 80), dialect)
            case 2: link.send(.connectUDP(id, host: "10.0.0.1", port: 53), dialect)
            case 3: link.send(.bind(id, host: "0.0.0.0", port: 80), dialect)
            case 4: link.send(.send(id, ByteBuffer(string: "x")), dialect)
            case 5: link.send(open, dialect)
            case 6: link.send(.connectTLS(id, host: "inside.denied.test", port: 443), dialect)
            // Not a message, but valid text (RFC 6455, section 8.1), which does not end the session.
            default:
                link.send(head: [0x78], body: UnsafeRawBufferPointer(start: nil, count: 0), isText: dialect == .v1JSON)
            }
        }
    }

    private static func lookups(_ place: ClientPlace) throws -> LoadClient {
        let dialect = self.dialect(place)
        let datagram = ByteBuffer(repeating: 0x33, count: 60_000)
        return try MessageClient(
            place, dialect, opening: [.connectUDP(1, host: "127.0.0.1", port: place.datagramPort)]
        ) { link, number in
            let id = SocketID(number + 2)
            let silent = "n\(number).client\(place.index).\(NameServer.silentDomain)"
            let absent = "n\(number).client\(place.index).absent.test"
            switch number % 16 {
            case 0, 4, 8: link.send(.resolve(id, name: absent), dialect)
            case 1, 5, 9: link.send(.resolve(id, name: silent), dialect)
            case 2, 6, 10: link.send(.connect(id, host: absent, port: 80), dialect)
            case 3, 7, 11: link.send(.connect(id, host: silent, port: 80), dialect)
            case 12: link.send(.connectUDP(id, host: silent, port: 53), dialect)
            case 13: link.send(.sendTo(1, host: absent, port: 53, ByteBuffer(string: "x")), dialect)
            case 14: link.send(.sendTo(1, host: silent, port: 53, ByteBuffer(string: "x")), dialect)
            default: link.send(.sendTo(1, host: silent, port: 53, datagram), dialect)
            }
        }
    }

    private static func emptyDatagrams(_ place: ClientPlace) throws -> LoadClient {
        let dialect = self.dialect(place)
        return try MessageClient(
            place, dialect,
            opening: [
                .connectUDP(1, host: "127.0.0.1", port: place.datagramPort),
                .connect(2, host: "127.0.0.1", port: place.targetPort),
            ]
        ) { link, number in
            switch number % 4 {
            case 0, 2: link.send(.send(1, ByteBuffer()), dialect)
            case 1: link.send(.sendTo(1, host: "127.0.0.1", port: place.datagramPort, ByteBuffer()), dialect)
            default: link.send(.send(2, ByteBuffer()), dialect)
            }
        }
    }

    /// Messages of one byte to a target, datagrams of one byte, or messages of 16 bytes in fragments of one, of which each counts as a
    /// message.
    private static func tinyFrames(_ place: ClientPlace) throws -> LoadClient {
        let opening: [Request] = [
            .connect(1, host: "127.0.0.1", port: place.targetPort), .send(1, ByteBuffer(string: "S")),
            .connectUDP(2, host: "127.0.0.1", port: place.datagramPort),
        ]
        let byte = ByteBuffer(string: "x")
        if place.index % 3 < 2 {
            let id = SocketID(place.index % 3 + 1)
            return try MessageClient(place, .v1Binary, opening: opening) { link, _ in
                link.send(.send(id, byte), .v1Binary)
            }
        }
        var message = ByteBuffer()
        MessageCodec(version: .v1).encode(.send(1, ByteBuffer(repeating: 0x33, count: 7)), as: .binary, into: &message)
        let bytes = [UInt8](message.readableBytesView)
        return try MessageClient(place, .v1Binary, opening: opening) { link, number in
            let position = number % bytes.count
            let start =
                switch position {
                case 0: WebSocketLink.FrameStart.firstFragment
                case bytes.count - 1: WebSocketLink.FrameStart.lastFragment
                default: WebSocketLink.FrameStart.fragment
                }
            link.send(start, head: [bytes[position]])
        }
    }

    private static func slowReaders(_ place: ClientPlace) throws -> LoadClient {
        let dialect = place.index.isMultiple(of: 2) ? NodeSession.Dialect.v2 : .v1Binary
        let sockets = SocketID(8)
        let opening = (1...sockets).flatMap { id in
            [Request.connect(id, host: "127.0.0.1", port: place.targetPort), .send(id, ByteBuffer(string: "F"))]
        }
        return try MessageClient(place, dialect, opening: opening, bytesPerTick: 1) { link, number in
            let id = SocketID(number) % sockets + 1
            // v2 grants credit without end; v1, which has no credit, needs a message.
            link.send(dialect == .v2 ? .window(id, bytes: 1 << 20) : .send(id, ByteBuffer(string: "x")), dialect)
        }
    }

    private static func opensAndCloses(_ place: ClientPlace) throws -> LoadClient {
        let dialect = self.dialect(place)
        return try MessageClient(place, dialect, opening: []) { link, number in
            let id = SocketID(number / 2 + 1)
            let open = Request.connect(id, host: "127.0.0.1", port: place.targetPort)
            link.send(number.isMultiple(of: 2) ? open : .close(id), dialect)
        }
    }

    private static func pings(_ place: ClientPlace) throws -> LoadClient {
        // The maximum for a control frame (RFC 6455, section 5.5).
        let payload = [UInt8](repeating: 0x33, count: 125)
        return try MessageClient(place, .v2, opening: []) { link, _ in
            link.send(WebSocketLink.FrameStart.ping, head: payload)
        }
    }
}
