import Foundation
import Glibc
import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetPolicyFile
import WasmnetTesting

/// Files are read at once, whole and within limits, or not at all.
@Suite(.timeLimit(.minutes(1))) struct FileBytesTests {
    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "files-\(UInt64.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder + "/")
    }

    @Test func pipesAndDevicesAreNotWaitedFor() throws {
        try self.withFolder { folder in
            #expect(mkfifo(folder + "pipe", 0o600) == 0)
            #expect(symlink("pipe", folder + "link") == 0)
            for path in [folder + "pipe", folder + "link", "/dev/zero", "/dev/null"] {
                #expect(wordsThrown { _ = try FileBytes.read(path) } == "it is not a regular file", "\(path)")
                #expect(
                    wordsThrown { _ = try PolicyFile.load(path: path) }
                        == "\(path): the file cannot be read: it is not a regular file")
            }
            #expect(wordsThrown { _ = try FileBytes.read(folder) } == "Is a directory")
            #expect(wordsThrown { _ = try FileBytes.read(folder, of: .anything) } == "Is a directory")
            #expect(wordsThrown { _ = try FileBytes.read(folder + "gone") } == "No such file or directory")
        }
    }

    @Test func noMoreIsReadThanTheBound() throws {
        try self.withFolder { folder in
            let path = folder + "file"
            try Data(repeating: 0x61, count: 1000).write(to: URL(fileURLWithPath: path))
            #expect(try FileBytes.read(path, upTo: 1000).count == 1000)
            #expect(wordsThrown { _ = try FileBytes.read(path, upTo: 999) } == "it has more than 999 bytes")
            #expect(try FileBytes.beginning(of: path, upTo: 99).count == 100)
            #expect(truncate(path, 1 << 40) == 0)
            #expect(wordsThrown { _ = try FileBytes.read(path) } == "it has more than 16777216 bytes")
            #expect(
                wordsThrown { _ = try PolicyFile.load(path: path) }
                    == "\(path): the file cannot be read: it has more than 4194304 bytes")
        }
        #expect(
            wordsThrown { _ = try PolicyFile.load(path: "/dev/zero", of: .anything) }
                == "/dev/zero: the file cannot be read: it has more than 4194304 bytes")
    }

    @Test func aCommandReadsAPipe() throws {
        let pipe = Pipe()
        try pipe.fileHandleForWriting.write(contentsOf: Data("[network]\nallow = [\"*\"]\n".utf8))
        try pipe.fileHandleForWriting.close()
        let path = "/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)"
        #expect(wordsThrown { _ = try PolicyFile.load(path: path) }.hasSuffix("it is not a regular file"))
        #expect(wordsThrown { _ = try PolicyFile.load(path: path, of: .anything) } == "")
    }
}
