import NIOCore
import RedisClient
import Testing
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

extension OnRedis {
    /// One model, two engines: the same operations under one clock, the same answers.
    @Suite struct DifferentialTests {
        /// Together 100,000.
        @Test(arguments: [11, 12, 13, 14] as [UInt64]) func theScriptsAnswerAsTheModelDoes(seed: UInt64) async throws {
            try await withRedis { _, redis in
                // A script that has to be sent again comes out of order.
                for script in [ClusterScripts.reserve, ClusterScripts.grant] {
                    try await redis.send(["SCRIPT", "LOAD", .string(script.source)])
                }
                try await beginData(redis)
                var log = OperationLog(seed: seed, clients: 25, redis: redis)
                var refusals: Set<QuotaKind> = []
                var (admitted, differences) = (0, 0)
                for _ in 0..<25 where differences == 0 {
                    var asked: [(OperationLog.Step, EventLoopFuture<RESPValue>)] = []
                    for _ in 0..<1000 {
                        let step = log.next()
                        asked.append((step, redis.submit(step.script, keys: step.keys, arguments: step.arguments)))
                    }
                    for (step, reply) in asked {
                        let numbers = try await reply.get().array?.compactMap(\.int64) ?? []
                        let answer = step.read(numbers)
                        switch answer {
                        case .refused(let refusal): refusals.insert(refusal.kind)
                        case .charged(let pause, let day):
                            if pause != nil { refusals.insert(.bandwidth) }
                            if day != nil { refusals.insert(.dayBytes) }
                        case .admitted: admitted += 1
                        case .released, nil: break
                        }
                        guard answer != step.expected else { continue }
                        differences += 1
                        if differences <= 3 {
                            Issue.record(
                                """
                                seed \(seed), step \(step.number), \(step.words): the model answers \(step.expected), \
                                the script \(numbers)
                                """)
                        }
                    }
                }
                #expect(differences == 0, "seed \(seed)")
                #expect(refusals == Set(QuotaKind.allCases).subtracting([.unanswered]), "seed \(seed)")
                #expect(admitted > 5000, "seed \(seed): \(admitted)")
            }
        }
    }
}
