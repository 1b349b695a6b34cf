// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioFoundation = Target.Dependency.product(name: "NIOFoundationCompat", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket = Target.Dependency.product(name: "NIOWebSocket", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioConcurrency = Target.Dependency.product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let hashTrees = Target.Dependency.product(name: "HashTreeCollections", package: "swift-collections")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let coreMetrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let tracing = Target.Dependency.product(name: "Tracing", package: "swift-distributed-tracing")
let inMemoryTracing = Target.Dependency.product(name: "InMemoryTracing", package: "swift-distributed-tracing")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let jwtKit = Target.Dependency.product(name: "JWTKit", package: "jwt-kit")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")

// What `--version` tells beside the number.
let commit = Context.gitInformation?.currentCommit ?? ""

let package = Package(
    name: "wasmnet",
    products: [
        .library(name: "Wasmnet", targets: ["Wasmnet"]),
        .executable(name: "wasmnet-node", targets: ["wasmnet-node"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", exact: "1.7.3"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", exact: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        .package(url: "https://github.com/LebJe/TOMLKit", exact: "0.6.0"),
        .package(url: "https://github.com/vapor/jwt-kit", exact: "5.7.1"),
    ],
    targets: [
        // The ground floor: text by bytes, addresses, time, files. Imports nothing of the project's.
        .target(name: "WasmnetNet", swiftSettings: strict),
        // The wire language: messages and codecs over ByteBuffer; no I/O.
        .target(name: "WasmnetProtocol", dependencies: ["WasmnetNet", nioCore], swiftSettings: strict),
        // How much? Pure values, the ledger protocol, the in-process ledger.
        .target(name: "WasmnetQuota", dependencies: ["WasmnetNet"], swiftSettings: strict),
        // May it be reached, and how much by whom? Pure values.
        .target(
            name: "WasmnetPolicy", dependencies: ["WasmnetQuota", "WasmnetNet", hashTrees, heap], swiftSettings: strict
        ),
        // What Linux has in C headers that Swift cannot read: epoll(7), rtnetlink(7).
        .target(name: "CLinux"),
        // The data plane: sessions, streams, dialing.
        .target(
            name: "WasmnetRelay",
            dependencies: [
                "CLinux", "WasmnetProtocol", "WasmnetPolicy", "WasmnetQuota", "WasmnetNet",
                nioCore, nioPosix, nioHTTP1, nioWebSocket, nioSSL, nioTLS, logging, deque,
            ],
            swiftSettings: strict
        ),
        // TOML text to a Policy value; the only user of TOMLKit.
        .target(
            name: "WasmnetPolicyFile",
            dependencies: [
                "WasmnetPolicy", "WasmnetQuota", "WasmnetNet", .product(name: "TOMLKit", package: "TOMLKit"),
            ],
            swiftSettings: strict
        ),
        // Who a client is: addresses behind proxies, static tokens, JWTs; the only user of JWTKit.
        .target(
            name: "WasmnetIdentity",
            dependencies: [
                "WasmnetPolicy", "WasmnetProtocol", "WasmnetQuota", "WasmnetRelay", "WasmnetNet", nioCore, nioHTTP1,
                logging, jwtKit, crypto,
            ],
            swiftSettings: strict
        ),
        .target(name: "CBuildInfo", cSettings: [.define("WASMNET_COMMIT", to: "\"\(commit)\"")]),
        // The composition root and the embedding API.
        .target(
            name: "Wasmnet",
            dependencies: [
                "CBuildInfo", "PrometheusMetrics", "RedisClient", "WasmnetAdmin", "WasmnetCluster", "WasmnetIdentity",
                "WasmnetRelay",
                "WasmnetProtocol", "WasmnetPolicy", "WasmnetPolicyFile", "WasmnetQuota", "WasmnetNet",
                nioCore, nioPosix, nioHTTP1, nioWebSocket, nioSSL, crypto, logging, lifecycle,
                coreMetrics,
                tracing,
            ],
            swiftSettings: strict
        ),
        // Redis by hiredis's protocol over NIO's sockets; knows nothing of wasmnet.
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .target(
            name: "RedisClient",
            dependencies: ["CHiredis", "WasmnetNet", crypto, nioCore, nioPosix, nioSSL],
            swiftSettings: strict
        ),
        // Quotas, nodes and denylist shared in Redis.
        .target(
            name: "WasmnetCluster",
            dependencies: [
                "RedisClient", "WasmnetPolicy", "WasmnetQuota", "WasmnetNet", nioCore, nioPosix,
                logging,
            ],
            resources: [.embedInCode("Scripts")],
            swiftSettings: strict
        ),
        // A swift-metrics backend with Prometheus' text and OpenMetrics; knows nothing of wasmnet.
        .target(
            name: "PrometheusMetrics", dependencies: ["WasmnetNet", coreMetrics], swiftSettings: strict
        ),
        // The admin server: metrics, health and the API, over a backend protocol of its own.
        .target(
            name: "WasmnetAdmin",
            dependencies: [
                "PrometheusMetrics", "WasmnetQuota", "WasmnetNet", nioCore, nioHTTP1, nioPosix,
                logging,
                crypto,
            ],
            // Tells Node, which tests the dashboard's parts, what they are.
            exclude: ["Dashboard/package.json"],
            resources: [.embedInCode("openapi.json"), .embedInCode("Dashboard")],
            swiftSettings: strict
        ),
        .target(name: "CNodeSystem"),
        .executableTarget(
            name: "wasmnet-node",
            dependencies: [
                "CNodeSystem",
                "RedisClient", "Wasmnet", "WasmnetAdmin", "WasmnetCluster", "WasmnetIdentity",
                "WasmnetPolicy", "WasmnetPolicyFile", "WasmnetQuota", "WasmnetNet",
                argumentParser, asyncHTTPClient, logging, lifecycle, nioCore, nioFoundation, nioHTTP1, nioPosix,
                "WasmnetRelay",
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "embed-example", dependencies: ["Wasmnet"], path: "Examples/Embed", swiftSettings: strict),
        // The load generator of `make bench`.
        .executableTarget(
            name: "wasmnet-bench",
            dependencies: [
                "CLinux", "RedisClient", "WasmnetCluster", "WasmnetPolicy", "WasmnetProtocol", "WasmnetNet",
                "WasmnetQuota",
                nioCore, nioPosix, logging, argumentParser,
            ],
            path: "Benchmarks/WasmnetBench",
            swiftSettings: strict
        ),
        // Clocks, fakes and harnesses for the tests.
        .target(name: "CSpawn"),
        .target(
            name: "WasmnetTesting",
            dependencies: [
                "CSpawn", "RedisClient", "Wasmnet", "WasmnetCluster", "WasmnetPolicy", "WasmnetProtocol",
                "WasmnetNet", "WasmnetQuota",
                "WasmnetRelay",
                nioCore, nioPosix, nioHTTP1, nioWebSocket, nioSSL, nioConcurrency, logging,
            ],
            swiftSettings: strict
        ),
        // What `make test-autobahn` is sent against.
        .executableTarget(
            name: "autobahn-echo",
            dependencies: ["WasmnetRelay", "WasmnetTesting", nioCore, nioPosix, nioHTTP1, nioWebSocket],
            path: "Tests/Autobahn", swiftSettings: strict),
        // One module at a time, without a network.
        .testTarget(
            name: "UnitTests",
            dependencies: [
                "PrometheusMetrics", "WasmnetPolicy", "WasmnetPolicyFile", "WasmnetProtocol", "WasmnetQuota",
                "WasmnetRelay",
                "WasmnetTesting", "WasmnetNet", coreMetrics, nioConcurrency, nioCore, nioEmbedded, nioHTTP1, nioPosix,
                nioWebSocket, logging,
            ],
            swiftSettings: strict
        ),
        // One node in this process, its clients and targets on real sockets.
        .testTarget(
            name: "WireTests",
            dependencies: [
                "Wasmnet", "WasmnetCluster", "WasmnetIdentity", "WasmnetPolicy", "WasmnetPolicyFile", "WasmnetProtocol",
                "WasmnetNet", "WasmnetQuota", "WasmnetRelay", "WasmnetTesting", nioConcurrency, nioCore, nioEmbedded,
                nioHTTP1,
                nioPosix,
                nioSSL, nioTLS, nioWebSocket, crypto, jwtKit, logging,
            ],
            swiftSettings: strict
        ),
        // What nodes share, on a real Redis.
        .testTarget(
            name: "ClusterTests",
            dependencies: [
                "RedisClient", "Wasmnet", "WasmnetCluster", "WasmnetPolicy", "WasmnetPolicyFile", "WasmnetProtocol",
                "WasmnetNet", "WasmnetQuota", "WasmnetRelay", "WasmnetTesting", nioConcurrency, nioCore, nioEmbedded,
                nioPosix,
                nioSSL,
                logging,
            ],
            swiftSettings: strict
        ),
        // The admin port: the server alone, and with a node behind it.
        .testTarget(
            name: "AdminTests",
            dependencies: [
                "PrometheusMetrics", "Wasmnet", "WasmnetAdmin", "WasmnetPolicy", "WasmnetPolicyFile", "WasmnetProtocol",
                "WasmnetNet", "WasmnetQuota", "WasmnetRelay", "WasmnetTesting", asyncHTTPClient, coreMetrics,
                inMemoryTracing,
                logging, nioConcurrency, nioCore, nioFoundation, nioHTTP1, nioPosix, tracing,
            ],
            swiftSettings: strict
        ),
        // The program: its commands, flags, exit codes and words.
        .testTarget(
            name: "NodeTests",
            dependencies: [
                "wasmnet-node", "Wasmnet", "WasmnetCluster", "WasmnetPolicy", "WasmnetProtocol", "WasmnetNet",
                "WasmnetQuota",
                "WasmnetRelay", "WasmnetTesting", argumentParser, logging, nioCore, nioHTTP1, nioPosix,
            ],
            swiftSettings: strict
        ),
        // A session's whole life in virtual time.
        .testTarget(
            name: "SimulationTests",
            dependencies: [
                "WasmnetPolicy", "WasmnetProtocol", "WasmnetNet", "WasmnetQuota", "WasmnetRelay", "WasmnetTesting",
                nioCore,
                nioEmbedded, nioConcurrency, logging, deque,
            ],
            swiftSettings: strict
        ),
    ]
)
