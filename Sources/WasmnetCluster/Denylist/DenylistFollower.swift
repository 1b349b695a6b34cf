import Logging
import NIOCore
import RedisClient
import WasmnetPolicy

/// What the feed knows, and what each event makes of it.
struct DenylistFollower {
    private let reader: DenylistReader
    private let inForce: DenylistInForce
    private let logger: Logger
    private var list: Denylist
    private var expiries: DenylistExpiries
    /// The digest that Redis has for a list that this program cannot read in whole.
    private var trusted: DenylistDigest?
    /// Since when Redis does not answer; nil where it did when it was last asked.
    private var failedSince: NIODeadline?
    private var hasWarned = false
    private let patience: TimeAmount
    private let isOutage: @Sendable () -> Bool

    var hasFailed: Bool { self.failedSince != nil }

    init(
        reader: DenylistReader, inForce: DenylistInForce, patience: TimeAmount,
        isOutage: @escaping @Sendable () -> Bool, logger: Logger
    ) {
        self.reader = reader
        self.inForce = inForce
        self.patience = patience
        self.isOutage = isOutage
        self.logger = logger
        self.list = inForce.list
        self.expiries = DenylistExpiries(self.list)
    }

    /// A published change: made where it follows the last one, else the reason to ask.
    mutating func take(_ payload: ByteBuffer) async {
        guard let message = DenylistMessage(payload), message.generation == self.list.generation else {
            await self.ask()
            return
        }
        // It was in the list already when that was read.
        guard message.to > self.list.version else { return }
        guard let records = message.records, message.from <= self.list.version else {
            await self.ask()
            return
        }
        let news = records.dropFirst(Int(clamping: self.list.version - message.from))
        let next = self.list.applying(news, version: message.to)
        guard next.digest == message.digest else {
            await self.ask()
            return
        }
        self.accept(
            next,
            fresh: news.compactMap { record in
                if case .put(let entry) = record { entry } else { nil }
            }, at: .now())
    }

    /// Compares with Redis and reads what is missing.
    mutating func ask() async {
        var sentLast = NIODeadline.now()
        do throws(RedisError) {
            let progress = try await self.reader.progress(from: self.list, trusts: self.trusted) { poll, sent in
                sentLast = sent
                self.inForce.set(DenylistClock(time: poll.time, sent: sent))
            }
            if self.hasWarned { self.logger.notice("the denylist is read again") }
            (self.failedSince, self.hasWarned) = (nil, false)
            switch progress {
            case .current(let list, let fresh, let digest):
                if list.digest != digest, self.trusted != digest {
                    self.logger.warning("some entries of the denylist cannot be read by this version; the others hold")
                }
                self.trusted = list.digest == digest ? nil : digest
                self.accept(list, fresh: fresh, at: sentLast)
            case .none: self.lose(at: sentLast)
            }
        } catch {
            let since = self.failedSince ?? .now()
            self.failedSince = since
            _ = self.inForce.report(.unreachable("\(error)"))
            // A Redis that is away is an outage of everything, which is told once for all.
            let isOwnFault = !error.mayPass || (.now() - since >= self.patience && !self.isOutage())
            guard isOwnFault, !self.hasWarned else { return }
            self.hasWarned = true
            self.logger.warning(
                "the denylist cannot be read; the last one stays in force",
                metadata: ["reason": "\(error)", "entries": "\(self.list.count)"])
        }
    }

    /// Takes out of Redis what is over, for all nodes.
    mutating func sweep(_ store: RedisDenylistStore) async {
        guard self.list.generation != 0, let next = self.nextSweep(), next <= self.inForce.now else { return }
        var last = self.list.version
        while let receipt = try? await store.sweep(), receipt.version - last >= DenylistBook.mostSwept {
            last = receipt.version
        }
        await self.ask()
    }

    /// When something is to be taken out.
    mutating func nextSweep() -> UnixTime? { self.hasFailed ? nil : self.expiries.next(in: self.list) }

    private mutating func lose(at time: NIODeadline) {
        guard self.list.isEmpty else {
            if self.inForce.report(.missing) {
                self.logger.error(
                    "Redis has no denylist any more; the last one stays in force until there is a new one",
                    metadata: ["entries": "\(self.list.count)"])
            }
            return
        }
        // Nothing was ever written, or nothing is lost.
        self.accept(.empty, fresh: [], at: time)
    }

    private mutating func accept(_ list: Denylist, fresh: [DenylistEntry]?, at time: NIODeadline) {
        self.list = list
        if let fresh {
            for entry in fresh { self.expiries.expect(entry, in: list) }
        } else {
            self.expiries = DenylistExpiries(list)
            self.logger.info(
                "read the denylist", metadata: ["entries": "\(list.count)", "version": "\(list.version)"])
        }
        self.inForce.install(list, fresh: fresh, confirmed: time)
    }
}
