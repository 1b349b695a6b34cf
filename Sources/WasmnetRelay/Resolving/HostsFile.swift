import WasmnetPolicy
import WasmnetNet

/// The machine's hosts file (hosts(5)), read anew for each lookup, as the C library does.
enum HostsFile {
    /// Anything beyond this size is not read.
    private static let maxBytes = 16 << 20

    /// The addresses of a name, in the file's order; empty if the file cannot be read.
    ///
    /// - Parameter name: in lower case; the file's names are compared case-insensitively.
    static func addresses(of name: String, in path: String = "/etc/hosts") -> [IPAddress] {
        guard let bytes = try? FileBytes.beginning(of: path, upTo: self.maxBytes) else { return [] }
        let name = ByteText(name)
        var addresses: [IPAddress] = []
        for line in ByteText(bytes.prefix(self.maxBytes)).lines {
            let fields = line.before("#").words
            guard let first = fields.first, fields.dropFirst().contains(where: { $0.isEqual(ignoringCase: name) }),
                let address = IPAddress(first.text)?.withoutV4Mapping, !addresses.contains(address)
            else { continue }
            addresses.append(address)
        }
        return addresses
    }
}
