import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// An alias, since NIOConcurrencyHelpers has an `Atomic` too.
typealias AtomicWord = Atomic<UInt64>

/// Rows of atomic 64-bit words, each row on its own cache lines, so that threads with separate rows do not slow each other.
///
/// Sendable without a lock: the layout never changes, and every word is only accessed by its atomic operations.
final class AtomicRows: @unchecked Sendable {
    /// Words of a cache line on the supported processors.
    private static let wordsPerLine = 8

    let count: Int
    private let stride: Int
    private let words: UnsafeMutablePointer<AtomicWord>

    init(rows: Int, words: Int) {
        self.count = rows
        self.stride = (words + Self.wordsPerLine - 1) / Self.wordsPerLine * Self.wordsPerLine
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: rows * self.stride * MemoryLayout<UInt64>.stride,
            alignment: Self.wordsPerLine * MemoryLayout<UInt64>.stride)
        self.words = memory.bindMemory(to: AtomicWord.self, capacity: rows * self.stride)
        for index in 0..<(rows * self.stride) { (self.words + index).initialize(to: AtomicWord(0)) }
    }

    deinit {
        self.words.deinitialize(count: self.count * self.stride)
        UnsafeMutableRawPointer(self.words).deallocate()
    }

    /// The words of a row. `row` must be below `count`; the caller stays within the words it requested.
    @inline(__always)
    func row(_ row: Int) -> UnsafeMutablePointer<AtomicWord> { self.words + row * self.stride }

    /// The row of the calling thread; threads beyond `count` share.
    @inline(__always)
    var own: UnsafeMutablePointer<AtomicWord> { self.row(ThreadNumber.current % self.count) }
}

extension Atomic where Value == UInt64 {
    /// Adds to a Double stored as its bits.
    @inline(__always)
    func add(_ amount: Double) {
        var bits = self.load(ordering: .relaxed)
        while true {
            let sum = (Double(bitPattern: bits) + amount).bitPattern
            let (exchanged, original) = self.weakCompareExchange(
                expected: bits, desired: sum, ordering: .relaxed)
            if exchanged { return }
            bits = original
        }
    }

    /// A Double stored as its bits.
    var double: Double { Double(bitPattern: self.load(ordering: .relaxed)) }
}

/// A small number for each thread, assigned in the order of first use.
enum ThreadNumber {
    private static let next = Atomic<Int>(0)
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        // Without a key every thread is number 0: slower, but correct.
        pthread_key_create(&key, nil)
        return key
    }()

    static var current: Int {
        if let number = pthread_getspecific(Self.key) { return Int(bitPattern: number) }
        // Never 0, which reads as no value; bounded, so that it always stays a legal bit pattern.
        let number = Self.next.wrappingAdd(1, ordering: .relaxed).oldValue & 0xFFFF + 1
        pthread_setspecific(Self.key, UnsafeRawPointer(bitPattern: number))
        return number
    }
}
