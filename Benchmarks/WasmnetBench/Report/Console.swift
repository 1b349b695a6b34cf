import Foundation

/// Progress and errors go to standard error; standard output has only the figures.
enum Console {
    static func note(_ words: String) {
        FileHandle.standardError.write(Data((words + "\n").utf8))
    }
}
