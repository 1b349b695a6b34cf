import WasmnetNet

/// The two text formats of a Prometheus server.
package enum ExpositionFormat: String, Sendable, CaseIterable {
    /// Prometheus' text format 0.0.4.
    case text
    /// OpenMetrics 1.0.0.
    case openMetrics

    package var contentType: String {
        switch self {
        case .text: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// The format for an `Accept` header (RFC 9110, 12.5.1). OpenMetrics only if it is named with at least the text's quality;
    /// a header that accepts neither gets the text, as with Prometheus' own clients.
    ///
    /// - Parameter accept: the header's value, several joined by commas; nil or empty: anything.
    package init(accept: String?) {
        let ranges = ByteText(accept ?? "").list().compactMap { MediaRange($0) }
        let open = Self.quality(in: ranges, "application", "openmetrics-text", version: "1.0.0")
        let text = Self.quality(in: ranges, "text", "plain", version: "0.0.4")
        self = open.named && open.quality > 0 && open.quality >= text.quality ? .openMetrics : .text
    }

    private static func quality(
        in ranges: [MediaRange], _ type: String, _ subtype: String, version: String
    ) -> (quality: Int, named: Bool) {
        let matching = ranges.filter { $0.matches(type, subtype, version: version) }
        guard let best = matching.max(by: { $0.specificity < $1.specificity }) else { return (0, false) }
        return (best.quality, best.subtype == subtype)
    }
}

/// One element of an `Accept` header.
struct MediaRange: Hashable {
    let type: String
    let subtype: String
    let version: String?
    /// In thousandths, 0 to 1,000.
    let quality: Int

    /// - Returns: nil if it is not a media range.
    init?(_ text: ByteText) {
        let parts = text.split(at: ";").map(\.trimmed)
        let names = parts.first?.split(at: "/") ?? []
        guard names.count == 2, let type = names.first, let subtype = names.last, !type.isEmpty, !subtype.isEmpty else {
            return nil
        }
        self.type = type.lowercased.text
        self.subtype = subtype.lowercased.text
        var version: String?
        var quality = 1_000
        for part in parts.dropFirst() {
            guard let (name, value) = part.cut(at: "=").map({ ($0.trimmed, $1.trimmed) }), !value.isEmpty else {
                continue
            }
            switch name.lowercased {
            case "version": version = value.without("\"").text
            case "q":
                guard let thousandths = Self.thousandths(value) else { return nil }
                quality = thousandths
            default: break
            }
        }
        self.version = version
        self.quality = quality
    }

    /// How narrow the range is: the narrowest match decides.
    var specificity: Int {
        (self.type == "*" ? 0 : 1) + (self.subtype == "*" ? 0 : 1) + (self.version == nil ? 0 : 1)
    }

    func matches(_ type: String, _ subtype: String, version: String) -> Bool {
        (self.type == "*" || self.type == type) && (self.subtype == "*" || self.subtype == subtype)
            && (self.version == nil || self.version == version)
    }

    /// RFC 9110's weight: 0 to 1 with up to three decimals.
    private static func thousandths(_ text: ByteText) -> Int? {
        guard text.count <= 5, text.bytes.allSatisfy({ isDigit($0) || $0 == UInt8(ascii: ".") }),
            let value = Double(text.text), value <= 1
        else { return nil }
        return Int((value * 1_000).rounded())
    }
}
