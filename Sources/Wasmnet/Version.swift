/// The version of this library and its programs.
public enum WasmnetVersion {
    public static let current = "0.1.0"
}
