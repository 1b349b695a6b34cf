import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Wasmnet
import WasmnetNet
import WasmnetPolicy
import WasmnetPolicyFile
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting

/// A policy as an operator writes it.
func policy(_ toml: String) throws -> Policy {
    try PolicyFile.parse(toml, file: "test.toml")
}

/// Answers each lookup of a name with its next answer, and then with the last one.
final class ScriptedResolver: NameResolver {
    private let answers: NIOLockedValueBox<[String: [[String]]]>

    init(_ answers: [String: [[String]]]) {
        self.answers = NIOLockedValueBox(answers)
    }

    func resolve(_ name: HostName, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]> {
        let answer: [String]? = self.answers.withLockedValue { answers in
            guard let rest = answers[name.text], let first = rest.first else { return nil }
            if rest.count > 1 { answers[name.text] = Array(rest.dropFirst()) }
            return first
        }
        guard let answer else { return eventLoop.makeFailedFuture(Refusal(.nameNotFound, "no such name")) }
        return eventLoop.makeSucceededFuture(answer.compactMap { IPAddress($0) })
    }
}

/// Holds lookups until the test lets it answer them.
final class HeldResolver: NameResolver {
    private let waiting = NIOLockedValueBox<[EventLoopPromise<[IPAddress]>]>([])

    func resolve(_ name: HostName, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]> {
        let promise = eventLoop.makePromise(of: [IPAddress].self)
        self.waiting.withLockedValue { $0.append(promise) }
        return promise.futureResult
    }

    var count: Int { self.waiting.withLockedValue { $0.count } }

    func answerAll(_ address: String) {
        let promises = self.waiting.withLockedValue { waiting in
            defer { waiting = [] }
            return waiting
        }
        for promise in promises { promise.succeed([IPAddress(address)].compactMap { $0 }) }
    }
}

extension TestClient {
    /// Sends a request, and returns the expected refusal.
    func refusal(_ request: Request, as encoding: WireEncoding = .binary) async throws -> Refusal {
        try await self.ask(request, as: encoding, for: .refused())
    }

    /// Connects, and fails when that is refused.
    func connect(_ id: SocketID, _ host: String = "127.0.0.1", port: Int, as encoding: WireEncoding = .binary)
        async throws
    {
        try await self.ask(.connect(id, host: host, port: UInt16(port)), as: encoding, for: .connected(id))
    }

    /// Sends on an echo socket, and reads the data back.
    func echoes(_ id: SocketID, _ text: String, as encoding: WireEncoding = .binary) async throws -> Bool {
        self.send(.send(id, ByteBuffer(string: text)), as: encoding)
        var received = ""
        while received.utf8.count < text.utf8.count {
            received += String(buffer: try await self.answer(.data(id)))
        }
        return received == text
    }
}

extension TestClient {
    /// A TCP connection from outside to a port that a client bound.
    static func visit(port: Int) async throws -> any Channel {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(host: "127.0.0.1", port: port)
            .get()
    }
}
