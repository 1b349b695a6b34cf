import Foundation
import Testing
import WasmnetTesting

extension NodeTests {
    /// The program's output and exit codes.
    @Suite struct CommandTests {
        @Test(arguments: [["--help"], ["serve", "--help"], ["policy", "--help"], ["--version"]])
        func helpAndVersion(arguments: [String]) async throws {
            let (status, output, _) = try await NodeProcess.run(arguments)
            #expect(status == 0)
            #expect(!output.isEmpty)
        }

        /// What a file is named by, last.
        private static let files = [
            ["--policy"], ["--shadow-policy"], ["--token-file"], ["--jwks-file"], ["--jwt-key-file"],
            ["--admin-token-file"], ["--ca-file"], ["--tls-key", "no.pem", "--tls-cert"],
        ]

        /// Arguments, and the name in the error message.
        static let wrong: [([String], String)] =
            [
                (["--colour"], "--colour"),
                (["--port", "70000"], "--port is 0 to 65535, not 70000"),
                (["--port", "x"], "--port"),
                (["--policy", "no-such.toml"], "no-such.toml: the file cannot be read: No such file or directory"),
                (["--policy", "policy.example.toml", "--no-policy"], "--policy and --no-policy exclude each other"),
                (["--redis", "redis://localhost", "--redis-outage", "0"], "--redis-outage is 1 to 60, not 0"),
                (["--redis", "redis://localhost", "--redis-timeout", "5"], "--redis-timeout is 10 to 1000, not 5"),
                (["--log-level", "loud"], "--log-level is one of"),
                (["--log-format", "xml"], "--log-format is one of text, json"),
                (["--jwt-key-file", "no.pem"], "no.pem: the file cannot be read: No such file"),
                (
                    ["--jwt-key-file", "HS256:policy.example.toml", "--jwks-file", "no.json"],
                    "no.json: the file cannot"
                ),
                (["--jwt-key-file", "policy.example.toml"], "this is not a public key in PEM"),
                (["--token-file", "policy.example.toml"], "a line is the SHA-256"),
                (["--jwt-issuer", "me"], "there is no key for JWTs"),
                (["--proxy-protocol", "maybe"], "--proxy-protocol is one of off, optional, required"),
                (["--proxy-protocol", "required"], "the policy names no trusted_proxies"),
                (["token", "hash"], "client"),
                (["token", "new", ""], "a client's name is 1 to 256 bytes"),
                (["--max-bandwidth-mbps", "-1"], "--max-bandwidth-mbps is 0.0 to 1000000.0, not -1.0"),
                (
                    ["--tls-cert", "no.pem", "--tls-key", "no.pem", "--port", "0"],
                    "no.pem: the file cannot be read: No such"
                ),
                (["--tls-cert", "README.md", "--tls-key", "no.pem"], "README.md: there is no certificate in PEM"),
                (["--ca-file", "README.md"], "README.md: there is no certificate in PEM"),
                (["policy", "check", "no-such.toml"], "cannot be read: No such file or directory"),
                (["policy", "check", "docs"], "docs: the file cannot be read: Is a directory"),
                (
                    ["policy", "check", "/dev/zero"],
                    "/dev/zero: the file cannot be read: it has more than 4194304 bytes"
                ),
                (
                    ["denylist", "import", "/dev/zero", "--admin", "http://127.0.0.1:1"],
                    "/dev/zero: the file cannot be read: it has more than 268435456 bytes"
                ),
                (
                    ["denylist", "import", "docs", "--admin", "http://127.0.0.1:1"],
                    "docs: the file cannot be read: Is a dir"
                ),
                (["policy", "explain", "policy.example.toml", "nowhere"], "HOST:PORT"),
                (["policy", "explain", "policy.example.toml", "[192.0.2.1]:80"], "letters, digits, hyphens and dots"),
                (["--port", "-1"], "--port is 0 to 65535, not -1"),
                (["--redis-outage", "-1"], "--redis-outage is 1 to 60, not -1"),
                (["--access-log-sample", "-0.5"], "--access-log-sample is 0.0 to 1.0, not -0.5"),
                (["--admin-port", "-1"], "--admin-port is 0 to 65535, not -1"),
                (["--ready-needs-redis"], "--ready-needs-redis needs a Redis: name it by --redis or WASMNET_REDIS"),
                (["--redis-timeout", "100"], "--redis-timeout needs a Redis"),
                (["--tls-cert", "cert.pem"], "--tls-cert needs --tls-key"),
                (["policy", "explain", "policy.example.toml", "127.1:80"], "neither a name nor an address"),
            ]
            + files.map { ($0 + ["/dev/zero"], "/dev/zero: the file cannot be read: it is not a regular file") }
            + files.map { ($0 + ["docs"], "docs: the file cannot be read: Is a directory") }

