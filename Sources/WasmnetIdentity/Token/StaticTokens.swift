import Crypto
import Foundation
import WasmnetPolicy
import WasmnetProtocol
import WasmnetNet
import WasmnetQuota

/// Tokens listed in a file by their hashes: the file reveals no token.
///
/// One per line: the token's SHA-256 in hexadecimal, the client's name as ``ClientName/encoded(_:)`` writes it, and a tier if it has one,
/// separated by spaces; `#` begins a comment.
package struct StaticTokens: Sendable {
    private struct Entry: Sendable {
        var hash: [UInt8]
        var grant: TokenGrant
    }

    private let entries: [Entry]

    /// The most lines used; each is compared at each admission.
    package static let maxTokens = 10_000
    /// The fewest bytes a token may have: a shorter one could be guessed from its hash.
    package static let fewestBytes = 16

    package var count: Int { self.entries.count }
    package var tiers: Set<String> { Set(self.entries.compactMap(\.grant.tier)) }

    /// - Throws: ``IdentityFileError`` with the line.
    package init(file path: String) throws(IdentityFileError) {
        try self.init(bytes: try IdentityFile.bytes(path), file: path)
    }

    /// - Parameter file: the name used in errors.
    package init(bytes: [UInt8], file: String) throws(IdentityFileError) {
        var entries: [Entry] = []
        var hashes: Set<[UInt8]> = []
        for (index, line) in try IdentityFile.text(bytes, file: file).lines.enumerated() {
            let fields = line.before("#").words
            guard !fields.isEmpty else { continue }
            func wrong(_ words: String) -> IdentityFileError { IdentityFileError("\(file):\(index + 1): \(words)") }
            guard (2...3).contains(fields.count), let hash = fields[0].hexDecoded, hash.count == 32 else {
                throw wrong(
                    "a line is the SHA-256 of a token in 64 hexadecimal digits, a client's name, and optionally a tier")
            }
            guard let subject = ClientName.decoded(fields[1]) else { throw wrong(Self.nameRule) }
            let tier = fields.count == 3 ? fields[2].text : nil
            guard tier.map(Policy.isTierName) != false else { throw wrong(Policy.tierNameRule) }
            guard hashes.insert(hash).inserted else { throw wrong("the same token is on an earlier line") }
            guard entries.count < Self.maxTokens else { throw wrong("more than \(Self.maxTokens) tokens") }
            entries.append(Entry(hash: hash, grant: TokenGrant(subject: subject, tier: tier)))
        }
        guard !entries.isEmpty else { throw IdentityFileError("\(file): there is no token in it") }
        self.entries = entries
    }

    /// The grant of a token. The work is the same whichever line matches, or none.
    package func grant(for token: String) -> TokenGrant? {
        let hash = Array(SHA256.hash(data: Array(token.utf8)))
        var found: Int?
        for (index, entry) in self.entries.enumerated() {
            let difference = zip(entry.hash, hash).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) }
            found = difference == 0 ? index : found
        }
        return found.map { self.entries[$0].grant }
    }

    /// 256 bits from the system's generator, as text.
    package static func newToken() -> String {
        Base64URL.encode((0..<32).map { _ in UInt8.random(in: .min ... .max) })
    }

    /// The line that lists a token.
    ///
    /// - Throws: ``IdentityFileError`` with the rule for a token, a name or a tier.
    package static func line(token: String, client: String, tier: String?) throws(IdentityFileError) -> String {
        guard (Self.fewestBytes...4096).contains(token.utf8.count),
            token.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ",") })
        else {
            throw IdentityFileError(
                "a token is \(Self.fewestBytes) to 4096 visible ASCII characters without commas; use a random one")
        }
        guard ClientName.isName(client) else { throw IdentityFileError(ClientName.rule) }
        guard tier.map(Policy.isTierName) != false else { throw IdentityFileError(Policy.tierNameRule) }
        let hash = SHA256.hash(data: Array(token.utf8)).hexadecimal
        return ([hash, ClientName.encoded(client)] + (tier.map { [$0] } ?? [])).joined(separator: " ")
    }

    private static let nameRule = "\(ClientName.rule); a blank, #, % and quotes are percent-encoded here"
}
