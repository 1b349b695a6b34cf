extension Int64 {
    /// The nearest integer, rounded toward zero: the largest or the smallest beyond the type's range, 0 for NaN.
    ///
    /// For external numbers: the plain conversion traps.
    package init(saturating value: Double) {
        self = Int64(exactly: value.rounded(.towardZero)) ?? (value > 0 ? .max : value < 0 ? .min : 0)
    }
}
