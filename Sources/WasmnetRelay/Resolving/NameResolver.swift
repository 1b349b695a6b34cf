package import NIOCore
package import WasmnetNet
package import WasmnetPolicy
package import WasmnetQuota

/// Looks up names: A and AAAA, once, without deciding anything.
///
/// An implementation that never makes callers wait needs only ``resolve(_:on:)``; one that does serves its callers in turns.
package protocol NameResolver: Sendable {
    /// A lookup of the node's own.
    func resolve(_ name: HostName, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]>

    /// Fails with a ``Refusal``: `name_not_found`, with a retry time if there was no answer; `overloaded` when too many lookups
    /// are in progress, or the machine lacks resources for one.
    ///
    /// - Parameter timeout: from now on, including the wait for a turn.
    func resolve(
        _ name: HostName, for asker: LookupAsker, within timeout: TimeAmount, on eventLoop: any EventLoop
    ) -> EventLoopFuture<[IPAddress]>

    /// The same, within a scope.
    func resolve(
        _ name: HostName, _ scope: LookupScope, for asker: LookupAsker, within timeout: TimeAmount,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<[IPAddress]>

    /// The asker is gone: its lookups fail now with `client_closed`, and those waiting never run.
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

/// The origin of a lookup. Clients share the resolver's threads; a client's sessions share the client's part.
package struct LookupAsker: Hashable, Sendable {
    package let client: ClientID
    /// The session's name; empty outside a session.
    package let session: String

    package init(client: ClientID, session: String) {
        self.client = client
        self.session = session
    }

    // Clients begin with `a:` or `t:`, so these belong to no client.

    /// The node itself: names in its configuration.
    package static let node = LookupAsker(client: ClientID(text: "node"), session: "")
    /// An operator who requests an explanation of a policy.
    package static let explanation = LookupAsker(client: ClientID(text: "explanation"), session: "")
}
