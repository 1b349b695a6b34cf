import NIOCore
import NIOSSL
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota
import WasmnetRelay

/// The handlers of a fresh connection, from the network inward: the PROXY header, TLS, HTTP.
struct ConnectionFront: Sendable {
    let environment: RelayEnvironment
    let admission: any Admission
    let counters: AdmissionCounters
    let tls: NIOSSLContext?
    let proxyProtocol: ProxyProtocolMode
    let pages: StaticPages

    func install(on channel: any Channel) throws {
        let trusted = self.environment.policy.clients.trustedProxies
        let peer = channel.remoteAddress?.hostAddress
        let isTrusted = peer.map { peer in trusted.contains { $0.contains(peer) } } ?? false
        guard let place = self.environment.pending.enter(channel, from: isTrusted ? nil : peer) else {
            self.environment.observer.sessionRefused(.overloaded)
            channel.close(promise: nil)
            return
        }
        guard self.proxyProtocol != .off else {
            try self.serve(channel, proxiedAddress: nil, place)
            return
        }
        try channel.pipeline.syncOperations.addHandler(
            ProxyProtocolHandler(
                mode: self.proxyProtocol, isTrusted: isTrusted,
                timeout: self.environment.settings.proxyHeaderTimeout, counters: self.counters
            ) { channel, proxiedAddress in
                if let proxiedAddress { place.name(proxiedAddress) }
                try self.serve(channel, proxiedAddress: proxiedAddress, place)
            })
    }

    private func serve(_ channel: any Channel, proxiedAddress: IPAddress?, _ place: PendingPlace) throws {
        if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
        try HTTPEntry.install(
            on: channel, proxiedAddress: proxiedAddress, environment: self.environment, admission: self.admission,
            pages: self.pages, place: place)
    }
}
