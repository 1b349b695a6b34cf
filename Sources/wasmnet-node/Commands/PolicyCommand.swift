import ArgumentParser
import Foundation
import Wasmnet
import WasmnetPolicy
import WasmnetPolicyFile
import WasmnetRelay
import WasmnetNet

struct PolicyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Check a policy file, or explain its decision about a destination.",
        subcommands: [Check.self, Explain.self])

    static func load(_ file: String) throws -> Policy {
        do {
            return try PolicyFile.load(path: file, of: .anything)
        } catch {
            throw ConfigurationError("\(error)")
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read a policy file and say what is wrong with it.",
            discussion: "Exits 0 if it is valid, 2 if not.")

        @Argument(help: "The policy file (TOML).") var file: String

        func run() throws {
            _ = try PolicyCommand.load(self.file)
            Terminal.say("\(self.file): the policy is sound")
        }
    }

    struct Explain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Explain step by step whether a destination is allowed.",
            discussion: "A name is looked up with this machine's resolver. Exits 0 when allowed, 3 when denied.")

        @Argument(help: "The policy file (TOML).") var file: String
        @Argument(help: "HOST:PORT, [IPv6]:PORT.") var destination: String
        @Flag(help: "UDP instead of TCP.") var udp = false

        func run() async throws {
            let policy = try PolicyCommand.load(self.file)
            guard let place = try? HostPort(ByteText(self.destination)), let port = place.portNumber() else {
                throw ConfigurationError(
                    "a destination is HOST:PORT with a port of 1 to 65535, not \(self.destination.shown())")
            }
            let explanation = try await Self.explain(policy, place.writtenHost.text, port, self.udp ? .udp : .tcp)
            Terminal.say(explanation.description)
            if !explanation.allowed { throw NodeExit.denied }
        }

        private static func explain(
            _ policy: Policy, _ host: String, _ port: UInt16, _ transport: TransportProtocol
        ) async throws -> PolicyExplanation {
            let resolver = SystemResolver(threads: 1)
            do {
                let explanation = try await policy.explain(
                    host: host, port: port, transport: transport, resolver: resolver)
                await resolver.shutDown()
                return explanation
            } catch {
                await resolver.shutDown()
                throw ConfigurationError(error.description)
            }
        }
    }
}
