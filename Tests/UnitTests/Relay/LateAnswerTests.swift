import NIOCore
import NIOEmbedded
import Testing
import WasmnetPolicy
import WasmnetProtocol

@testable import WasmnetRelay

/// Every answer that an opening waits for, after the socket has ended or its id belongs to another socket: it opens nothing, reports
/// nothing, and its resources are released.
@Suite struct LateAnswerTests {
    enum Opening: CaseIterable, Sendable {
        case stream, datagram, listener

        /// The waits, one after the other. A datagram socket is bound at once.
        var steps: [HeldNetwork.Step] {
            switch self {
            case .stream: [.slot, .lookup, .dial]
            case .datagram: [.slot, .lookup]
            case .listener: [.slot, .bind]
            }
        }

        func request(_ id: SocketID) -> Request {
            switch self {
            case .stream: .connect(id, host: "target.example", port: 80)
            case .datagram: .connectUDP(id, host: "target.example", port: 80)
            case .listener: .bind(id, host: "127.0.0.1", port: 7000)
            }
        }
    }

    enum End: CaseIterable, Sendable {
        case close, reset, byOperator, byPolicy, withSession
        /// Whether the client can open another socket with the same id.
        var leavesID: Bool { self != .withSession && self != .byPolicy }
    }

    private static let id: SocketID = 7

    private func harness(_ terms: TokenRestrictions = TokenRestrictions()) throws -> (CarrierHarness, HeldNetwork) {
        let loop = EmbeddedEventLoop()
        let network = HeldNetwork(loop: loop)
        var rules = Policy.Rules()
        rules.allow = [try PolicyEntry("*"), try PolicyEntry("198.51.100.7")]
        rules.bindPorts = PortSet([7000...7000])
        let harness = try CarrierHarness(.v2, policy: Policy(rules), loop: loop, network: network, terms: terms)
        _ = try harness.events()
        return (harness, network)
    }

    /// Runs an opening up to the unanswered question.
    private func open(
        _ opening: Opening, until step: HeldNetwork.Step, _ harness: CarrierHarness, _ network: HeldNetwork
    ) throws -> HeldNetwork.Question {
        try harness.receive(opening.request(Self.id))
        while let question = network.next() {
            if question.step == step { return question }
            question.answer(true)
            harness.loop.run()
        }
        throw ChannelError.operationUnsupported
    }

    private func end(_ end: End, _ harness: CarrierHarness) throws {
        switch end {
        case .close: try harness.receive(.close(Self.id))
        case .reset: try harness.receive(.reset(Self.id))
        case .byOperator: #expect(try #require(harness.session).table.endByOperator(Self.id))
        case .byPolicy: harness.environment.replacePolicy(Policy(Policy.Rules()))
        case .withSession: try harness.finish()
        }
        harness.loop.run()
    }

    /// Ends of the socket among events.
    private func ends(_ events: [Event]) -> Int {
        events.count { event in
            switch event {
            case .closed(Self.id, _, _), .refused(Self.id, _): true
            default: false
            }
        }
    }

    @Test(arguments: Opening.allCases, End.allCases) func afterAnEndNothingOpens(opening: Opening, end: End) throws {
        for step in opening.steps {
            for succeeds in [true, false] {
                let (harness, network) = try self.harness()
                let question = try self.open(opening, until: step, harness, network)
                try self.end(end, harness)
                let told = try harness.events()
                #expect(end == .withSession || self.ends(told) == 1, "\(step): \(told)")
                question.answer(succeeds)
                harness.loop.run()
                while let next = network.next() { Issue.record("\(step) \(succeeds): asks for \(next.step)") }
                #expect(try harness.events() == [], "\(step) \(succeeds)")
                #expect(network.slots == 0 && network.openChannels == 0, "\(step) \(succeeds)")
                #expect(try #require(harness.session).table.isEmpty, "\(step) \(succeeds)")
                try harness.finish()
            }
        }
    }

