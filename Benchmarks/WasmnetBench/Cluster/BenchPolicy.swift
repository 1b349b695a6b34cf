/// The policies that nodes are measured under.
enum BenchPolicy: String, CaseIterable {
    /// Sessions and sockets are limited, nothing else.
    case slots
    /// Connects a second are limited too, to more than the machine makes.
    case rates
    /// Everything is limited and counted, at limits that the machine does not reach.
    case counted
    /// Everything is limited, bandwidth to 1 Gbit/s.
    case gigabit
    /// Everything is limited, connects and sockets to few.
    case tight

    /// The policies for comparing a node with itself.
    static let allCases = [BenchPolicy.slots, .counted, .gigabit]

    var text: String {
        let base = "[network]\nallow = [\"127.0.0.0/8\"]\n"
        return switch self {
        case .slots: base + "max_connections = 50\n[limits]\nmax_sessions = 8\n"
        case .rates: BenchPolicy.slots.text + "connects_per_sec = 1000000\n"
        case .counted: base + Self.limits(sockets: 50, megabits: 100_000, connects: 1_000_000)
        case .gigabit: base + Self.limits(sockets: 50, megabits: 1000, connects: 1_000_000)
        // Without a limit on refusals: above it the session is not read, and the sockets' ends wait behind the flood.
        case .tight: base + Self.limits(sockets: 10, megabits: 100, connects: 20) + "refusals_per_sec = 0\n"
        }
    }

    private static func limits(sockets: Int, megabits: Int, connects: Int) -> String {
        """
        max_connections = \(sockets)
        max_bandwidth_mbps = \(megabits)
        [limits]
        max_sessions = 8
        connects_per_sec = \(connects)
        resolves_per_sec = \(connects)
        bytes_per_day = "1000TB"

        """
    }
}
