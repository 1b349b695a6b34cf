import Foundation
import Glibc
import Testing
import WasmnetTesting

extension NodeTests {
    /// The real program on a machine whose resolver has search domains: a mount namespace with its own resolv.conf and hosts file,
    /// and a name server on a loopback address. Needs root.
    @Suite(.enabled(if: geteuid() == 0 && access("/usr/bin/unshare", X_OK) == 0)) struct SearchDomainTests {
        /// Every name below corp.test, and `db` itself, is 192.0.2.1 to it.
        private static let server = """
            import socket, sys
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((sys.argv[1], 53))
            print("serving", flush=True)
            while True:
                q, peer = s.recvfrom(512)
                labels, at = [], 12
                while q[at]:
                    labels.append(q[at + 1:at + 1 + q[at]].decode().lower())
                    at += q[at] + 1
                name, kind = ".".join(labels), q[at + 2]
                print("asked", name, flush=True)
                known = name == "db" or name == "api.example" or name.endswith("corp.test")
                answer = known and kind == 1
                head = q[:2] + (b"\\x81\\x80" if known else b"\\x81\\x83") + b"\\0\\1" + (b"\\0\\1" if answer else b"\\0\\0") + b"\\0" * 4
                record = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4\\xc0\\0\\2\\1"
                s.sendto(head + q[12:at + 5] + (record if answer else b""), peer)
            """
        private static let inside = """
            mount --bind "$1" /etc/resolv.conf && mount --bind "$2" /etc/hosts && shift 2 && exec "$@"
            """

        @Test func namesAreNotCompletedBySearchDomains() async throws {
            let address = "127.77.\(Int.random(in: 1...250)).\(Int.random(in: 1...250))"
            let dns = ChildProcess("python3", ["-c", Self.server, address])
            try await dns.launch(until: "serving")
            let directory = NSTemporaryDirectory() + "search-\(UInt64.random(in: 0 ... .max))"
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: directory) }
            func write(_ name: String, _ text: String) throws -> String {
                try text.write(toFile: directory + "/" + name, atomically: true, encoding: .utf8)
                return directory + "/" + name
            }
            let resolv = try write(
                "resolv.conf", "nameserver \(address)\nsearch corp.test\noptions ndots:5 timeout:2 attempts:1\n")
            let hosts = try write("hosts", "127.0.0.1 localhost\n198.51.100.7 printer\n")
            let policy = try write("policy.toml", "[network]\ndeny = [\"*.corp.test\"]\nallow = [\"*\", \"db:5432\"]\n")
            func explain(_ destination: String) async throws -> String {
                try await ChildProgram.run(
                    "unshare",
                    ["-m", "sh", "-c", Self.inside, "sh", resolv, hosts, NodeProgram.executable.path]
                        + ["policy", "explain", policy, destination]
                ).output
            }
            // A full name that does not exist, with its dot and without; one label; one in the hosts file; one that is written out.
            for name in ["api.example.test", "api.example.test.", "web"] {
                let output = try await explain("\(name):80")
                #expect(output.contains("was not found"), "\(output)")
            }
            #expect(try await explain("web:80").contains("a name of one label is looked up in DNS only if"))
            #expect(try await explain("there.corp.test:80").contains("denied by the entry"))
            #expect(try await explain("api.example:80").contains("resolves to 192.0.2.1"))
            #expect(try await explain("printer:80").contains("resolves to 198.51.100.7"))
            #expect(try await explain("db:5432").contains("resolves to 192.0.2.1"))
            let asked = Set(dns.output.text.split(separator: "\n").map(String.init))
            #expect(asked == ["serving", "asked api.example.test", "asked api.example", "asked db"])
            await dns.kill()
        }
    }
}
