import NIOCore
import Testing
import Wasmnet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting

/// A node between a client and third-party programs, one test after the other: some start processes and fill both cores.
@Suite(.serialized, .testCertificates) struct PeersTests {
    /// A session of a node that trusts the test's authority, unless `trusts` is false, and whose linger time never ends, so
    /// that a socket whose end is left to that time does not settle.
    static func withClient(
        policy: Policy = .unrestricted, version: WireVersion = .v2, target: TestTarget.Behaviour = .echo,
        settings: RelaySettings = RelaySettings(), trusts: Bool = true,
        _ body: (TestNode, TestTarget, TestClient) async throws -> Void
    ) async throws {
        let authority = try TestCertificates.current.authority
        let configure = { (configuration: inout ServerConfiguration) in
            if trusts { configuration.extraAuthorities = [authority] }
            configuration.settings = settings
            configuration.settings.linger = .hours(1)
        }
        try await TestNode.withClient(
            policy: policy, version: version, target: target, configure: configure, body)
    }
}
