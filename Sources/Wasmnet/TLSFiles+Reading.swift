import NIOSSL
import WasmnetPolicy
import WasmnetNet

extension ServerConfiguration.TLSFiles {
    /// The TLS context of a listener for `wss://`.
    ///
    /// - Throws: ``ConfigurationError`` that says which file is wrong, and how.
    func context() throws(ConfigurationError) -> NIOSSLContext {
        let chain = try PEMFile.certificates(self.certificate)
        let key = try PEMFile.privateKey(self.key)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch NIOSSLError.failedToLoadPrivateKey {
            throw ConfigurationError("\(self.key): this is not the key of the first certificate in \(self.certificate)")
        } catch {
            throw ConfigurationError(
                "the certificate \(self.certificate) with the key \(self.key) cannot be used: \(error)")
        }
    }
}

extension ServerConfiguration {
    /// Checks that the configured certificates and keys are usable, before anything listens.
    package func checkCertificates() throws(ConfigurationError) {
        _ = try self.tls?.context()
        for path in self.extraAuthorities { _ = try PEMFile.certificates(path) }
    }
}

/// Certificates and keys as PEM files (RFC 7468).
enum PEMFile {
    /// All certificates of a file, in its order.
    static func certificates(_ path: String) throws(ConfigurationError) -> [NIOSSLCertificate] {
        let bytes = try self.bytes(path)
        guard self.holds("CERTIFICATE", bytes) else {
            throw ConfigurationError("\(path): there is no certificate in PEM (-----BEGIN CERTIFICATE-----)")
        }
        if let certificates = try? NIOSSLCertificate.fromPEMBytes(bytes), !certificates.isEmpty { return certificates }
        throw ConfigurationError("\(path): a certificate in it is damaged")
    }

    static func privateKey(_ path: String) throws(ConfigurationError) -> NIOSSLPrivateKey {
        let bytes = try self.bytes(path)
        guard self.holds("PRIVATE KEY", bytes) else {
            throw ConfigurationError("\(path): there is no private key in PEM (-----BEGIN PRIVATE KEY-----)")
        }
        if ByteText(bytes).holds("ENCRYPTED") {
            throw ConfigurationError("\(path): the private key is encrypted; give it without a passphrase")
        }
        if let key = try? NIOSSLPrivateKey(bytes: bytes, format: .pem) { return key }
        throw ConfigurationError("\(path): the private key is damaged, or of a kind that is not supported")
    }

    private static func bytes(_ path: String) throws(ConfigurationError) -> [UInt8] {
        do {
            return Array(ByteText(try FileBytes.read(path)).withoutByteOrderMark.bytes)
        } catch {
            throw ConfigurationError("\(path): the file cannot be read: \(error)")
        }
    }

    private static func holds(_ label: String, _ bytes: [UInt8]) -> Bool {
        ByteText(bytes).lines.contains { line in
            line.starts(with: "-----BEGIN ") && line.holds(ByteText(label + "-----"))
        }
    }
}
