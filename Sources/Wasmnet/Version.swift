import CBuildInfo

/// The version of this library and its programs.
public enum WasmnetVersion {
    /// Semantic version.
    public static let current = "0.1.0"

    /// The commit it was built from, 12 hexadecimal digits; nil if unknown at the build.
    public static let commit: String? = {
        let text = String(cString: wasmnet_build_commit()).prefix(12)
        return text.isEmpty ? nil : String(text)
    }()

    /// Both, as `wasmnet-node --version` prints them: `0.1.0 (0123456789ab)`.
    public static var description: String { self.commit.map { "\(self.current) (\($0))" } ?? self.current }
}
