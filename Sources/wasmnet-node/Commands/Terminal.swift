import Foundation
import WasmnetNet

/// Messages of commands to people: text from Redis, from a node or from a file cannot control the terminal.
enum Terminal {
    /// Lines on standard output.
    static func say(_ text: String) { print(text.shownLines) }

    /// Lines on standard error.
    static func complain(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data((text.shownLines + "\n").utf8))
    }
}
