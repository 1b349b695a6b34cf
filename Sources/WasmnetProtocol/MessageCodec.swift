package import NIOCore

/// Maps one wire language (v1 with its JSON and binary forms, or v2) to ``Request`` and ``Event`` values and back.
///
/// The node decodes requests and encodes events; a client does the reverse. A codec has no state beyond its version,
/// and nothing above it needs to know which language a session speaks.
///
/// Binary messages are `[1 byte type][8 bytes socket id, big-endian][payload]`. JSON is RFC 8259 in UTF-8 without a
/// byte order mark, read strictly: lone surrogates, invalid UTF-8 and nesting deeper than 64 levels are refused.
/// Integers are accepted in every form whose value is exactly integral and in range (`7`, `7.0`, `70e-1`), however
/// long. Of a repeated key the first counts; `null` is the same as an absent field; unknown fields are ignored.
package struct MessageCodec: Sendable {
    package let version: WireVersion

    package init(version: WireVersion) {
        self.version = version
    }

    // MARK: The node's side

    /// Reads one complete WebSocket message.
    ///
    /// Payloads of binary messages are slices of `message`; those of JSON messages are separate buffers. A host
    /// is checked only to be UTF-8 of at most 1024 bytes: it may be empty or contain any character.
    package func decodeRequest(_ message: ByteBuffer, isText: Bool) -> Result<Request, MalformedMessage> {
        // Most messages by far are binary `send`: they take the fast path.
        if !isText, let send = Request(binarySend: message) { return .success(send) }
        return Result { () throws(MalformedMessage) in
            guard isText else { return try Request(binary: message, version: version) }
            guard version == .v1 else { throw MalformedMessage("text message in a binary session") }
            return try Request(json: message)
        }
    }

    /// Appends the complete event as one WebSocket payload.
    ///
    /// - Parameter encoding: Matters in v1 only; v2 is always binary.
    /// - Returns: Whether the language can express it. False (and nothing written) for `hello`, `window`, `end` and
    ///   `goaway` in v1, for a host of more than 65535 bytes, and for a payload of more than 1 GiB.
    @discardableResult
    package func encode(_ event: Event, as encoding: WireEncoding, into buffer: inout ByteBuffer) -> Bool {
        switch (version, encoding) {
        case (.v1, .json): event.writeJSON(into: &buffer)
        case (.v1, .binary): event.writeBinary(version: .v1, into: &buffer)
        case (.v2, _): event.writeBinary(version: .v2, into: &buffer)
        }
    }

    /// The length of the header before the payload of a binary `data` event, in bytes.
    package static let binaryDataHeaderLength = 9

    /// Writes the ``binaryDataHeaderLength`` bytes that, followed by the payload, form a binary `data` event.
    package func writeDataHeader(_ id: SocketID, into buffer: inout ByteBuffer) {
        buffer.writeMultipleIntegers(EventType.data.rawValue, id)
    }

    /// Writes a complete JSON `data` event: `{"ev":"data","id":N,"data":"<base64>"}`.
    ///
    /// The same as ``encode(_:as:into:)`` of ``Event/data(_:_:)`` as JSON, without creating the event.
    @discardableResult
    package func writeJSONData(_ id: SocketID, _ payload: ByteBuffer, into buffer: inout ByteBuffer) -> Bool {
        buffer.writeJSONData(key: "ev", name: "data", id: id, payload: payload)
    }

    // MARK: The client's side

    /// Appends the complete request as one WebSocket payload.
    ///
    /// - Parameter encoding: Matters in v1 only; v2 is always binary.
    /// - Returns: Whether the language can express it. False (and nothing written) for `window`, `shutdown` and `reset`
    ///   in v1, for a `sendTo` host of more than 65535 bytes, and for a payload of more than 1 GiB.
    @discardableResult
    package func encode(_ request: Request, as encoding: WireEncoding, into buffer: inout ByteBuffer) -> Bool {
        switch (version, encoding) {
        case (.v1, .json): request.writeJSON(into: &buffer)
        case (.v1, .binary): request.writeBinary(version: .v1, into: &buffer)
        case (.v2, _): request.writeBinary(version: .v2, into: &buffer)
        }
    }

    /// Reads one complete WebSocket message from a node.
    ///
    /// What v1 does not carry is filled in: `connected` has empty addresses in the binary form, `closed` is
    /// ``ReasonCode/normal`` unless JSON says otherwise, `error` without a known code is
    /// ``ReasonCode/internalError`` and `denied` is ``ReasonCode/policyDenied``.
    package func decodeEvent(_ message: ByteBuffer, isText: Bool) -> Result<Event, MalformedMessage> {
        Result { () throws(MalformedMessage) in
            guard isText else { return try Event(binary: message, version: version) }
            guard version == .v1 else { throw MalformedMessage("text message in a binary session") }
            return try Event(json: message)
        }
    }
}