        @Test(arguments: Self.wrong.indices)
        func wrongUsageExitsWith2AndSaysWhat(index: Int) async throws {
            let (arguments, words) = Self.wrong[index]
            let (status, _, errors) = try await NodeProcess.run(arguments)
            #expect(status == 2, "\(errors)")
            #expect(errors.contains(words), "\(errors)")
        }

        @Test func certificatesAreJudgedInWords() async throws {
            let (one, other) = (try TestCertificate(name: "one.test"), try TestCertificate(name: "other.test"))
            defer {
                one.remove()
                other.remove()
            }
            let damaged = one.certificatePath + ".damaged"
            try "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".write(
                toFile: damaged, atomically: true, encoding: .utf8)
            for (certificate, key, words) in [
                (one.certificatePath, other.keyPath, "this is not the key of the first certificate in"),
                (one.certificatePath, one.certificatePath, "there is no private key in PEM"),
                (one.keyPath, one.keyPath, "there is no certificate in PEM"),
                (damaged, one.keyPath, "a certificate in it is damaged"),
            ] {
                let (status, _, errors) = try await NodeProcess.run([
                    "--port", "0", "--tls-cert", certificate, "--tls-key", key,
                ])
                #expect(status == 2 && errors.contains(words), "\(errors)")
                #expect(!errors.contains("failedToLoad"), "\(errors)")
            }
        }

        @Test func wrongEnvironmentExitsWith2() async throws {
            let (status, _, errors) = try await NodeProcess.run([], environment: ["WASMNET_PORT": "many"])
            #expect(status == 2)
            #expect(errors.contains("WASMNET_PORT is a number, not \"many\""))
        }

        /// An error message names the variable of a value, and the fault.
        @Test(
            arguments: [
                ("PORT", "-1", "WASMNET_PORT is 0 to 65535, not -1"),
                ("REDIS_OUTAGE", "90", "WASMNET_REDIS_OUTAGE is 1 to 60, not 90"),
                ("LOG_LEVEL", "loud", "WASMNET_LOG_LEVEL is one of trace"),
                ("TLS_KEY", "key.pem", "WASMNET_TLS_KEY needs --tls-cert"),
                ("REDIS_OPTIONAL", "true", "WASMNET_REDIS_OPTIONAL needs a Redis: name it by --redis or WASMNET_REDIS"),
                ("READY_NEEDS_REDIS", "true", "WASMNET_READY_NEEDS_REDIS needs a Redis"),
                ("REDIS", "redis//nowhere", "WASMNET_REDIS: "),
                ("ADMIN_TOKEN_FILE", "no-such-file", "WASMNET_ADMIN_TOKEN_FILE: no-such-file: the file cannot be read"),
            ])
        func aWrongVariableIsNamed(name: String, value: String, words: String) async throws {
            let (status, _, errors) = try await NodeProcess.run(
                ["serve", "--port", "0"].dropLast(name == "PORT" ? 2 : 0), environment: ["WASMNET_\(name)": value])
            #expect(status == 2 && errors.contains("wasmnet-node: \(words)"), "\(errors)")
        }

        /// A misspelt name is reported even if the node does not start because the right one is missing.
        @Test func aMisspeltVariableIsToldBeforeWhatItBreaks() async throws {
            let policy = FileManager.default.temporaryDirectory.appending(path: "policy-\(UUID().uuidString).toml")
            defer { try? FileManager.default.removeItem(at: policy) }
            try "[clients]\nrequire_token = true\n".write(to: policy, atomically: true, encoding: .utf8)
            let (status, _, errors) = try await NodeProcess.run(
                ["--port", "0", "--policy", policy.path], environment: ["WASMNET_TOKEN_FLIE": "tokens"])
            #expect(status == 2 && errors.contains("did you mean WASMNET_TOKEN_FILE?"), "\(errors)")
        }

