package import NIOHTTP1
package import WasmnetNet

/// The true origin of a request: the peer's address, or behind trusted proxies the nearest address that is not a trusted proxy.
package enum ClientAddress: Equatable, Sendable {
    /// Nil if even the peer has no IP address.
    case of(IPAddress?)
    /// A trusted proxy's headers contradict each other or cannot be read: one of them was forged by the client, and it is unknown which.
    case unclear

    /// - Parameters:
    ///   - peer: the source of the connection: the TCP peer, or the client it announced by the PROXY protocol.
    ///   - trusted: the policy's `trusted_proxies`.
    ///   - untrusted: called when there are headers that are not trusted.
    package static func find(
        _ headers: HTTPHeaders, peer: IPAddress?, trusted: [Prefix], untrusted: () -> Void = {}
    ) -> ClientAddress {
        let names = ["X-Forwarded-For", "Forwarded"]
        guard names.contains(where: { headers.contains(name: $0) }) else { return .of(peer) }
        guard let peer, self.isTrusted(peer, trusted) else {
            untrusted()
            return .of(peer)
        }
        do {
            let chains = [ForwardedHeaders.xForwardedFor(headers), try ForwardedHeaders.forwarded(headers)]
            let answers = Set(chains.compactMap { $0 }.map { self.walk($0, from: peer, trusted) })
            guard answers.count == 1, let address = answers.first else { return .unclear }
            return .of(address)
        } catch {
            return .unclear
        }
    }

    /// From the nearest hop on, the first that is not a trusted proxy; if a hop hides itself, the one that reported it.
    private static func walk(_ hops: [ForwardedHop], from peer: IPAddress, _ trusted: [Prefix]) -> IPAddress {
        var last = peer
        for hop in hops.reversed() {
            guard case .address(let address) = hop else { return last }
            last = address
            if !self.isTrusted(address, trusted) { return address }
        }
        return last
    }

    package static func isTrusted(_ address: IPAddress, _ trusted: [Prefix]) -> Bool {
        trusted.contains { $0.contains(address) }
    }
}
