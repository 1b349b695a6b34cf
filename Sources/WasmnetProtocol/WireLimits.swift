/// What the codec itself refuses, whatever the session's own limits are.
enum WireLimits {
    /// Longest `addr` or `name` in a request, in UTF-8 bytes.
    static let address = 1024
    /// Deepest nesting of a JSON message, including its own object.
    static let nesting = 64
    /// Longest part of an unknown `op` or `ev` that is quoted back, in UTF-8 bytes.
    static let quoted = 64
    /// Largest payload written as one message, in bytes: its base64 must still fit a ByteBuffer.
    static let payload = 1 << 30
    /// The queue of waiting connections when `listen` does not specify one.
    static let defaultBacklog: UInt32 = 128
}
