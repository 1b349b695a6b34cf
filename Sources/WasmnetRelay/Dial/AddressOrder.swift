package import WasmnetNet

/// The order in which a name's addresses are tried: the families alternate, beginning with the resolver's first choice
/// (RFC 8305, section 4).
package enum AddressOrder {
    package static func interleaved(_ addresses: [IPAddress], limit: Int) -> [IPAddress] {
        guard let first = addresses.first else { return [] }
        let preferred = addresses.filter { $0.isIPv4 == first.isIPv4 }
        let other = addresses.filter { $0.isIPv4 != first.isIPv4 }
        var result: [IPAddress] = []
        for index in 0..<max(preferred.count, other.count) {
            if index < preferred.count { result.append(preferred[index]) }
            if index < other.count { result.append(other[index]) }
        }
        return Array(result.prefix(limit))
    }
}
