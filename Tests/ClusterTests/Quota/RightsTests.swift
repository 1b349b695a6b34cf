import Foundation
import Testing

/// The rights checked for Redis' user at the start are those that the scripts need.
@Suite struct RightsTests {
    /// Rights that a script can lack: it continues when they are refused.
    private static let optional: Set<String> = ["INFO", "CLUSTER", "PUBLISH"]

    @Test func everyCommandOfAScriptIsTried() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../Sources/WasmnetCluster/Scripts")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        var called: Set<String> = [], tried: Set<String> = []
        for file in files {
            let text = try String(contentsOf: file, encoding: .utf8)
            if file.lastPathComponent == "rights.lua" {
                tried.formUnion(text.matches(of: /\{'([A-Z]+)'/).map { String($0.output.1) })
            } else {
                called.formUnion(text.matches(of: /redis\.p?call\(\s*'([A-Z]+)'/).map { String($0.output.1) })
            }
        }
        #expect(called.count > 20 && tried == called.subtracting(Self.optional))
    }
}
