import NIOCore
import NIOSSL
import WasmnetPolicy
import WasmnetQuota
import WasmnetRelay

/// What stands on a fresh connection, from the network inward: the PROXY header, TLS, HTTP.
struct ConnectionFront: Sendable {
    let environment: RelayEnvironment
    let admission: any Admission
    let counters: AdmissionCounters
    let tls: NIOSSLContext?
    let proxyProtocol: ProxyProtocolMode
    let pages: StaticPages

    func install(on channel: any Channel) throws {
        guard self.proxyProtocol != .off else {
            try self.serve(channel, announced: nil)
            return
        }
        let trusted = self.environment.policy.clients.trustedProxies
        let isTrusted = channel.remoteAddress?.bareAddress.map { peer in trusted.contains { $0.contains(peer) } }
        try channel.pipeline.syncOperations.addHandler(
            ProxyProtocolHandler(
                mode: self.proxyProtocol, isTrusted: isTrusted ?? false,
                timeout: self.environment.settings.proxyHeaderTimeout, counters: self.counters, ready: self.serve))
    }

    private func serve(_ channel: any Channel, announced: IPAddress?) throws {
        if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
        try HTTPFront.install(
            on: channel, announced: announced, environment: self.environment, admission: self.admission,
            pages: self.pages)
    }
}
