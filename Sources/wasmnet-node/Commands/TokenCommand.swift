import ArgumentParser
import Foundation
import Wasmnet
import WasmnetIdentity
import WasmnetNet
import WasmnetQuota

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Make the lines of a --token-file.", subcommands: [New.self, Hash.self])

    private static func line(_ token: String, _ client: String, _ tier: String?) throws -> String {
        do {
            return try StaticTokens.line(token: token, client: client, tier: tier)
        } catch {
            throw ConfigurationError(error.description)
        }
    }

    struct New: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a random token and its line.",
            discussion:
                "Prints two lines: the token, which only the client gets, and the line for the file."
        )

        @Argument(help: ArgumentHelp("The client's name.", discussion: ClientName.rule)) var client: String
        @Option(help: "One of the policy's tiers.") var tier: String?

        func run() throws {
            let token = StaticTokens.newToken()
            let line = try TokenCommand.line(token, self.client, self.tier)
            print("token: \(token)\nline:  \(line)")
        }
    }

    struct Hash: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read a token from standard input and print its line.",
            discussion:
                "A token must have at least 16 characters and be random: anyone who has the file can try guesses without limit."
        )

        @Argument(help: "The client's name.") var client: String
        @Option(help: "One of the policy's tiers.") var tier: String?

        func run() throws {
            guard let token = readLine() else { throw ConfigurationError("there is no token on standard input") }
            print(try TokenCommand.line(token, self.client, self.tier))
        }
    }
}
