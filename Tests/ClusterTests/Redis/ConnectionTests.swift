import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Testing
import WasmnetTesting

@testable import RedisClient

/// Everything that starts servers: one test at a time, as each has its own processes and ports.
@Suite(.serialized, .timeLimit(.minutes(3))) struct WithServers {}

extension WithServers {
    @Suite struct ConnectionTests {
        private let loop = MultiThreadedEventLoopGroup.singleton.any()

        private func connect(
            _ endpoint: RedisEndpoint, _ options: RedisConnectionOptions = RedisConnectionOptions()
        ) -> EventLoopFuture<RedisConnection> {
            RedisConnection.connect(to: endpoint, options: options, on: loop)
        }

        private func local(_ server: RedisServer) -> RedisEndpoint { .host("127.0.0.1", port: server.port) }

        @Test func repliesComeInTheOrderOfTheCommands() async throws {
            try await withServer { server in
                let connection = try await connect(local(server)).get()
                let commands = [RedisCommand](repeating: ["INCR", "n"], count: 4000)
                var numbers: [Int?] = []
                for reply in connection.send(commands, deadline: .seconds(10)) {
                    numbers.append(try await reply.get().int)
                }
                #expect(numbers == Array(1...4000))
                let value = ByteBuffer(bytes: (0..<300_000).map { UInt8(truncatingIfNeeded: $0) })
                #expect(try await connection.send(["SET", "b", .bytes(value)], deadline: .seconds(10)).get().isOK)
                #expect(try await connection.send(["GET", "b"], deadline: .seconds(10)).get().bytes == value)
                connection.close()
                #expect(try await connection.ended.get() == .closed)
            }
        }

