/// What is thrown, in words; empty where nothing is.
package func wordsThrown(_ body: () throws -> Void) -> String {
    do {
        try body()
        return ""
    } catch {
        return "\(error)"
    }
}
