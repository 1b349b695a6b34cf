import Foundation
import NIOSSL
import Testing
import Wasmnet

/// Certificates that `openssl` makes for one run of the tests: an authority that the nodes under test trust, certificates signed by it, and
/// ones signed by an unknown authority.
struct TestCertificates: Sendable {
    enum Kind: String, CaseIterable, Sendable {
        /// For `localhost` and `127.0.0.1`.
        case good
        /// For `elsewhere.test` and `192.0.2.1`.
        case wrongName = "wrong-name"
        /// Like ``good``, until yesterday.
        case expired
        /// Like ``good``, but signed by an authority that the node does not know.
        case stranger
    }

    private let directory: URL

    private init(directory: URL) {
        self.directory = directory
    }

    @TaskLocal private static var made: TestCertificates?

    /// The certificates of the suite that runs.
    static var current: TestCertificates {
        get throws { try #require(Self.made, "the suite lacks the trait .testCertificates") }
    }

    /// The PEM file of the authority for a node to trust.
    var authority: String { self.path("authority.pem") }

    /// The PEM files of a server.
    func files(_ kind: Kind) -> ServerConfiguration.TLSFiles {
        .init(certificate: self.path("\(kind.rawValue).pem"), key: self.path("\(kind.rawValue).key"))
    }

    /// The TLS configuration of a server with one of the certificates, before a test changes it.
    func server(_ kind: Kind) throws -> TLSConfiguration {
        let files = self.files(kind)
        let chain = try NIOSSLCertificate.fromPEMFile(files.certificate)
        return TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem)))
    }

    /// A client that trusts only the authority.
    func client() throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .file(self.authority)
        return configuration
    }

    private func path(_ name: String) -> String { self.directory.appending(path: name).path }

    // MARK: Making them

    fileprivate static func with(_ body: () async throws -> Void) async throws {
        try await TemporaryDirectory.with { directory in
            let made = TestCertificates(directory: directory)
            try await made.makeAuthority("authority")
            try await made.makeAuthority("unknown")
            for kind in Kind.allCases { try await made.make(kind) }
            try await Self.$made.withValue(made) { try await body() }
        }
    }

    private static let newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    private func makeAuthority(_ name: String) async throws {
        try await self.openssl(
            ["req", "-x509"] + Self.newKey + [
                "-keyout", "\(name).key", "-out", "\(name).pem", "-days", "2", "-subj", "/CN=\(name)",
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign",
            ])
    }

    private func make(_ kind: Kind) async throws {
        let name = kind.rawValue
        let issuer = kind == .stranger ? "unknown" : "authority"
        let subjects = kind == .wrongName ? "DNS:elsewhere.test,IP:192.0.2.1" : "DNS:localhost,IP:127.0.0.1"
        try await self.openssl(
            ["req"] + Self.newKey + [
                "-keyout", "\(name).key", "-out", "\(name).csr", "-subj", "/CN=\(name)",
                "-addext", "subjectAltName=\(subjects)",
            ])
        try await self.openssl([
            "x509", "-req", "-in", "\(name).csr", "-CA", "\(issuer).pem", "-CAkey", "\(issuer).key",
            "-set_serial", "\(kind.hashValue.magnitude)", "-copy_extensions", "copy",
            "-days", kind == .expired ? "-1" : "2", "-out", "\(name).pem",
        ])
    }

    private func openssl(_ arguments: [String]) async throws {
        try await PeerProcess.run("openssl", arguments, in: self.directory.path)
    }
}

/// Makes the certificates before a suite and removes them after it.
struct TestCertificatesTrait: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await TestCertificates.with(function)
    }
}

extension Trait where Self == TestCertificatesTrait {
    static var testCertificates: Self { Self() }
}
