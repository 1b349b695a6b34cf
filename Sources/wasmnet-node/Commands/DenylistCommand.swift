import ArgumentParser
import Foundation
import Wasmnet
import WasmnetCluster
import WasmnetPolicy
import WasmnetNet

struct DenylistCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "denylist",
        abstract: "Show and edit the denylist: targets that no client may reach, and clients that may reach nothing.",
        discussion: """
            An ENTRY is an address or network (203.0.113.7, 10.0.0.0/8, [2001:db8::1]:443), a name or wildcard (api.example.com, *.example.org:25), \
            or a client (client:a:203.0.113.7, client:t:NAME). Live sockets and sessions that match end.

            The list is the cluster's, in Redis (--redis), or that of one node without Redis, through its admin server (--admin).
            """,
        subcommands: [Add.self, Remove.self, List.self, Import.self, Export.self])

    static func subject(_ text: String) throws -> DenylistSubject {
        do throws(DenylistError) {
            return try DenylistSubject(text)
        } catch {
            throw ConfigurationError("\"\(text.shown())\": \(error.description)")
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add entries; an existing entry gets the new time and reason.")

        @Argument(help: "Entries to add.") var entries: [String]
        @Option(
            parsing: .unconditional,
            help: ArgumentHelp("How long the entries last: 90s, 30m, 24h, 7d. Without it, forever.", valueName: "time"))
        var ttl: TimeSpan?
        @Option(
            parsing: .unconditional, help: ArgumentHelp("The reason, one line for people to read.", valueName: "words"))
        var reason: String?
        @OptionGroup var place: DenylistTarget

        func run() async throws {
            let expiry: DenylistExpiry =
                try self.ttl.map { .after(milliseconds: try $0.checked("--ttl", atMost: .century).seconds * 1000) }
                ?? .never
            let reason: DenylistReason?
            do throws(DenylistError) {
                reason = try self.reason.flatMap { (text) throws(DenylistError) in try DenylistReason(text) }
            } catch {
                throw ConfigurationError("--reason: \(error.description)")
            }
            let changes = try self.entries.map {
                DenylistChange.add(try DenylistCommand.subject($0), expiry, reason: reason)
            }
            try await self.place.open { print(try await $0.change(changes).text) }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove entries; those that are not in the list are ignored.")

        @Argument(help: "Entries to remove.") var entries: [String]
        @OptionGroup var place: DenylistTarget

        func run() async throws {
            let changes = try self.entries.map { DenylistChange.remove(try DenylistCommand.subject($0)) }
            try await self.place.open { print(try await $0.change(changes).text) }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show all entries.")

        @OptionGroup var place: DenylistTarget
        @Flag(help: "JSON instead of a table.") var json = false

        func run() async throws {
            let entries = try await self.place.open { try await $0.entries() }
            guard !self.json else { return try JSONOutput.print(entries.map(Row.init)) }
            guard !entries.isEmpty else { return print("The denylist is empty.") }
            var table = TextTable([("ENTRY", .left), ("UNTIL", .left), ("REASON", .left)])
            for entry in entries {
                table.add([entry.text, entry.expiry?.description ?? "-", entry.reason?.text ?? ""])
            }
            Terminal.say(table.text)
        }

        private struct Row: Encodable {
            let entry: String
            let until: String?
            let reason: String?

            init(_ entry: DenylistEntry) {
                self.entry = entry.text
                self.until = entry.expiry?.description
                self.reason = entry.reason?.text
            }
        }
    }

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add the entries of a list file.",
            discussion: """
                One ENTRY a line, optionally followed by until=2026-11-25T08:30:00Z and reason=WORDS; # begins a comment. A file with an error \
                changes nothing.
                """)

        @Argument(help: "A list file; - is standard input.") var file: String
        @Flag(help: "Replace the list: entries that the file does not name are removed.") var replace = false
        @OptionGroup var place: DenylistTarget

        func run() async throws {
            let bytes: Data
            do throws(FileBytes.Failure) {
                // Room for a million entries, a list's maximum, with a short reason each.
                let most = 256 << 20
                let content =
                    try self.file == "-"
                    ? FileBytes.readStandardInput(upTo: most)
                    : FileBytes.read(self.file, upTo: most, of: .anything)
                bytes = Data(content)
            } catch {
                throw ConfigurationError("\(self.file): the file cannot be read: \(error)")
            }
            let entries: [DenylistEntry]
            do throws(DenylistFile.Failure) {
                entries = try DenylistFile.read(bytes, name: self.file == "-" ? "standard input" : self.file)
            } catch {
                throw ConfigurationError(error.description)
            }
            try await self.place.open { [replace] in print(try await $0.load(entries, replaces: replace).text) }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the list as a file that import reads.")

        @OptionGroup var place: DenylistTarget

        func run() async throws {
            let entries = try await self.place.open { try await $0.entries() }
            try FileHandle.standardOutput.write(contentsOf: Data(DenylistFile.write(entries).utf8))
        }
    }
}
