import Foundation
import Testing
import WasmnetNet
import WasmnetTesting

extension NodeTests {
    /// Calls that the sources may not contain. (They are read here, so these tests may use them.)
    @Suite struct SourceTests {
        /// Calls that split or compare a String by Characters (grapheme clusters), or by Unicode's rules of case and space: untrusted text
        /// is handled with ByteText.
        private static let calls = [
            #"\.split\(separator: ""#, #"\.split\((separator: [^,)]*, )?maxSplits"#, #"\.split\(whereSeparator: \\"#,
            #"\.split \{"#,
            #"components\(separatedBy"#, "trimmingCharacters", "replacingOccurrences", "replacing\\(",
            #"\.has(Prefix|Suffix)\("#, #"\.utf8\.(starts|split)\("#,
            #"\.(lower|upper)cased\(\)"#, "isWhitespace", "isNewline", "isLetter", "hexDigitValue",
            "wholeNumberValue",
            #"\.(first|last)Index\(of: ""#, #"\.contains\(""#, #"\brange\(of:"#, "caseInsensitiveCompare", "localized",
            #"(prefix|drop|filter|where|while)(: |\()? ?\{ \$0 [!=]= ""#,
        ]

        /// File and call, with the reason why the text is trusted.
        private static let exceptions = [
            // Names of our own.
            "PrometheusMetrics/MetricName.swift", "PrometheusMetrics/LabelSet.swift",
            "PrometheusMetrics/PrometheusRegistry.swift", "WasmnetAdmin/HTTP/Route.swift",
            // The kernel's text.
            "PrometheusMetrics/ProcessMetrics.swift",
            // A library's words.
            "WasmnetRelay/Dial/TargetTLS.swift",
            // The type itself.
            "WasmnetQuota/ClientName.swift", "WasmnetNet/Text/TextFault.swift",
        ]

        @Test func textFromOutsideIsReadByBytes() throws {
            try Self.check(Self.calls, except: Self.exceptions)
        }

        @Test func oneFileReadsTheClocks() throws {
            try Self.check(
                [
                    #"\bDate\(\)"#, #"Deadline\.now\b"#, "ContinuousClock", "SuspendingClock", "DispatchTime",
                    "clock_gettime",
                    "gettimeofday", #"\btime\(nil\)"#,
                ], except: ["WasmnetNet/Time/MachineClock.swift"])
        }

        @Test func oneTypeGuardsSharedValues() throws {
            try Self.check(
                ["NIOLock", #"\bMutex\b"#, "pthread_mutex", "NSLock"],
                except: ["WasmnetNet/Sharing/Guarded.swift"])
        }

        /// The fuzzers are a package that links to sources; nothing else in the tests' build would miss a folder that has moved.
        @Test func everyLinkLeadsToAFile() throws {
            let root = NodeProgram.root.appending(path: "Tests")
            let links = try #require(FileManager.default.enumerator(atPath: root.path)).compactMap { $0 as? String }
                .filter {
                    (try? FileManager.default.destinationOfSymbolicLink(atPath: root.appending(path: $0).path)) != nil
                }
            #expect(links.count >= 4)
            for link in links {
                #expect(FileManager.default.fileExists(atPath: root.appending(path: link).path), "\(link)")
            }
        }

        /// Finds a call of the list in no file of Sources except the exceptions, and in each of these.
        private static func check(_ calls: [String], except exceptions: [String]) throws {
            let root = NodeProgram.root.appending(path: "Sources")
            let call = try NSRegularExpression(pattern: calls.joined(separator: "|"))
            var found: [String] = []
            var unused = Set(exceptions)
            for case let path as String in try #require(FileManager.default.enumerator(atPath: root.path)) {
                guard path.hasSuffix(".swift"), !path.hasPrefix("WasmnetTesting/") else { continue }
                let text = try String(contentsOf: root.appending(path: path), encoding: .utf8)
                for (index, line) in text.components(separatedBy: "\n").enumerated() {
                    let code = line.trimmingCharacters(in: .whitespaces)
                    let range = NSRange(code.startIndex..., in: code)
                    guard !code.hasPrefix("//"), call.firstMatch(in: code, range: range) != nil else { continue }
                    if exceptions.contains(path) {
                        unused.remove(path)
                    } else {
                        found.append("\(path):\(index + 1): \(code)")
                    }
                }
            }
            #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
            #expect(unused.isEmpty, "exceptions that are none: \(unused)")
        }
    }
}
