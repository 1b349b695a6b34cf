/// The thrown error as text; empty if nothing is thrown.
package func wordsThrown(_ body: () throws -> Void) -> String {
    do {
        try body()
        return ""
    } catch {
        return "\(error)"
    }
}