        @Test func variablesThatDoNothingAreWarnings() async throws {
            let node = try NodeProcess(
                ["--port", "0"],
                environment: [
                    "WASMNET_REDIS_OUTGAE": "9", "WASMNET_POLICY": "", "WASMNET_SERVICE_HOST": "10.0.0.1",
                    "WASMNET_LB_HTTP": ":80", "WASMNET_TEST_SEED": "1", "WASMNET_ADMIN_TOKEN": "0123456789abcdef",
                    "WASMNET_HOST": "127.0.0.1", "WASMNET_LOG_LEVEL": "info",
                ])
            #expect(await node.admin() != nil)
            let warnings = node.log.split(separator: "\n").filter {
                $0.contains(" WARNING ") && $0.contains("WASMNET_")
            }
            .map { $0.drop { $0 != "W" }.dropFirst("WARNING ".count) }.filter { !$0.contains("WASMNET_NODE") }
            #expect(
                warnings == [
                    "WASMNET_POLICY is empty, which counts as not set",
                    "WASMNET_REDIS_OUTGAE is not a variable of the node and has no effect; did you mean WASMNET_REDIS_OUTAGE?",
                    "WASMNET_SERVICE_HOST is not a variable of the node and has no effect",
                ], "\(node.log)")
            node.signal(SIGTERM)
            #expect(await node.wait() == 0)
        }

        @Test func explainExitsWith0And3() async throws {
            let allowed = try await NodeProcess.run(["policy", "explain", "policy.example.toml", "93.184.216.34:443"])
            #expect(allowed.status == 0)
            #expect(allowed.output.hasSuffix("ALLOWED\n"))
            let denied = try await NodeProcess.run(["policy", "explain", "policy.example.toml", "10.1.2.3:443"])
            #expect(denied.status == 3)
            #expect(denied.output.contains("denied by the entry \"10.0.0.0/8\""))
            let udp = try await NodeProcess.run([
                "policy", "explain", "policy.example.toml", "[::ffff:127.0.0.1]:53", "--udp",
            ])
            #expect(udp.status == 3)
        }

        @Test func explainAnswersForOneTransport() async throws {
            let path = NSTemporaryDirectory() + "transport-\(UInt64.random(in: 0 ... .max)).toml"
            defer { try? FileManager.default.removeItem(atPath: path) }
            func write(_ rules: String) throws { try rules.write(toFile: path, atomically: true, encoding: .utf8) }
            try write("[network]\ndeny = [\"udp/*\"]\nallow = [\"*\", \"udp/*:53\"]\n")
            for (destination, flags, words, status) in [
                ("9.9.9.9:443", [], "this is for tcp; for udp it is denied\nALLOWED", 0 as Int32),
                ("9.9.9.9:443", ["--udp"], "this is for udp; for tcp it is allowed\nDENIED", 3),
                ("9.9.9.9:53", ["--udp"], "9.9.9.9:53 is allowed by the entry \"udp/*:53\"\nALLOWED", 0),
                ("9.9.9.9:53", [], "9.9.9.9:53 is allowed by the entry \"*\"\nALLOWED", 0),
            ] as [(String, [String], String, Int32)] {
                let run = try await NodeProcess.run(["policy", "explain", path, destination] + flags)
                #expect(run.status == status && run.output.hasSuffix(words + "\n"), "\(run)")
            }
            try write("[network]\nallow = [\"tcp6/*\"]\n")
            let wrong = try await NodeProcess.run(["policy", "check", path])
            #expect(wrong.status == 2 && wrong.errors.contains(":2: network.allow[0]: \"tcp6/*\""), "\(wrong)")
            #expect(wrong.errors.contains("did you mean \"tcp/\"?"))
        }

        @Test func aPortInUseExitsWith1() async throws {
            let first = try NodeProcess(["--port", "0"])
            let port = try #require(await first.port())
            let (status, _, errors) = try await NodeProcess.run(["--port", "\(port)"])
            #expect(status == 1)
            #expect(errors.contains("\(port)") || errors.lowercased().contains("address already in use"), "\(errors)")
            first.signal(SIGTERM)
            #expect(await first.wait() == 0)
        }

        @Test func theFirstLineSaysWhereAndUnderWhichPolicy() async throws {
            let node = try NodeProcess([], environment: ["WASMNET_PORT": "0", "WASMNET_LOG_FORMAT": "json"])
            _ = try #require(await node.port())
            let line = try #require(node.log.split(separator: "\n").first)
            let fields = try #require(
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String])
            #expect(fields["message"] == "listening")
            #expect(fields["url"]?.hasPrefix("ws://127.0.0.1:") == true)
            #expect(fields["policy"]?.hasPrefix("default policy") == true)
            node.signal(SIGTERM)
            #expect(await node.wait() == 0)
        }

        @Test func dangerousConfigurationsWarn() async throws {
            let open = try NodeProcess(["--port", "0", "--no-policy"])
            #expect(await open.port() != nil)
            #expect(open.log.contains("WARNING --no-policy"))
            open.signal(SIGTERM)
            #expect(await open.wait() == 0)
        }
    }
}
