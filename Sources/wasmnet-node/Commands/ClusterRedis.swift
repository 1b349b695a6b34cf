import Foundation
import RedisClient
import Wasmnet
import WasmnetCluster

extension RedisArguments {
    /// Connects, does the work, and disconnects.
    ///
    /// - Throws: ``Wasmnet/ConfigurationError`` if no Redis is named or it refuses, ``CommandFailure`` if it cannot be reached; otherwise
    ///   what the work throws.
    func withRedis<Result>(_ work: (RedisClient) async throws -> Result) async throws -> Result {
        guard let options = self.options(environment: ProcessInfo.processInfo.environment) else {
            throw ConfigurationError("name the cluster's Redis by --redis or WASMNET_REDIS")
        }
        let redis = try options.makeClient(name: "wasmnet-node-command")
        do {
            try await redis.connect()
            let result = try await work(redis)
            await redis.close()
            return result
        } catch {
            await redis.close()
            guard let mayPass = (error as? RedisError)?.mayPass ?? (error as? DenylistStoreError)?.mayPass else {
                throw error
            }
            let text = "\(options.name): \(error)"
            throw mayPass ? CommandFailure(text) : ConfigurationError(text)
        }
    }
}
