import Glibc
package import WasmnetNet
package import WasmnetProtocol

/// getaddrinfo: blocks until the machine's own resolver has an answer or gives up, for 10 s and more.
package enum AddressLookup {
    package static func addresses(of name: String, _ scope: LookupScope) throws(Refusal) -> [IPAddress] {
        guard scope != .system else { return try self.ask(name) }
        let written = HostsFile.addresses(of: name)
        guard written.isEmpty else { return written }
        guard scope == .wholeName else {
            throw Refusal(.nameNotFound, "the name \(name) was not found: a name of one label is not looked up in DNS")
        }
        // With the dot no search domain is tried (RFC 1034, section 3.1; resolv.conf(5)).
        return try self.ask(name, suffix: ".")
    }

    private static func ask(_ name: String, suffix: String = "") throws(Refusal) -> [IPAddress] {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = CInt(AI_ADDRCONFIG)
        var list: UnsafeMutablePointer<addrinfo>?
        errno = 0
        let status = getaddrinfo(name + suffix, nil, &hints, &list)
        let error = errno
        defer { if let list { freeaddrinfo(list) } }
        guard status == 0 else { throw self.refusal(name, status: status, error: error) }
        var addresses: [IPAddress] = []
        var next = list
        while let entry = next {
            if let raw = entry.pointee.ai_addr,
                let address = IPAddress(socketAddress: UnsafeRawPointer(raw))?.withoutV4Mapping,
                !addresses.contains(address)
            {
                addresses.append(address)
            }
            next = entry.pointee.ai_next
        }
        guard !addresses.isEmpty else { throw Refusal(.nameNotFound, "the name \(name) has no address") }
        return addresses
    }

    /// Maps a failure to a refusal for the client.
    ///
    /// - Parameters:
    ///   - status: getaddrinfo's.
    ///   - error: errno, 0 before the call.
    static func refusal(_ name: String, status: CInt, error: CInt) -> Refusal {
        // Out of descriptors, glibc may return EAI_SYSTEM or EAI_NONAME for existing names: errno decides.
        if status == EAI_MEMORY || Exhaustion.isResourceExhaustion(errno: error) {
            return Refusal(
                .overloaded, "the node has no resources left for a lookup", retryAfterMilliseconds: 1000)
        }
        switch status {
        case EAI_AGAIN, EAI_SYSTEM: return self.noAnswer(name)
        default: return Refusal(.nameNotFound, "the name \(name) was not found")
        }
    }

    /// There was no answer, which says nothing about the name: the client may retry.
    static func noAnswer(_ name: String) -> Refusal {
        Refusal(.nameNotFound, "there was no answer for the name \(name)", retryAfterMilliseconds: 1000)
    }
}
