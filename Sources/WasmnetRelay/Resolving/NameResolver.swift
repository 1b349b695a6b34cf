package import NIOCore
package import WasmnetNet
package import WasmnetPolicy
package import WasmnetQuota

/// Looks names up: A and AAAA, once, without deciding anything.
///
/// One that keeps nobody waiting needs only ``resolve(_:on:)``; one that does serves its askers in turns.
package protocol NameResolver: Sendable {
    /// A lookup of the node's own.
    func resolve(_ name: HostName, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]>

    /// Fails with a ``Refusal``: `name_not_found`, with a retry time where no answer was had; `overloaded` when too many lookups
    /// are under way, or the machine has nothing left for one.
    ///
    /// - Parameter timeout: from now on, the wait for a turn included.
    func resolve(
        _ name: HostName, for asker: LookupAsker, within timeout: TimeAmount, on eventLoop: any EventLoop
    ) -> EventLoopFuture<[IPAddress]>

    /// The same, within a scope.
    func resolve(
        _ name: HostName, _ scope: LookupScope, for asker: LookupAsker, within timeout: TimeAmount,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<[IPAddress]>

    /// The asker is gone: its lookups fail now with `client_closed`, and those that wait never run.
    func drop(_ asker: LookupAsker)
}

extension NameResolver {
    package func resolve(
        _ name: HostName, for asker: LookupAsker, within timeout: TimeAmount, on eventLoop: any EventLoop
    ) -> EventLoopFuture<[IPAddress]> {
        self.resolve(name, on: eventLoop)
    }

    package func resolve(
        _ name: HostName, _ scope: LookupScope, for asker: LookupAsker, within timeout: TimeAmount,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<[IPAddress]> {
        self.resolve(name, for: asker, within: timeout, on: eventLoop)
    }

    package func drop(_ asker: LookupAsker) {}
}

/// Who asks for a lookup. Clients share the resolver's threads; a client's sessions share the client's part.
package struct LookupAsker: Hashable, Sendable {
    package let client: ClientID
    /// The session's name; empty for what is none.
    package let session: String

    package init(client: ClientID, session: String) {
        self.client = client
        self.session = session
    }

    // Clients begin with `a:` or `t:`, so these are nobody's.

    /// The node itself: names in its configuration.
    package static let node = LookupAsker(client: ClientID(text: "node"), session: "")
    /// An operator who has a policy explained.
    package static let explanation = LookupAsker(client: ClientID(text: "explanation"), session: "")
}
