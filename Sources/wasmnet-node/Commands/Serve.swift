import ArgumentParser
import Foundation
import Logging
import NIOCore
import ServiceLifecycle
import UnixSignals
import Wasmnet
import WasmnetNet
import WasmnetRelay

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve clients (the default).",
        discussion:
            """
            SIGTERM or SIGINT drains: no new connections, open sockets go on until the drain timeout. A second signal ends at once. SIGHUP reads \
            the policy's file again; so does a change of the file.
            """
    )

    @OptionGroup var options: ServeOptions

    func run() async throws {
        let configuration = try self.options.resolve(environment: ProcessInfo.processInfo.environment)
        try configuration.server.checkCertificates()
        let (level, format) = (LogLevelBox(configuration.logLevel), configuration.logFormat)
        let writer = NodeLogHandler.writer(format: format)
        defer { writer.flush() }
        LoggingSystem.bootstrap { _ in NodeLogHandler(format: format, level: level, writer: writer) }
        ProcessLimits.prepare()
        var server = configuration.server
        server.logger = Logger(label: "wasmnet")
        server.logLevel = .init(get: { level.value }, set: { level.value = $0 })
        try await Self.serve(configuration, server)
    }

    private static func serve(_ configuration: NodeConfiguration, _ server: ServerConfiguration) async throws {
        let logger = server.logger
        // Before anything that may fail because of what they warn about.
        for warning in configuration.warnings { logger.warning("\(warning)") }
        let node = try Server(configuration: server)
        let scheme = server.tls == nil ? "ws" : "wss"
        let service = ListeningService(server: node) { address in
            logger.info(
                "listening",
                metadata: ["url": "\(scheme)://\(address.endpointText)/", "policy": "\(configuration.policyName)"])
        }
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)],
                logger: logger))
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask {
                var isDraining = false
                for await signal in signals {
                    if signal == .sighup {
                        // The errors are in the log.
                        try? node.reloadPolicy()
                        continue
                    }
                    // The first drains; the second returns, which cancels the rest.
                    if isDraining { return }
                    isDraining = true
                    await group.triggerGracefulShutdown()
                }
                // Cancelled with the group's end.
            }
            try await tasks.next()
            tasks.cancelAll()
            try await tasks.waitForAll()
        }
        logger.info("ended")
    }
}

/// The server as a service that reports where it listens.
private struct ListeningService: Service {
    let server: Server
    let onListening: @Sendable (SocketAddress) -> Void

    func run() async throws {
        try await self.server.listen(onListening: self.onListening)
    }
}
