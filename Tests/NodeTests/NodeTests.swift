import Testing

/// The real program, one test after the other: a process started beside another inherits its pipes, and then neither sees the end
/// of the other's output.
@Suite(.serialized, .timeLimit(.minutes(5))) struct NodeTests {}
