import Glibc

/// A TCP connection of the generator. Data that does not fit into the kernel waits here; a writer checks ``unsent`` first.
final class Connection: ReactorHandler {
    private static let readSize = 256 << 10
    /// One buffer for all, since everything runs on one thread and received data is passed up at once.
    nonisolated(unsafe) private static let scratch = UnsafeMutableRawBufferPointer.allocate(
        byteCount: readSize, alignment: 16)

    let descriptor: Int32
    private let reactor: Reactor
    private var output: [UInt8] = []
    private var outputStart = 0
    private var isConnected: Bool
    private(set) var isOpen = true

    /// Bytes arrived; the buffer is valid during the call only.
    var onBytes: (UnsafeRawBufferPointer) -> Void = { _ in }
    /// The connection is established.
    var onConnected: () -> Void = {}
    /// All written data is in the kernel, and there is room for more.
    var onDrained: () -> Void = {}
    /// The peer ended or reset it. Not called after ``close()``.
    var onEnd: () -> Void = {}

    /// False: bytes stay in the kernel.
    var isReading = true { didSet { self.updateInterest() } }
    /// The number of bytes to read before it pauses; nil is no limit.
    var readAllowance: Int? { didSet { self.updateInterest() } }
    /// True: ``onDrained`` is called whenever the kernel accepts bytes, and not only after data waited.
    var wantsToWrite = false { didSet { self.updateInterest() } }

    init(descriptor: Int32, isConnected: Bool, on reactor: Reactor) {
        self.descriptor = descriptor
        self.isConnected = isConnected
        self.reactor = reactor
        reactor.add(descriptor, reading: isConnected, writing: !isConnected, self)
    }

    /// Bytes that the kernel has not accepted yet.
    var unsent: Int { self.output.count - self.outputStart }

    func write(_ bytes: UnsafeRawBufferPointer) {
        self.output.append(contentsOf: bytes)
    }

    /// Lets a writer write directly into the output buffer.
    func write(_ body: (inout [UInt8]) -> Void) {
        body(&self.output)
    }

    func flush() {
        guard self.isOpen, self.isConnected else { return }
        while self.unsent > 0 {
            let sent = self.output.withUnsafeBytes {
                send(
                    self.descriptor, $0.baseAddress?.advanced(by: self.outputStart), self.unsent,
                    Int32(MSG_NOSIGNAL))
            }
            if sent < 0 {
                if errno == EINTR { continue }
                if errno != EAGAIN { return self.end() }
                break
            }
            self.outputStart += sent
        }
        if self.unsent == 0 {
            self.output.removeAll(keepingCapacity: self.output.capacity <= 1 << 20)
            self.outputStart = 0
        } else if self.outputStart > 1 << 20 {
            self.output.removeFirst(self.outputStart)
            self.outputStart = 0
        }
        self.updateInterest()
    }

    func shutdownOutput() {
        Glibc.shutdown(self.descriptor, Int32(SHUT_WR))
    }

    func close() {
        guard self.isOpen else { return }
        self.isOpen = false
        self.reactor.remove(self.descriptor)
        self.onBytes = { _ in }
        self.onConnected = {}
        self.onDrained = {}
        self.onEnd = {}
    }

    private func end() {
        guard self.isOpen else { return }
        let onEnd = self.onEnd
        self.close()
        onEnd()
    }

    private func updateInterest() {
        guard self.isOpen else { return }
        self.reactor.change(
            self.descriptor,
            reading: self.isConnected && self.isReading && (self.readAllowance ?? 1) > 0,
            writing: !self.isConnected || self.unsent > 0 || self.wantsToWrite)
    }

    func ready(readable: Bool, writable: Bool) {
        if writable {
            if !self.isConnected {
                var error: Int32 = 0
                var length = socklen_t(MemoryLayout<Int32>.size)
                getsockopt(self.descriptor, SOL_SOCKET, SO_ERROR, &error, &length)
                guard error == 0 else { return self.end() }
                self.isConnected = true
                self.updateInterest()
                self.onConnected()
            }
            if self.unsent > 0 { self.flush() }
            if self.isOpen, self.unsent == 0 { self.onDrained() }
        }
        guard readable, self.isOpen, self.isConnected, self.isReading else { return }
        let most = min(Self.readSize, self.readAllowance ?? .max)
        guard most > 0 else { return }
        let count = recv(self.descriptor, Self.scratch.baseAddress, most, 0)
        if count > 0 {
            if let allowance = self.readAllowance { self.readAllowance = allowance - count }
            self.onBytes(UnsafeRawBufferPointer(rebasing: Self.scratch[0..<count]))
        } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
            self.end()
        }
    }
}
