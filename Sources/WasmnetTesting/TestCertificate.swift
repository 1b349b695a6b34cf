import Foundation

/// A self-signed certificate for one name, created by the openssl command.
package struct TestCertificate {
    struct CommandFailed: Error {}

    package let certificatePath: String
    package let keyPath: String
    private let directory: String

    package init(name: String) throws {
        directory = NSTemporaryDirectory() + "redis-tls-\(UInt64.random(in: 0...UInt64.max))"
        certificatePath = directory + "/certificate.pem"
        keyPath = directory + "/key.pem"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let openssl = try SpawnedProcess(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-keyout", keyPath, "-out", certificatePath, "-days", "2", "-subj", "/CN=\(name)",
                "-addext", "subjectAltName=DNS:\(name)",
            ])
        guard openssl.wait() == 0 else { throw CommandFailed() }
    }

    package func remove() {
        try? FileManager.default.removeItem(atPath: directory)
    }
}
