import Foundation
import NIOCore
import Testing
import WasmnetTesting

@testable import RedisClient

@Suite struct EventBufferTests {
    private func message(_ text: String) -> RedisSubscriber.Event {
        .message(channel: "c", payload: ByteBuffer(string: text))
    }

    @Test func whatWasDroppedIsToldBehindTheLastEvent() async {
        let buffer = EventBuffer(capacity: 2)
        for text in ["a", "b", "lost"] { buffer.append(message(text)) }
        #expect(await buffer.next() == message("a"))
        // Not in between: the reader must learn about the loss before any later message.
        buffer.append(message("lost too"))
        #expect(await buffer.next() == message("b"))
        #expect(await buffer.next() == .gap(.overflow))
        buffer.append(message("c"))
        buffer.finish()
        buffer.append(message("late"))
        #expect(await buffer.next() == message("c"))
        #expect(await buffer.next() == nil)
    }

    @Test func aWaitingReaderIsWoken() async {
        let buffer = EventBuffer(capacity: 1)
        async let first = buffer.next()
        while !buffer.hasReader { await Task.yield() }
        buffer.append(message("a"))
        #expect(!buffer.hasReader)
        #expect(await first == message("a"))
        async let last = buffer.next()
        while !buffer.hasReader { await Task.yield() }
        buffer.finish()
        #expect(await last == nil)
    }
}

extension WithServers {
    @Suite struct SubscriberTests {
        private func message(_ channel: String, _ text: String) -> RedisSubscriber.Event {
            .message(channel: channel, payload: ByteBuffer(string: text))
        }

        @Test func messagesAndTheGapOfAKilledConnection() async throws {
            try await withServer { server in
                let subscriber = try RedisSubscriber(
                    server.url, channels: ["one", "two"], options: testOptions(), group: group)
                var events = subscriber.events.makeAsyncIterator()
                #expect(await events.next() == .gap(.started))
                for (channel, text) in [("one", "a"), ("two", "b"), ("one", "c")] {
                    #expect(try await server.command("PUBLISH", .string(channel), .string(text)).int == 1)
                    #expect(await events.next() == message(channel, text))
                }
                #expect(try await server.command("CLIENT", "KILL", "TYPE", "pubsub").int == 1)
                #expect(await events.next() == .gap(.reconnected))
                try await server.command("PUBLISH", "two", "d")
                #expect(await events.next() == message("two", "d"))
                subscriber.close()
                #expect(await events.next() == nil)
            }
        }

        @Test func aPeerThatFallsSilentIsNoticed() async throws {
            let links = LinkEvents()
            try await withServer { server in
                let subscriber = try RedisSubscriber(
                    server.url, channels: ["c"], options: testOptions(links), pingInterval: .milliseconds(50),
                    group: group)
                var events = subscriber.events.makeAsyncIterator()
                #expect(await events.next() == .gap(.started))
                server.pause()
                let reason = try await links.nextDown()
                #expect(reason == .connectionLost(server.endpoint, "a command's deadline passed"))
                server.resume()
                #expect(await events.next() == .gap(.reconnected))
                subscriber.close()
            }
        }

        @Test func aChannelThatIsNotAllowedFailsTheAttempt() async throws {
            let links = LinkEvents()
            try await withServer("port PORT\nuser default on nopass +@all resetchannels &open") { server in
                let subscriber = try RedisSubscriber(
                    server.url, channels: ["open", "shut"], options: testOptions(links), group: group)
                guard case .server(let error) = try await links.nextDown(), error.code == "NOPERM" else {
                    Issue.record("failed otherwise")
                    return
                }
                subscriber.close()
            }
        }
    }
}