        @Test func aPausedServerMissesTheDeadline() async throws {
            try await withServer { server in
                let connection = try await connect(local(server)).get()
                #expect(
                    try await connection.send(["CLIENT", "PAUSE", 60_000, "ALL"], deadline: .seconds(10)).get().isOK)
                async let late = failure(of: connection.send(["GET", "a"]))
                async let patient = failure(of: connection.send(["GET", "b"], deadline: .seconds(30)))
                #expect(await late as? RedisError == .deadline(.milliseconds(50)))
                #expect(
                    await patient as? RedisError
                        == .connectionLost(local(server), "a command's deadline passed"))
            }
        }

        /// The answer was in the socket; this process was late, the server was not.
        @Test func aBusyLoopIsNotTheServersSilence() async throws {
            try await withServer { server in
                let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
                let loop = group.any()
                let connection = try await RedisConnection.connect(
                    to: local(server), options: RedisConnectionOptions(), on: loop
                ).get()
                for _ in 0..<3 {
                    let answer = connection.send(["PING"], deadline: .milliseconds(50))
                    // After the write, and then task after task without a check of the sockets.
                    loop.execute {
                        for _ in 0..<10 { loop.execute { usleep(30_000) } }
                    }
                    #expect(try await answer.get().string == "PONG")
                }
                connection.close()
                try await group.shutdownGracefully()
            }
        }

        @Test func userPasswordDatabaseAndName() async throws {
            let configuration = "port PORT\nuser alice on >s3cret ~* &* +@all\nrequirepass other"
            try await withServer(configuration) { server in
                let endpoint = local(server)
                var options = RedisConnectionOptions(
                    credentials: RedisCredentials(username: "alice", password: "s3cret"), database: 3,
                    clientName: "tester")
                let connection = try await connect(endpoint, options).get()
                let info = try await connection.send(["CLIENT", "INFO"]).get().string ?? ""
                for part in ["name=tester", "db=3", "user=alice"] { #expect(info.contains(part)) }
                connection.close()

                options.database = 99
                #expect(
                    await failure(of: connect(endpoint, options)) as? RedisError == .wrongDatabase(endpoint, 99))
                for credentials in [
                    RedisCredentials(username: "alice", password: "wr0ng"), RedisCredentials(password: "wr0ng"), nil,
                ] {
                    options.credentials = credentials
                    let error = await failure(of: connect(endpoint, options))
                    #expect(error as? RedisError == .wrongPassword(endpoint))
                    #expect(!"\(String(describing: error))".contains("wr0ng"))
                }
                options.credentials = RedisCredentials(password: "other")
                options.database = 0
                try await connect(endpoint, options).get().close()
            }
        }

        @Test func aUserWithFewRightsComesIn() async throws {
            try await withServer("port PORT\nuser few on >pw ~* +get") { server in
                let options = RedisConnectionOptions(
                    credentials: RedisCredentials(username: "few", password: "pw"), clientName: "few")
                let connection = try await connect(local(server), options).get()
                #expect(try await connection.send(["GET", "a"]).get() == .null)
                #expect(try await connection.send(["SET", "a", "b"]).get().serverError?.code == "NOPERM")
                connection.close()
            }
        }

        @Test func aUnixSocket() async throws {
            try await withServer("port 0\nunixsocket DIR/redis.sock") { server in
                let endpoint = RedisEndpoint.unixSocket(server.directory + "/redis.sock")
                let connection = try await connect(endpoint).get()
                #expect(try await connection.send(["ECHO", "hi"]).get().string == "hi")
                connection.close()
                let absent = RedisEndpoint.unixSocket(server.directory + "/absent.sock")
                let error = await failure(of: connect(absent)) as? RedisError
                #expect(error == .connectFailed(absent, "No such file or directory"))
            }
        }

        @Test func nobodyListens() async throws {
            let endpoint = RedisEndpoint.host("127.0.0.1", port: try await RedisServer.freePort())
            #expect(await failure(of: connect(endpoint)) as? RedisError == .connectionRefused(endpoint))
            let nowhere = RedisEndpoint.host("no-such-host.invalid", port: 6379)
            #expect(await failure(of: connect(nowhere)) as? RedisError == .dns(nowhere))
        }

        @Test func aSilentServerMeetsTheConnectTimeout() async throws {
            let silent = try await ServerBootstrap(group: loop).bind(host: "127.0.0.1", port: 0).get()
            let port = try #require(silent.localAddress?.port)
            let endpoint = RedisEndpoint.host("127.0.0.1", port: port)
            let options = RedisConnectionOptions(connectTimeout: .milliseconds(100))
            #expect(await failure(of: connect(endpoint, options)) as? RedisError == .connectTimeout(endpoint))
            try await silent.close()
        }

        @Test func tlsChecksCertificateAndName() async throws {
            let authority = try TestCertificate(name: "localhost")
            defer { authority.remove() }
            let configuration = """
                port 0
                tls-port PORT
                tls-cert-file \(authority.certificatePath)
                tls-key-file \(authority.keyPath)
                tls-auth-clients no
                """
            try await withServer(configuration) { server in
                let named = RedisEndpoint.host("localhost", port: server.port)
                var trusting = TLSConfiguration.makeClientConfiguration()
                trusting.trustRoots = .file(authority.certificatePath)

                var options = RedisConnectionOptions(tls: try RedisTLS(configuration: trusting))
                let connection = try await connect(named, options).get()
                #expect(try await connection.send(["ECHO", "hi"]).get().string == "hi")
                connection.close()

                #expect(
                    await failure(of: connect(local(server), options)) as? RedisError
                        == .tls(local(server), "the server's certificate is for another name"))
                options.tls = try RedisTLS()
                #expect(
                    await failure(of: connect(named, options)) as? RedisError
                        == .tls(named, "the server's certificate is not trusted"))
            }
        }

        @Test func aServerWithoutTLS() async throws {
            let greeting = try await ServerBootstrap(group: loop)
                .childChannelInitializer { channel in
                    channel.pipeline.addHandler(Greeter())
                }
                .bind(host: "127.0.0.1", port: 0).get()
            let endpoint = RedisEndpoint.host("127.0.0.1", port: try #require(greeting.localAddress?.port))
            let options = RedisConnectionOptions(tls: try RedisTLS())
            #expect(
                await failure(of: connect(endpoint, options)) as? RedisError
                    == .tls(endpoint, "the server does not speak TLS"))
            try await greeting.close()
        }
    }
}

/// Sends plain text to every client.
private final class Greeter: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "-DENIED speak plainly\r\n")), promise: nil)
    }
}
