import ArgumentParser
import Foundation
import Wasmnet
import WasmnetNet

/// The program's exit codes.
enum NodeExit {
    static let failure = ExitCode(1)
    static let configuration = ExitCode(2)
    static let denied = ExitCode(3)
}

/// A failure of a correctly called command: a retry may succeed.
struct CommandFailure: Error, CustomStringConvertible {
    /// What failed, where, and why.
    let description: String

    init(_ description: String) { self.description = description }
}

extension WasmnetNode {
    /// Reports the error and exits: 2 for errors that a retry cannot fix, such as all of usage and configuration, else 1.
    static func exit(reporting error: any Error) -> Never {
        if let code = error as? ExitCode { Foundation.exit(code.rawValue) }
        if error is ConfigurationError {
            Self.complain("\(error)")
            Foundation.exit(NodeExit.configuration.rawValue)
        }
        let code = Self.exitCode(for: error)
        guard code == .validationFailure || code == .success else {
            Self.complain("\(error)")
            Foundation.exit(NodeExit.failure.rawValue)
        }
        let text = Self.fullMessage(for: error)
        if code == .success {
            Terminal.say(text)
            Foundation.exit(0)
        }
        Terminal.complain(text)
        Foundation.exit(NodeExit.configuration.rawValue)
    }

    private static func complain(_ text: String) {
        for line in ByteText(text).lines where !line.isEmpty { Terminal.complain("wasmnet-node: \(line.text)") }
    }
}
