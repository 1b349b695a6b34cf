import Foundation
import NIOCore
import Testing
import WasmnetProtocol
import WasmnetTesting

extension NodeTests {
    /// State that the program inherits from its parent.
    @Suite struct StartTests {
        /// Every combination of standard input, output and error that is closed.
        @Test(arguments: 0..<8) func closedDescriptorsAreFilledBeforeAnythingIsOpened(closed: Int) async throws {
            let port = try await RedisServer.freePort()
            let redirections = ["0<&-", "1>&-", "2>&-"].enumerated().filter { closed >> $0.offset & 1 == 1 }
            let words = redirections.map(\.element).joined(separator: " ")
            let node = try SpawnedProcess(
                "/bin/sh",
                [
                    "-c", #"exec "$0" serve --port "$1" --no-policy --admin-port 0 --log-level debug "# + words,
                    NodeProgram.executable.path, "\(port)",
                ])
            let target = try await TestTarget.start(.echo)
            let client = try await TestClient.connectWhenPossible(port: port)
            // If a socket or a timer had taken the number, lines of the log would reach it.
            for number in 0...2 {
                let file = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(node.id)/fd/\(number)")
                #expect(file == "/dev/null", "\(words): descriptor \(number) is \(file)")
            }
            for id in SocketID(1)...50 {
                client.send(.connect(id, host: "127.0.0.1", port: UInt16(target.port)))
                client.send(.send(id, ByteBuffer(string: "hello")))
            }
            var echoed = 0
            while echoed < 50 * 5 {
                guard case .data(_, let bytes) = try await client.nextEvent() else { continue }
                #expect(String(buffer: bytes) == "hello")
                echoed += bytes.readableBytes
            }
            await client.close()
            node.signal(SIGTERM)
            #expect(await node.end() == 0)
            await target.stop()
        }

        @Test func aCommandWithoutStandardOutputEndsAsUsual() async throws {
            let node = try SpawnedProcess(
                "/bin/sh", ["-c", #"exec "$0" --version 0<&- 1>&- 2>&-"#, NodeProgram.executable.path])
            #expect(await node.end() == 0)
        }

        /// As by nohup, or by a shell's script in the background.
        @Test(arguments: [SIGINT, SIGTERM]) func signalsThatWereIgnoredBeforeDrainAllTheSame(signal: Int32) async throws
        {
            let port = try await RedisServer.freePort()
            let node = try SpawnedProcess(
                "/bin/sh",
                [
                    "-c", #"trap '' HUP INT QUIT TERM PIPE; exec "$0" serve --port "$1" --no-policy --no-admin"#,
                    NodeProgram.executable.path, "\(port)",
                ])
            let client = try await TestClient.connectWhenPossible(port: port)
            await client.close()
            node.signal(signal)
            #expect(await node.end() == 0)
        }
    }
}