    @Test(arguments: Opening.allCases, Opening.allCases)
    func aSocketOfTheSameIDIsUntouched(opening: Opening, another: Opening) throws {
        for step in opening.steps {
            for end in End.allCases where end.leavesID {
                for succeeds in [true, false] {
                    let (harness, network) = try self.harness()
                    let question = try self.open(opening, until: step, harness, network)
                    try self.end(end, harness)
                    let told = try harness.events()
                    #expect(self.ends(told) == 1, "\(step) \(end): \(told)")
                    // The other waits for its slot, the first one for its own answer.
                    try harness.receive(another.request(Self.id))
                    let session = try #require(harness.session)
                    let socket = try #require(session.table[Self.id]).base
                    question.answer(succeeds)
                    harness.loop.run()
                    #expect(try harness.events() == [], "\(step) \(end) \(succeeds)")
                    #expect(session.table[Self.id]?.base === socket && socket.core.isOpening)
                    #expect(network.slots == 0 && network.openChannels == 0, "\(step) \(end) \(succeeds)")
                    // And it opens, if that needs no real port.
                    if another != .datagram {
                        while let next = network.next() {
                            next.answer(true)
                            harness.loop.run()
                        }
                        let events = try harness.events()
                        #expect(events.count == 1 && self.ends(events) == 0, "\(step) \(end) \(succeeds): \(events)")
                        #expect(socket.core.isOpen && network.slots == 1)
                    }
                    try harness.finish()
                    harness.advance(RelaySettings().linger)
                    #expect(network.openChannels == 0 && session.table.isEmpty)
                }
            }
        }
    }

    /// An incoming connection whose slot is granted when the listener, its session or its permission is gone.
    @Test(arguments: End.allCases, [true, false]) func anAcceptThatComesLate(end: End, succeeds: Bool) throws {
        let (harness, network) = try self.harness()
        let bind = try self.open(.listener, until: .bind, harness, network)
        bind.answer(true)
        harness.loop.run()
        let channel = try #require(try network.connectionComes())
        let slot = try #require(network.next())
        #expect(slot.step == .slot && channel.isActive)
        _ = try harness.events()
        try self.end(end, harness)
        if end.leavesID { try harness.receive(Opening.listener.request(Self.id)) }
        let told = try harness.events()
        #expect(end == .withSession || self.ends(told) == 1, "\(told)")
        slot.answer(succeeds)
        harness.loop.run()
        #expect(try harness.events() == [])
        #expect(!channel.isActive && network.slots == 0 && network.openChannels == 0)
        #expect(try #require(harness.session).table.count == (end.leavesID ? 1 : 0))
        try harness.finish()
    }

    /// A token that names one port allows binding it, also if the slot for it is late.
    @Test func aTokensPortIsBoundThoughItsSlotComesLate() throws {
        let terms = TokenRestrictions(allow: [try PolicyEntry("127.0.0.1:7000")])
        for request: Request in [
            .bind(Self.id, host: "127.0.0.1", port: 7000), .bindUDP(Self.id, host: "127.0.0.1", port: 7000),
        ] {
            let (harness, network) = try self.harness(terms)
            try harness.receive(request)
            let slot = try #require(network.next())
            #expect(slot.step == .slot)
            slot.answer(true)
            harness.loop.run()
            let denied = try harness.events().filter { event in
                if case .refused(_, let refusal) = event { refusal.code == .policyDenied } else { false }
            }
            #expect(denied == [])
            try harness.finish()
        }
    }

    /// Allowed at the request, and denied when its slot, its addresses or its connection arrive.
    @Test(arguments: Opening.allCases) func whatIsForbiddenMeanwhileIsNotOpened(opening: Opening) throws {
        for step in opening.steps {
            let (harness, network) = try self.harness()
            let question = try self.open(opening, until: step, harness, network)
            // In force, and the session has not been notified yet.
            let policy = Policy(Policy.Rules())
            harness.environment.registry.remove(try #require(harness.session))
            harness.environment.replacePolicy(policy)
            question.answer(true)
            harness.loop.run()
            let told = try harness.events()
            #expect(told.count == 1 && self.ends(told) == 1, "\(step): \(told)")
            #expect(network.next() == nil || opening == .stream, "\(step)")
            #expect(network.slots == 0 && network.openChannels == 0, "\(step)")
            try harness.finish()
        }
    }
}
