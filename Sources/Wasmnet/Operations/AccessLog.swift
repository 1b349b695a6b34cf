import Logging
import WasmnetProtocol
import WasmnetQuota
import WasmnetRelay

/// One line of the log for each socket at its end, with its reason, bytes and times; and for each open that was refused.
///
/// A sample keeps a fraction of the lines: a session is included whole or not at all, by its random name, so that its lines stay together.
/// Refusals by policy or denylist are in every sample. Lines are limited per client (``LinePace``).
struct AccessLog: Sendable {
    private let logger: Logger
    /// Sessions whose name's hash is below it are logged; 0: none, 2^32: all.
    private let threshold: UInt64
    private let clock: @Sendable () -> QuotaInstant
    private let refusals = LinePace(perSecond: 5, burst: 20)
    private let ends = LinePace(perSecond: 100, burst: 500)

    /// - Parameter sample: the fraction of sessions to log, 0 to 1.
    init(logger: Logger, sample: Double, clock: @escaping @Sendable () -> QuotaInstant) {
        self.logger = logger
        self.clock = clock
        self.threshold = UInt64(max(0, min(1, sample)) * 4_294_967_296)
    }

    func sessionOpened(_ session: SessionOrigin) {
        guard self.includes(session) else { return }
        self.logger.debug(
            "session opened",
            metadata: [
                "session": "\(session.id)", "client": "\(session.client.commandText)",
                "from": "\(session.address.map { "\($0)" } ?? "local")", "version": "\(session.version)",
            ])
    }

    func sessionEnded(_ session: SessionOrigin, _ reason: ReasonCode, nanoseconds: Int64) {
        guard self.includes(session) else { return }
        self.logger.debug(
            "session ended",
            metadata: [
                "session": "\(session.id)", "client": "\(session.client.commandText)", "reason": "\(reason.word)",
                "ms": "\(Self.milliseconds(nanoseconds))",
            ])
    }

    func socketEnded(_ socket: SocketRecord, of session: SessionOrigin, _ reason: ReasonCode, at now: Int64) {
        guard reason.isDenial || self.includes(session), self.logger.logLevel <= .info,
            let suppressed = self.ends.admit(session.client, at: self.clock())
        else { return }
        var metadata = self.metadata(socket, session, reason, now)
        if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
        self.logger.info("socket ended", metadata: metadata)
    }

    func openRefused(_ socket: SocketRecord, of session: SessionOrigin, _ refusal: Refusal, at now: Int64) {
        guard refusal.code.isDenial || self.includes(session), self.logger.logLevel <= .info,
            let suppressed = self.refusals.admit(session.client, at: self.clock())
        else { return }
        var metadata = self.metadata(socket, session, refusal.code, now)
        metadata["message"] = "\(refusal.detail ?? refusal.message)"
        if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
        self.logger.info("open refused", metadata: metadata)
    }

    func shadowDiffers(_ verdict: ShadowVerdict, _ words: String, of session: SessionOrigin) {
        guard self.logger.logLevel <= .info, let suppressed = self.refusals.admit(session.client, at: self.clock())
        else { return }
        var metadata: Logger.Metadata = [
            "session": "\(session.id)", "client": "\(session.client.commandText)", "verdict": "\(verdict.rawValue)",
            "message": "\(words)",
        ]
        if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
        self.logger.info("the shadow policy decides otherwise", metadata: metadata)
    }

    /// Logs a line for each client whose last lines were left out. Called about once a second.
    func reportLeftOut() {
        let now = self.clock()
        for (pace, message) in [
            (self.refusals, "refusals were left out of the log"),
            (self.ends, "ends of sockets were left out of the log"),
        ] as [(LinePace, Logger.Message)] {
            for (client, suppressed) in pace.leftOut(at: now) {
                self.logger.info(
                    message, metadata: ["client": "\(client.commandText)", "suppressed": "\(suppressed)"])
            }
        }
    }

    private func metadata(
        _ socket: SocketRecord, _ session: SessionOrigin, _ reason: ReasonCode, _ now: Int64
    ) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "session": "\(session.id)", "client": "\(session.client.commandText)", "socket": "\(socket.socket)",
            "kind": "\(socket.kind.rawValue)", "reason": "\(reason.word)", "up": "\(socket.bytesUp)",
            "down": "\(socket.bytesDown)", "ms": "\(Self.milliseconds(now - socket.opened))",
        ]
        if let destination = socket.destination { metadata["destination"] = "\(destination)" }
        if let address = socket.address { metadata["address"] = "\(address)" }
        func add(_ name: String, _ time: Int64?) {
            if let time { metadata[name] = "\(Self.milliseconds(time))" }
        }
        add("resolve_ms", socket.times.resolve)
        add("dial_ms", socket.times.dial)
        add("tls_ms", socket.times.tls)
        add("first_byte_ms", socket.times.firstByte)
        return metadata
    }

    /// Names are random digits, so their hash by FNV-1a (Fowler, Noll, Vo) is spread evenly.
    private func includes(_ session: SessionOrigin) -> Bool {
        guard self.threshold < 1 << 32 else { return true }
        let hash = session.id.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        return UInt64(hash) < self.threshold
    }

    /// With three decimal places.
    private static func milliseconds(_ nanoseconds: Int64) -> String {
        let micros = max(0, nanoseconds / 1000)
        let rest = String(micros % 1000)
        return "\(micros / 1000).\(String(repeating: "0", count: 3 - rest.count))\(rest)"
    }
}
