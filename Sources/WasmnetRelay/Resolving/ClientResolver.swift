package import NIOCore
package import WasmnetNet
package import WasmnetPolicy

/// How far a name is looked up.
package enum LookupScope: Sendable, Hashable {
    /// As the system does it for any program, with the search domains of resolv.conf(5): names in the node's own configuration.
    case system
    /// In the hosts file by the name as it is written, then in DNS by this name alone.
    case wholeName
    /// In the hosts file alone.
    case hostsFile
}

/// Looks names up as clients may have it: a name is what it says, and none is completed to another one, which no rule was asked about.
package struct ClientResolver: NameResolver {
    private let base: any NameResolver
    private let mayAskDNS: @Sendable (HostName) -> Bool

    /// - Parameter mayAskDNS: the policy's word, see ``Policy/mayAskDNS(for:)``.
    package init(_ base: any NameResolver, mayAskDNS: @escaping @Sendable (HostName) -> Bool) {
        self.base = base
        self.mayAskDNS = mayAskDNS
    }

    package func resolve(_ name: HostName, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]> {
        self.resolve(name, for: .node, within: .seconds(30), on: eventLoop)
    }

    package func resolve(
        _ name: HostName, for asker: LookupAsker, within timeout: TimeAmount, on eventLoop: any EventLoop
    ) -> EventLoopFuture<[IPAddress]> {
        let scope: LookupScope = self.mayAskDNS(name) ? .wholeName : .hostsFile
        return self.base.resolve(name, scope, for: asker, within: timeout, on: eventLoop)
    }

    package func drop(_ asker: LookupAsker) { self.base.drop(asker) }
}
