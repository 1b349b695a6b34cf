extension ReasonCode {
    /// What a refusal is taken for when a v1 node does not say its code.
    static func unnamed(isDenial: Bool) -> ReasonCode { isDenial ? .policyDenied : .internalError }

    /// The code with this ``word``, if there is one.
    package init?(word: some StringProtocol) {
        guard let code = Self.allCases.first(where: { $0.word == word }) else { return nil }
        self = code
    }
}
