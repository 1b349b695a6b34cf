// swift-tools-version: 6.2
import PackageDescription

// A package of its own, as only here everything is built with libFuzzer's instrumentation. The protocol is the same
// code by a link in Sources, and so in the same package: `package` declarations are seen. Build with `--sanitize
// fuzzer`.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")

let package = Package(
    name: "wasmnet-fuzz",
    dependencies: [.package(url: "https://github.com/apple/swift-nio", exact: "2.101.2")],
    targets: [
        .target(name: "WasmnetProtocol", dependencies: [nioCore], swiftSettings: strict),
        .executableTarget(
            name: "protocol-fuzz", dependencies: ["WasmnetProtocol", nioCore], path: ".",
            exclude: ["Sources", "protocol.dict"],
            sources: ["ProtocolFuzz.swift"],
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]),
    ]
)
