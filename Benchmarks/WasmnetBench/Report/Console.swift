import Foundation

/// Progress and complaints go to standard error; standard output has the figures only.
enum Console {
    static func note(_ words: String) {
        FileHandle.standardError.write(Data((words + "\n").utf8))
    }
}
