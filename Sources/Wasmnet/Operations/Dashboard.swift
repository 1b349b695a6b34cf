import WasmnetAdmin

/// The operator's page. It holds nothing of the node: what it shows it asks the admin API for.
enum Dashboard {
    static let documents: [AdminDocument] = []
}
