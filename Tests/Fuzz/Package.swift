// swift-tools-version: 6.2
import PackageDescription

// A package of its own, as only here everything is built with libFuzzer's instrumentation. What is fuzzed is the same
// code by links in Sources, and so in the same package: `package` declarations are seen. Build with `--sanitize
// fuzzer`.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")

let package = Package(
    name: "wasmnet-fuzz",
    dependencies: [.package(url: "https://github.com/apple/swift-nio", exact: "2.101.2")],
    targets: [
        .target(name: "WasmnetNet", swiftSettings: strict),
        .target(name: "WasmnetProtocol", dependencies: ["WasmnetNet", nioCore], swiftSettings: strict),
        .executableTarget(
            name: "protocol-fuzz", dependencies: ["WasmnetProtocol", nioCore], path: ".",
            exclude: ["Sources", "protocol.dict", "head.dict", "HeadFuzz.swift"],
            sources: ["ProtocolFuzz.swift"],
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]),
        .target(name: "UpgradeHead", dependencies: ["WasmnetNet", nioCore, nioHTTP1], swiftSettings: strict),
        .executableTarget(
            name: "head-fuzz", dependencies: ["UpgradeHead", nioCore, nioHTTP1, nioEmbedded], path: ".",
            exclude: ["Sources", "protocol.dict", "head.dict", "ProtocolFuzz.swift"],
            sources: ["HeadFuzz.swift"],
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]),
    ]
)
