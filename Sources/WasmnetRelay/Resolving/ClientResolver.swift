package import NIOCore
package import WasmnetNet
package import WasmnetPolicy

/// The scope of a lookup.
package enum LookupScope: Sendable, Hashable {
    /// As the system does it for any program, with the search domains of resolv.conf(5): names in the node's own configuration.
    case system
    /// In the hosts file by the literal name, then in DNS by this name only.
    case wholeName
    /// In the hosts file only.
    case hostsFile
}

/// Looks up names for clients: a name is taken literally and never completed to another one, which no rule was applied to.
package struct ClientResolver: NameResolver {
    private let base: any NameResolver
    private let mayAskDNS: @Sendable (HostName) -> Bool

    /// - Parameter mayAskDNS: the policy's decision, see ``Policy/mayAskDNS(for:)``.
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
