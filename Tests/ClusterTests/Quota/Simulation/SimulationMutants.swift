/// The scripts without one rule of the design each: the simulation must detect every one of them.
enum SimulationMutants {
    struct Mutant: Sendable {
        var name: String
        var changes: [SimulatedScripts.Change]

        init(_ name: String, _ changes: (String, String)...) {
            self.name = name
            self.changes = changes.map { SimulatedScripts.Change($0.0, $0.1) }
        }
    }

    static let all = [
        Mutant(
            "a lease counts until its end only, however short the asker's contact is",
            ("(late or math.max(ends, since + ttl) > now)", "(late or ends > now)"),
            ("(not late and math.max(ends, since + ttl) <= now)", "(not late and ends <= now)")),
        Mutant("contact never breaks", ("since = tonumber(since)\n", "since = 1\n")),
        // Its growth does no harm, since it counts every lease: so this one lets it free leases too.
        Mutant(
            "a question that comes late is as good as one in time",
            ("local since, late = contact(ARGV[22], ARGV[23])", "local since, late = contact(ARGV[22], text(now))")),
        Mutant("a late heartbeat frees", ("if not late and since + ttl <= now then", "if true then")),
        Mutant(
            "a late heartbeat is not done",
            (
                "redis.call('ZADD', KEYS[2], text(now + ttl), ARGV[6])",
                "if not late then redis.call('ZADD', KEYS[2], text(now + ttl), ARGV[6]) end"
            )),
        Mutant(
            "what is open without a grant counts as granted",
            ("local its = math.max(count - (ungranted[other] or 0), 0)", "local its = count"),
            ("            current = its\n", "            current = count\n")),
        Mutant(
            "room for what is open is less by what is open at others",
            ("math.max(most - theirs, 0)", "math.max(most - others, 0)")),
        Mutant(
            "room for growth is less by grants only", ("others + count, theirs + its", "others + its, theirs + its")),
        Mutant(
            "a roll call grants what is loose",
            ("local firm = open - tonumber(ARGV[24])", "local firm = open")),
        Mutant(
            "slots grow in a roll call",
            ("math.min(target, math.max(current, firm), math.max(granted, firm))", "math.max(granted, firm)")),
        Mutant(
            "a roll call waits for nobody", ("if isComplete then\n    forget", "if true then\n    forget")),
        Mutant("a roll call does not end when all have answered", ("if isComplete then", "if false then")),
        Mutant("a roll call ends by time, not by contact", ("math.max(ends, since + hold) <= now", "ends <= now")),
        Mutant("the epochs end early", ("keep(KEYS[2], 7 * DAY)", "keep(KEYS[2], 3000000)")),
        Mutant(
            "the leases end early",
            ("keep(KEYS[3], (counted > 0 or unheld < most) and 7 * DAY or 3600000000)", "keep(KEYS[3], 3000000)")),
        Mutant("another process' data counts", ("(isOther and writer ~= 0 and not moved(fields[4]))", "false")),
        Mutant(
            "what a caller knows of an older generation is done",
            ("return id, left, asked ~= 0 and asked ~= id", "return id, left, false")),
        Mutant(
            "a clock that is set back keeps a dead node's lease",
            ("text(now + ttl + TOLERANCE), '+inf'", "'+inf', '-inf'"),
            ("if ends and ends > now + ttl + TOLERANCE then", "if false then")),
        Mutant(
            "a lease of the day may be more than is left",
            ("math.max(wanted, 67108864), left)", "math.max(wanted, 67108864))")),
        Mutant(
            "a lease of the day is not debited", ("used, left = used + leased, left - leased", "left = left - leased")),
        Mutant("bytes beyond a lease are not charged", ("used + tonumber(ARGV[7])", "used + 0")),
        Mutant("what is returned is returned twice", ("used - tonumber(ARGV[8])", "used - 2 * tonumber(ARGV[8])")),
    ]
}
