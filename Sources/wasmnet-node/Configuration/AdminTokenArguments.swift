import ArgumentParser
import Foundation
import Wasmnet
import WasmnetPolicy
import WasmnetNet

/// The token of the operator's HTTP server, for the node that requires it and for the commands that send it. It may also come from the
/// environment (`WASMNET_ADMIN_TOKEN_FILE`, `WASMNET_ADMIN_TOKEN`); the flag takes precedence.
struct AdminTokenArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "File with the admin server's token, 16 to 1024 characters; or WASMNET_ADMIN_TOKEN.", valueName: "file"))
    var adminTokenFile: String?

    /// What ArgumentParser fills in.
    init() {}

    /// Nil if none is named.
    ///
    /// - Throws: ``Wasmnet/ConfigurationError`` if the file cannot be read.
    func token(environment: [String: String]) throws(ConfigurationError) -> String? {
        let source = OptionSource(environment: environment)
        guard let path = source.text(self.adminTokenFile, "ADMIN_TOKEN_FILE") else {
            return source.text(nil, "ADMIN_TOKEN")
        }
        let bytes: [UInt8]
        let name = source.given(self.adminTokenFile != nil, "ADMIN_TOKEN_FILE") ?? ""
        do {
            bytes = try FileBytes.read(path)
        } catch {
            throw ConfigurationError("\(name): \(path): the file cannot be read: \(error)")
        }
        let lines: [ByteText]
        do {
            lines = try ByteText(file: bytes).lines.map(\.trimmed).filter { !$0.isEmpty }
        } catch {
            throw ConfigurationError("\(name): \(path):\(error.line): \(error.problem)")
        }
        guard lines.count <= 1 else {
            throw ConfigurationError("\(name): \(path): the file has more than the one line of the token")
        }
        return lines.first?.text ?? ""
    }
}
