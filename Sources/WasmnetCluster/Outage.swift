import WasmnetPolicy
import WasmnetQuota

/// The rules for one client on this node during an outage: fixed when it begins.
struct Outage: Sendable {
    let modes: OutageModes
    /// Total slots that may be open in the mode `static`.
    let sessions: Int
    let sockets: Int
    /// A client refused because of the outage may retry after this.
    static let retry = QuotaDuration.seconds(1)

    /// Total slots that may be open, whatever leases there are.
    func slotsInAll(_ kind: SlotKind) -> Int {
        switch self.mode(kind) {
        case .static: kind == .session ? self.sessions : self.sockets
        case .open: .max
        case .closed, .fence: 0
        }
    }

    func mode(_ kind: SlotKind) -> OutageMode { kind == .session ? self.modes.sessions : self.modes.sockets }

    func mode(_ kind: RequestKind) -> OutageMode {
        switch kind {
        case .connect: self.modes.connects
        case .resolve: self.modes.resolves
        }
    }
}

extension OutageMode {
    /// Whether nothing is admitted beyond the leases.
    var admitsNothing: Bool { self == .closed || self == .fence }
}
