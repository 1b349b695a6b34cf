import ArgumentParser
import Wasmnet

@main
struct WasmnetNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wasmnet-node",
        abstract:
            "A network proxy for WebAssembly in the browser: one WebSocket in; TCP, TLS, UDP and DNS out, under a policy.",
        discussion: """
            Every flag of serve may also be set in the environment: WASMNET_PORT for --port, WASMNET_LOG_LEVEL for --log-level. A flag takes precedence.

            Exit codes: 0 done, 1 failed, but may succeed when tried again, 2 usage or configuration, 3 denied (policy explain).
            """,
        version: WasmnetVersion.description,
        subcommands: [
            Serve.self, PolicyCommand.self, TokenCommand.self, ClusterCommand.self, QuotaCommand.self,
            DenylistCommand.self,
        ],
        defaultSubcommand: Serve.self)

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asyncCommand = command as? any AsyncParsableCommand {
                try await asyncCommand.run()
            } else {
                try command.run()
            }
        } catch {
            self.exit(reporting: error)
        }
    }
}
