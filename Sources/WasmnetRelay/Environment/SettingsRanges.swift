import NIOCore

extension RelaySettings {
    /// What is out of its range, a setting each, with the range. Times are at most a day, numbers of bytes at most 1 GiB.
    package var problems: [String] {
        var problems: [String] = []
        func hold(_ name: String, _ value: TimeAmount, atLeast least: Int64 = 0) {
            let day = TimeAmount.hours(24)
            guard value.nanoseconds < least || value > day else { return }
            problems.append("\(name) is \(least) to \(day.nanoseconds) ns, not \(value.nanoseconds)")
        }
        func hold(_ name: String, _ value: Int, _ range: ClosedRange<Int> = 1...1 << 30) {
            guard !range.contains(value) else { return }
            problems.append("\(name) is \(range.lowerBound) to \(range.upperBound), not \(value)")
        }
        hold("maxMessageBytes", self.maxMessageBytes)
        hold("streamAllowanceBytes", self.streamAllowanceBytes)
        hold("firstWindowBytes", self.firstWindowBytes)
        hold("maxWindowBytes", self.maxWindowBytes)
        hold("maxSessionWindowBytes", self.maxSessionWindowBytes)
        hold("readChunkBytes", self.readChunkBytes)
        hold("readTurnBytes", self.readTurnBytes)
        hold("carrierReadChunkBytes", self.carrierReadChunkBytes)
        hold("outboundHighWaterBytes", self.outboundHighWaterBytes)
        hold("outboundLowWaterBytes", self.outboundLowWaterBytes, 1...max(1, self.outboundHighWaterBytes))
        hold("notSentLowWaterBytes", self.notSentLowWaterBytes)
        hold("answerBacklogBytes", self.answerBacklogBytes)
        hold("datagramQueueBytes", self.datagramQueueBytes)
        hold("maxDatagramBytes", self.maxDatagramBytes, 1...65_507)
        hold("missedHeartbeats", self.missedHeartbeats, 1...1000)
        hold("maxAddressesPerName", self.maxAddressesPerName, 1...1000)
        hold("maxSocketsPerSession", self.maxSocketsPerSession, 1...1_000_000)
        hold("maxLookupsPerSession", self.maxLookupsPerSession, 1...1_000_000)
        hold("maxTiedAddresses", self.maxTiedAddresses, 1...1_000_000)
        hold("maxRememberedIDs", self.maxRememberedIDs, 1...1_000_000)
        hold("maxDatagramPeers", self.maxDatagramPeers, 1...1_000_000)
        hold("acceptsPerTurn", self.acceptsPerTurn, 1...1_000_000)
        hold("heartbeat", self.heartbeat, atLeast: 1_000_000)
        hold("firstPongTimeout", self.firstPongTimeout)
        hold("upgradeTimeout", self.upgradeTimeout)
        hold("proxyHeaderTimeout", self.proxyHeaderTimeout)
        hold("closeTimeout", self.closeTimeout)
        hold("tlsHandshakeTimeout", self.tlsHandshakeTimeout)
        hold("linger", self.linger)
        hold("connectionAttemptDelay", self.connectionAttemptDelay)
        return problems
    }
}
