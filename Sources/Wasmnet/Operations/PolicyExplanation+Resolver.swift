import NIOCore
import NIOPosix
import WasmnetNet
package import WasmnetPolicy
package import WasmnetRelay

extension Policy {
    /// How a destination is decided, after looking up a name; one that is not found has no addresses.
    /// - Throws: ``DestinationError`` if the host is neither a name nor an address.
    package func explain(
        host: String, port: UInt16, transport: TransportProtocol, resolver: any NameResolver
    ) async throws(DestinationError) -> PolicyExplanation {
        let addresses: [IPAddress]
        switch try Destination(parsing: host) {
        case .address(let address): addresses = [address]
        // As for clients: a denied name is not looked up.
        case .name(let name) where !self.decide(name: name, port: port, transport: transport).allowed: addresses = []
        case .name(let name):
            let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
            let resolver = ClientResolver(resolver) { self.mayAskDNS(for: $0) }
            let lookup = resolver.resolve(name, for: .explanation, within: .seconds(30), on: eventLoop)
            addresses = (try? await lookup.get()) ?? []
        }
        return self.explain(host: host, port: port, transport: transport, resolved: addresses)
    }
}
