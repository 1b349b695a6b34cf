extension ReasonCode {
    /// The assumed code of a refusal when a v1 node does not state one.
    static func unnamed(isDenial: Bool) -> ReasonCode { isDenial ? .policyDenied : .internalError }

    /// The code with this ``word``, if there is one.
    package init?(word: some StringProtocol) {
        guard let code = Self.allCases.first(where: { $0.word == word }) else { return nil }
        self = code
    }
}
