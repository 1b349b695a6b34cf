import Wasmnet

@main
struct Embed {
    static func main() async throws {
        let server = try Server.builder().host("127.0.0.1").port(9000).policyFile("policy.example.toml").build()
        try await server.listen { print("listening on \($0)") }
    }
}
