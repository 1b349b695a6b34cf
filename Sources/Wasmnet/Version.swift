/// The version of this library and its programs.
public enum WasmnetVersion {
    /// Semantic version, as `wasmnet-node --version` prints it.
    public static let current = "0.1.0"
}
