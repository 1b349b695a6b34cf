/// A reader that stops while the other side sends at full speed: the node's growth meanwhile.
struct StalledReader {
    enum Stall: CaseIterable {
        /// v1: the client no longer reads its WebSocket.
        case webSocket
        /// v2: the client grants one socket no more credit.
        case credit
        /// The target no longer reads.
        case target

        var name: String {
            switch self {
            case .webSocket: "WebSocket not read (v1)"
            case .credit: "no credit granted (v2)"
            case .target: "target not reading (v2)"
            }
        }
    }

    var seconds = 30.0

    func run(in field: Field) throws -> [FigureRow] {
        try Stall.allCases.flatMap { try self.run($0, in: field) }
    }

    private func run(_ stall: Stall, in field: Field) throws -> [FigureRow] {
        Console.note("stalled reader: \(stall.name), \(Int(self.seconds)) s")
        field.restart(.node)
        defer { field.restart(.node) }
        let dialect = stall == .webSocket ? NodeSession.Dialect.v1Binary : .v2
        let open = try field.open(.node, lanes: 2, carriers: 1, dialect: dialect)
        defer { open.close() }
        let (stalled, other) = (open.lanes[0], open.lanes[1])
        var received = 0
        other.onBytes = { received += $0.count }
        var pump: Pump?
        defer { pump?.stop() }

        // The throughput of the other socket alone, and the node's memory then.
        if stall != .webSocket { other.send([UInt8(ascii: "F")]) }
        let alone = try field.measure(.node, seconds: 2) { Double(received) / 1e6 }
        let before = try field.proxy(.node)?.residentBytes ?? 0

        switch stall {
        case .webSocket:
            stalled.connection.isReading = false
            stalled.send([UInt8(ascii: "F")])
        case .credit:
            stalled.isConsuming = false
            stalled.send([UInt8(ascii: "F")])
        case .target:
            stalled.send([UInt8(ascii: "D")])
            pump = Pump([stalled], messageSize: 16 << 10)
            pump?.run()
        }
        var most = before
        var beside: [Double] = []
        for _ in 0..<max(1, Int(self.seconds)) {
            let sample = try field.measure(.node, seconds: 0.8) { Double(received) / 1e6 }
            beside.append(sample.units / sample.seconds)
            most = max(most, try field.proxy(.node)?.residentBytes ?? 0)
        }
        var rows = [
            FigureRow(
                work: "stalled reader: \(stall.name)", measure: "KiB grown",
                figures: [.node: Double(most - before) / 1024], goal: 1024)
        ]
        if stall != .webSocket {
            rows.append(
                FigureRow(
                    work: "another socket beside it", measure: "% of its speed alone",
                    figures: [.node: 100 * (median(beside) ?? 0) / (alone.units / alone.seconds)]))
        }
        return rows
    }
}
