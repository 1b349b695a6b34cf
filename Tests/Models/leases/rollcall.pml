/*
 * The nodes' behaviour when Redis is suspended, is cut off, loses its data or reverts to old data: contact, loss, roll call,
 * firm and loose slots. README.md beside this file has the rules (numbered; "rule 18" below) and the properties.
 * One client, one bucket. leases.pml has the parts left out here: epochs by name, duplicated calls, late answers.
 *
 * Sizes, by -D: N nodes, L the limit, TTL the lease in ticks, HOLD ticks without growth after a loss, LOSSES of data.
 * FAIR: a tick passes while Redis answers only if each node that holds slots was heard in it. Else any node may be cut off or
 * asleep for any time. CREDIT: the mode `static`, where nodes open slots in an outage; else `closed`.
 * Mutants and witnesses, by -D: see README.md.
 */
#ifndef N
#define N 2
#endif
#ifndef L
#define L 2
#endif
#ifndef TTL
#define TTL 2
#endif
#ifndef HOLD
#define HOLD TTL
#endif
#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef LATES
#define LATES 0 /* nodes whose calls may be late; one call is in transit at a time */
#endif
#ifndef WITNESS
#define WITNESS 0
#endif

#define FENCED 0
#define DONE 1
#define LATE 2
#define LOST 3

#define MIN(a, b) (((a) < (b)) -> (a) : (b))
#define MAX(a, b) (((a) > (b)) -> (a) : (b))
#define LESS(a, b) (((a) > (b)) -> (a) - (b) : 0)

#define UNKNOWN 3 /* the room is unknown: no answer had it */
#define PART MAX(L / N, 1)

#ifdef PLAIN /* for breadth-first search, which knows no hidden variables */
#define hidden
#endif
#define clearAnswer() \
    qBeat = 0; qTarget = 0; qOpen = 0; qHeld = 0; qLoose = 0; qGen = 0; qSince = 0; qAgo = 0; \
    theirs = 0; status = 0; grant = 0; room = 0; age = 0; late = 0; held = 0

typedef Node {
    unsigned live : 2; /* open slots: the truth */
    unsigned loose : 2; /* those of them that may have to end */
    unsigned granted : 2;
    unsigned joined : 1; /* the epoch has had an answer */
    unsigned left : 2; /* ticks to the lease's end by the node's own clock; after a loss, until the old lease's end */
    unsigned gen : 2; /* 0: the process has not started */
    unsigned since : 2; /* ticks since contact began, at most HOLD */
    unsigned silent : 1; /* it had no answer for so long that contact is broken */
    unsigned sync : 1; /* Redis' data may differ from the truth */
    unsigned out : 1; /* an outage */
    unsigned credit : 2; /* slots that may be open in it */
    unsigned share : 2; /* this node's part of the room that it last received */
}
Node node[N];

/*
 * A call is executed at once, or is in transit, where a tick or more passes; one at a time is there. An answer arrives at once or never.
 * `q`: the call that is executed now.
 */
typedef Call {
    unsigned by : 2; /* the node + 1; 0: none is on the wire */
    unsigned beat : 1; /* a heartbeat; else a claim */
    unsigned target : 2;
    unsigned open : 2;
    unsigned held : 2;
    unsigned loose : 2;
    unsigned gen : 2;
    unsigned since : 2;
    unsigned ago : 2 /* ticks since it was sent, at most TTL */
}
Call wire;
hidden byte qBeat, qTarget, qOpen, qHeld, qLoose, qGen, qSince, qAgo;

/* Redis. A lease whose end has passed (left = 0) stays until a node in contact drops it. */
typedef Lease {
    unsigned there : 1;
    unsigned old : 1; /* it is under an epoch that its node has left */
    unsigned left : 2;
    unsigned count : 2; /* the slots that may be open */
    unsigned granted : 2; /* those of them that were granted; the rest is in "ungranted" */
    unsigned answered : 1 /* the node has answered the roll call */
}
Lease lease[N];
unsigned gen : 2 = 1;
bit fresh = 0; /* data is gone, or another process answers, and no call was made since */
bit roll = 0; /* the roll call lasts */
unsigned hold : 2 = 0;
bit up = 1;
unsigned losses : 2 = 0;
bit done = 0;

/* Scratch for d_steps, always 0 between them. */
hidden byte x, z, w, total, others, theirs, room, current, kept, grant, count, status, age;
hidden byte late, held, lapsed, isLoss;
hidden byte firmBefore[N];

#define STARTED(n) (node[n].gen != 0)
#define STANDING(n) (node[n].joined && node[n].left > 0)
/* Firm slots: opened under a lease that has not lapsed since; a loss of data is not a lapse. */
#define FIRM(n) ((node[n].left > 0) -> node[n].live - node[n].loose : 0)
#define LAPSED(n) (node[n].joined && node[n].left == 0)

inline checkBound() {
    total = 0; x = 0; w = 0;
    do
    :: x < N -> total = total + FIRM(x); w = w + node[x].live; assert(node[x].loose <= node[x].live && node[x].live <= L); x++
    :: else -> break
    od;
    assert(total <= L);
#ifdef FAIR
#ifdef CREDIT
    assert(w <= L + (N - 1) * PART);
#else
    assert(w <= L);
#endif
#endif
#if WITNESS == 1
    assert(w <= L); /* never are more open than the limit */
#endif
#if WITNESS == 4
    assert(!(roll && total > 0 && losses > 0)); /* never is a slot firm in a roll call */
#endif
#if WITNESS == 6
    assert(!(roll && w > total && losses > 0)); /* never is one loose */
#endif
    total = 0; x = 0; w = 0
}

/* ---- Redis: the scripts, each atomic ---- */

inline forget(i) { lease[i].there = 0; lease[i].old = 0; lease[i].left = 0; lease[i].count = 0; lease[i].granted = 0 }

/* rules 20 and 24: the first step of every call; `age` is that of the caller's contact */
inline touch() {
    if
    :: fresh ->
        printf("Redis: a new generation\n");
        gen = gen + 1; fresh = 0;
        x = 0;
        do
        :: x < N -> forget(x); lease[x].answered = 0; x++
        :: else -> break
        od;
        x = 0;
#ifndef NO_ROLL_CALL
        roll = 1; hold = HOLD
#endif
    :: else
    fi;
#ifdef HOLD_WITHOUT_CONTACT
    if :: roll && hold == 0 -> endRollCall() :: else fi;
#else
    if :: roll && hold == 0 && age >= HOLD -> endRollCall() :: else fi;
#endif
    held = roll
}

inline endRollCall() {
    printf("Redis: the roll call is over\n");
    roll = 0; hold = 0;
    w = 0;
    do
    :: w < N -> lease[w].answered = 0; w++
    :: else -> break
    od;
    w = 0
}

/* rules 18 and 19: whether a lease counts for the requesting node */
#ifdef NO_CONTACT
#define LIVES(i) (lease[i].there && lease[i].left > 0)
#else
#define LIVES(i) (lease[i].there && (late || lease[i].left > 0 || age < TTL))
#endif

inline clearWire() {
    wire.by = 0; wire.beat = 0; wire.target = 0; wire.open = 0; wire.held = 0; wire.loose = 0; wire.gen = 0; wire.since = 0;
    wire.ago = 0
}

/* A node's requests are of no use once its epoch is left. */
inline clearCall(n) {
    if :: wire.by == n + 1 -> clearWire() :: else fi
}

inline put(n) {
    wire.by = n + 1; wire.beat = qBeat; wire.target = qTarget; wire.open = qOpen; wire.held = qHeld; wire.loose = qLoose;
    wire.gen = qGen; wire.since = qSince;
    clearAnswer()
}

inline take() {
    qBeat = wire.beat; qTarget = wire.target; qOpen = wire.open; qHeld = wire.held; qLoose = wire.loose; qGen = wire.gen;
    qSince = wire.since; qAgo = wire.ago;
    clearWire()
}

inline contactOf(n) {
    late = qAgo > 0;
    age = (late -> 0 : qSince)
}

/* rules 18, 19, 21, 23 and 25 */
inline claimScript(n) {
    contactOf(n);
#ifdef LATE_GROWTH
    late = 0; age = qSince;
#endif
    touch();
    if
    :: qGen != gen -> status = LOST
#ifdef LATE_REFUSED
    :: qGen == gen && late && qTarget > qOpen -> status = LATE
    :: qGen == gen && !(late && qTarget > qOpen) && node[n].joined && !LIVES(n) -> status = FENCED
#else
    :: qGen == gen && node[n].joined && !LIVES(n) -> status = FENCED
#endif
    :: else ->
        status = DONE;
        current = ((lease[n].old || !LIVES(n)) -> 0 : lease[n].granted);
#ifdef OPEN_AS_GRANTED
        current = ((lease[n].old || !LIVES(n)) -> 0 : lease[n].count);
#endif
        others = 0; theirs = 0;
        x = 0;
        do
        :: x < N ->
            if
            :: x != n && LIVES(x) -> others = others + lease[x].count; theirs = theirs + lease[x].granted
            :: x != n && !LIVES(x) -> forget(x)
            :: else
            fi;
            x++
        :: else -> break
        od;
        x = 0;
        room = LESS(L, others);
#ifdef OPEN_AS_GRANTED
        theirs = others;
#endif
#ifdef ROOM_BY_OPEN
        kept = MAX(MIN(current, qHeld), MIN(qOpen, room));
#else
        kept = MAX(MIN(current, qHeld), MIN(qOpen, LESS(L, theirs)));
#endif
        grant = MIN(qTarget, (late -> kept : MAX(kept, room)));
#ifdef ROLL_CALL_LOOSE
        if :: held -> grant = MIN(grant, MAX(current, qOpen)) :: else fi;
#else
        if :: held -> grant = MIN(grant, MAX(current, qOpen - qLoose)) :: else fi;
#endif
        count = MAX(grant, qHeld);
        lease[n].there = 1; lease[n].old = 0; lease[n].count = count; lease[n].granted = grant;
        if :: !node[n].joined -> lease[n].left = TTL :: else fi;
        room = LESS(L, others + count);
#ifndef OPEN_AS_GRANTED
        assert(grant + theirs <= L)
#endif
    fi;
    printf("Redis: claim of node %d, target %d open %d loose %d gen %d late %d age %d: status %d grant %d held %d\n",
        n, qTarget, qOpen, qLoose, qGen, late, age, status, grant, held);
    others = 0; current = 0; kept = 0; count = 0
}

/* rules 16, 18, 19 and 21 */
inline beatScript(n) {
    contactOf(n);
    touch();
    if
    :: qGen != gen -> status = LOST
    :: qGen == gen && !LIVES(n) -> status = FENCED
    :: else ->
        status = DONE;
        lease[n].left = TTL;
#ifdef LATE_FREES
        late = 0; age = qSince;
#endif
        x = 0;
        do
#ifdef NO_CONTACT
        :: x < N -> if :: lease[x].there && lease[x].left == 0 && !late -> forget(x) :: else fi; x++
#else
        :: x < N -> if :: lease[x].there && lease[x].left == 0 && !late && age >= TTL -> forget(x) :: else fi; x++
#endif
        :: else -> break
        od;
        x = 0
    fi;
    printf("Redis: heartbeat of node %d late %d: status %d\n", n, late, status)
}


/* ---- a node ---- */

/*
 * rules 7 and 22: out of an epoch. Slots are loose from here on, except those that counted until data was lost; these stay firm until the
 * old lease's end, because until then no other node grows.
 */
inline leave(n, isFirm) {
    printf("node %d leaves its epoch, live %d firm %d\n", n, node[n].live, isFirm);
    if
    :: isFirm
    :: else -> node[n].loose = node[n].live; node[n].left = 0
    fi;
    lease[n].old = lease[n].there;
    node[n].joined = 0; node[n].granted = 0; node[n].share = UNKNOWN;
    node[n].sync = node[n].live > 0;
    clearCall(n)
}

/* The content of every answer: that there is contact, and the generation. */
inline learn(n, asked) {
    if :: node[n].silent -> node[n].since = 0; node[n].silent = 0 :: else fi;
    if :: node[n].out -> node[n].out = 0; node[n].credit = 0; node[n].sync = 1 :: else fi;
    isLoss = asked != 0 && asked == node[n].gen && gen != node[n].gen;
    if :: asked == node[n].gen -> node[n].gen = gen :: else fi;
    lapsed = LAPSED(n)
}

inline heardClaim(n) {
    learn(n, qGen);
    if
    :: node[n].joined && (lapsed || isLoss || status == FENCED) -> leave(n, (isLoss && !lapsed && held))
    :: !(node[n].joined && (lapsed || isLoss || status == FENCED)) && status == DONE &&
            (node[n].joined || qAgo < TTL) ->
        if :: !node[n].joined -> node[n].joined = 1; node[n].left = MAX(node[n].left, TTL - qAgo) :: else fi;
        node[n].granted = grant; node[n].share = room / N;
        node[n].sync = node[n].live > MAX(grant, qHeld);
        node[n].loose = MIN(node[n].loose, LESS(node[n].live, grant));
        printf("node %d hears grant %d, live %d loose %d\n", n, grant, node[n].live, node[n].loose);
        /* Firm slots are granted: no firm slot ever ends. */
        assert(node[n].live - node[n].loose <= grant);
        if
        :: !held ->
#if WITNESS == 2
            assert(node[n].loose == 0); /* never does an excess end */
#endif
            /* The slots that end leave nothing of the limit unused. */
            assert(node[n].loose == 0 || grant + theirs >= L);
            node[n].live = node[n].live - node[n].loose; node[n].loose = 0
        :: else
        fi
    :: else -> node[n].sync = 1
    fi;
    isLoss = 0; lapsed = 0;
    clearAnswer();
    checkBound()
}

inline heardBeat(n) {
    learn(n, qGen);
    if
    :: lapsed || isLoss || status == FENCED -> leave(n, (isLoss && !lapsed && held))
    :: else ->
        if :: status == DONE -> node[n].left = MAX(node[n].left, TTL - qAgo) :: else fi
    fi;
    isLoss = 0; lapsed = 0;
    clearAnswer();
    checkBound()
}

/* rule 17: a node without an answer says so with the next call, and not only after an answer */
#ifdef SINCE_OF_LAST_ANSWER
#define SINCE(n) node[n].since
#else
#define SINCE(n) (node[n].silent -> 0 : node[n].since)
#endif

inline sendClaim(n, t) {
    qTarget = t; qOpen = node[n].live; qLoose = node[n].loose;
    node[n].granted = MIN(node[n].granted, t);
    qHeld = MAX(node[n].live, node[n].granted);
    qGen = node[n].gen; qSince = SINCE(n);
    printf("node %d claims %d, live %d loose %d\n", n, t, node[n].live, node[n].loose)
}

inline sendBeat(n) {
    qGen = node[n].gen; qSince = SINCE(n);
    qBeat = 1
}

/* A check of the generation: a new process, a node without leases, a probe. Its answer arrives at once or never. */
inline look(n) {
    age = SINCE(n);
    touch();
    learn(n, node[n].gen);
    if :: node[n].joined && (lapsed || isLoss) -> leave(n, (isLoss && !lapsed && held)) :: else fi;
    isLoss = 0; lapsed = 0;
    clearAnswer();
    checkBound()
}

/* rule 24 */
inline rollCall(n) {
    age = SINCE(n);
    touch();
    if
    :: node[n].gen == gen && roll ->
        lease[n].answered = 1;
        total = 0; x = 0;
        do
        :: x < N -> if :: STARTED(x) && !lease[x].answered -> total = total + 1 :: else fi; x++
        :: else -> break
        od;
        x = 0;
#ifdef EARLY_END
        total = 0;
#endif
#if WITNESS == 5
        assert(total > 0 || node[0].live == 0 || node[1].live == 0); /* never is one over whose nodes all hold something */
#endif
        if :: total == 0 -> endRollCall(); held = 0 :: else fi;
        total = 0
    :: else
    fi;
    learn(n, node[n].gen);
    if :: node[n].joined && (lapsed || isLoss) -> leave(n, (isLoss && !lapsed && held)) :: else fi;
    isLoss = 0; lapsed = 0;
    clearAnswer();
    checkBound()
}

/* It had no answer for so long that contact is broken (rule 17). */
inline fallSilent(n) {
    printf("node %d asks in vain\n", n);
    node[n].silent = 1;
#ifndef SINCE_OF_LAST_ANSWER
    node[n].since = 0
#endif
}

#define MAY(n) (!done && STARTED(n))
#define MAY_ASK(n) (MAY(n) && !LAPSED(n))
/* A node without an answer claims nothing, because that is an outage by then (a tick is long); and one claim is in transit at a time. */
#define MAY_CLAIM(n) (MAY_ASK(n) && !node[n].silent && (wire.by != n + 1 || wire.beat))
#if LATES == 0
#define CLAIM(n, t) \
    :: d_step { MAY_CLAIM(n) && up && node[n].live <= t -> sendClaim(n, t); claimScript(n); heardClaim(n) } \
    :: d_step { MAY_CLAIM(n) && up && node[n].live <= t -> sendClaim(n, t); claimScript(n); missed(n) }
#else
#define CLAIM(n, t) \
    :: d_step { MAY_CLAIM(n) && up && node[n].live <= t -> sendClaim(n, t); claimScript(n); heardClaim(n) } \
    :: d_step { MAY_CLAIM(n) && up && node[n].live <= t -> sendClaim(n, t); claimScript(n); missed(n) } \
    :: d_step { MAY_CLAIM(n) && n < LATES && wire.by == 0 && node[n].live <= t -> sendClaim(n, t); put(n) }
#endif

inline missed(n) { node[n].sync = 1; clearAnswer() }

/* Nothing forces a node to take a step: it may sleep, or be cut off, for any time. */
proctype Client(byte n) {
end:
    do
    :: d_step { !done && up && !STARTED(n) -> touch(); node[n].gen = gen; node[n].share = UNKNOWN; clearAnswer() }
    :: d_step { MAY(n) && STANDING(n) && node[n].live < node[n].granted ->
            node[n].live = node[n].live + 1;
            printf("node %d opens, live %d\n", n, node[n].live);
#if WITNESS == 3
            assert(losses == 0 || gen == 1 || roll); /* never does anything open after a roll call */
#endif
            checkBound() }
    :: d_step { MAY(n) && node[n].live > 0 ->
            node[n].live = node[n].live - 1; node[n].loose = MIN(node[n].loose, node[n].live) }
    :: d_step { MAY(n) && LAPSED(n) -> leave(n, 0) }

    CLAIM(n, 0)
    CLAIM(n, 1)
    CLAIM(n, 2)
#if L >= 3
    CLAIM(n, 3)
#endif
    :: d_step { MAY_ASK(n) && up && node[n].joined -> sendBeat(n); beatScript(n); heardBeat(n) }
    :: d_step { MAY_ASK(n) && up && node[n].joined -> sendBeat(n); beatScript(n); clearAnswer() } /* the answer is lost */
#if LATES > 0
    :: d_step { MAY_ASK(n) && n < LATES && node[n].joined && wire.by == 0 -> sendBeat(n); put(n) }
    :: d_step { MAY_ASK(n) && up && wire.by == n + 1 && wire.ago > 0 ->
            take();
            if
            :: qBeat -> beatScript(n); heardBeat(n)
            :: else -> claimScript(n); heardClaim(n)
            fi }
    :: d_step { MAY(n) && up && wire.by == n + 1 && wire.ago > 0 ->
            take();
            if
            :: qBeat -> beatScript(n); clearAnswer()
            :: else -> claimScript(n); missed(n)
            fi }
    :: d_step { MAY(n) && wire.by == n + 1 -> node[n].sync = 1; clearWire() }
#endif

    :: d_step { MAY(n) && up && !LAPSED(n) -> look(n) }
    :: d_step { MAY(n) && up && !LAPSED(n) && roll && !node[n].sync -> rollCall(n) }
#ifndef FAIR
    :: d_step { MAY(n) && !node[n].silent -> fallSilent(n) }
#endif
#ifdef CREDIT
    :: d_step { MAY(n) && !LAPSED(n) && node[n].silent && !node[n].out -> /* rule 27 */
            printf("node %d: an outage\n", n);
            node[n].out = 1;
#ifdef CREDIT_AGAIN
            node[n].credit = MAX(node[n].live, node[n].granted);
#else
            /* Slots opened on credit since the last answer are a part of the credit. */
            node[n].credit = MAX(node[n].live - node[n].loose, node[n].granted);
#endif
            if
            :: node[n].share == UNKNOWN -> node[n].credit = MAX(MAX(node[n].live, node[n].credit), PART)
            :: else -> node[n].credit = node[n].credit + node[n].share
            fi }
    :: d_step { MAY(n) && node[n].out && !(STANDING(n) && node[n].live < node[n].granted) &&
            node[n].live < node[n].credit ->
            node[n].live = node[n].live + 1; node[n].sync = 1;
#ifndef CREDIT_IS_FIRM
            node[n].loose = node[n].loose + 1;
#endif
            printf("node %d opens on credit, live %d\n", n, node[n].live);
            checkBound() }
#endif
    od
}

/* ---- time, loss, and the end ---- */

/* FAIR: whether all nodes that hold slots were heard in this tick. */
inline lookFair() {
    w = 1; x = 0;
    do
    :: x < N ->
        if
        :: (node[x].live > 0 || node[x].granted > 0 || node[x].out) &&
            !(node[x].joined && node[x].left == TTL && node[x].gen == gen && !fresh) -> w = 0
        :: else
        fi;
        x++
    :: else -> break
    od;
    x = 0
}

#ifdef SINCE_OF_LAST_ANSWER
#define SPEAKS(n) true
#else
#define SPEAKS(n) !node[n].silent
#endif

inline tick() {
    printf("tick\n");
    x = 0;
    do
    :: x < N ->
        if :: node[x].left > 0 -> node[x].left = node[x].left - 1 :: else fi;
        if :: STARTED(x) && node[x].since < HOLD && SPEAKS(x) -> node[x].since = node[x].since + 1 :: else fi;
        if :: lease[x].there && lease[x].left > 0 -> lease[x].left = lease[x].left - 1 :: else fi;
#ifndef FIRM_FOREVER
        if :: !node[x].joined && node[x].left == 0 -> node[x].loose = node[x].live :: else fi;
#endif
        x++
    :: else -> break
    od;
    x = 0;
    if :: hold > 0 -> hold = hold - 1 :: else fi;
    if
    :: wire.by != 0 ->
        if :: wire.ago < TTL -> wire.ago = wire.ago + 1 :: else fi;
#if defined(LATE_GROWTH) || defined(LATE_FREES)
        if :: wire.since < HOLD -> wire.since = wire.since + 1 :: else fi
#else
        wire.since = 0 /* not checked for a late call */
#endif
    :: else
    fi
}

/* All running nodes ask, and get no answer. */
inline silence(first) {
    x = first;
    do
    :: x < N -> if :: STARTED(x) -> fallSilent(x) :: else fi; x++
    :: else -> break
    od;
    x = 0
}

/* The data is gone, or old, as another process has it. Old data does not count: it might as well be gone. */
inline lose() {
    losses = losses + 1;
    fresh = 1;
    x = 0;
    do
    :: x < N -> forget(x); lease[x].answered = 0; x++
    :: else -> break
    od;
    x = 0;
    roll = 0; hold = 0;
    printf("Redis loses its data\n")
}

/* Redis' clock is set forward past all leases' ends; nodes see by the next answer, and by that their call was late, that it was. */
inline stepClock() {
    printf("Redis' clock is set forward\n");
    x = 0;
    do
    :: x < N ->
        lease[x].left = 0;
#ifndef STEP_UNSEEN
        if :: STARTED(x) -> fallSilent(x) :: else fi;
#else
        if :: STARTED(x) -> node[x].since = HOLD :: else fi;
#endif
        x++
    :: else -> break
    od;
    x = 0; hold = 0
}

/* From any state: calls in transit are lost, Redis answers, no node opens or closes. */
inline settle() {
    printf("settle\n");
    up = 1;
    z = 0;
    do
    :: z < N -> firmBefore[z] = FIRM(z); clearCall(z);
        if :: LAPSED(z) -> leave(z, 0) :: else fi;
        if :: STARTED(z) -> look(z) :: else fi;
        z++
    :: else -> break
    od;
    settleClaims();
    settleClaims();
    z = 0;
    do
    :: z < N -> if :: STARTED(z) && roll -> rollCall(z) :: else fi; z++
    :: else -> break
    od;
    assert(!roll);
    settleClaims();
    settleClaims();
    z = 0; w = 0;
    do
    :: z < N ->
        assert(node[z].loose == 0 && node[z].live >= firmBefore[z] && node[z].granted >= node[z].live);
        assert(!STARTED(z) || lease[z].granted == node[z].granted && lease[z].count == node[z].granted);
#ifndef SLOW
        assert(node[z].granted == node[z].live);
#endif
        firmBefore[z] = 0;
        w = w + node[z].live;
        z++
    :: else -> break
    od;
    assert(w <= L);
    z = 0; w = 0
}

inline settleClaims() {
    z = 0;
    do
    :: z < N ->
#ifdef SLOW /* all calls are late, and ask for one more */
        if
        :: STARTED(z) ->
            w = MIN(node[z].live + 1, L); sendClaim(z, w); w = 0; qAgo = 1; claimScript(z); heardClaim(z)
        :: else
        fi;
#else
        if :: STARTED(z) -> sendClaim(z, node[z].live); claimScript(z); heardClaim(z) :: else fi;
#endif
        z++
    :: else -> break
    od;
    z = 0
}

/* Every run ends in the same state, so that settling costs transitions but no states. */
inline wipe() {
    x = 0;
    do
    :: x < N ->
        forget(x); lease[x].answered = 0;
        node[x].live = 0; node[x].loose = 0; node[x].granted = 0; node[x].joined = 0; node[x].left = 0; node[x].gen = 0;
        node[x].since = 0; node[x].silent = 0; node[x].sync = 0; node[x].out = 0; node[x].credit = 0; node[x].share = 0;
        x++
    :: else -> break
    od;
    clearWire();
    x = 0; gen = 1; fresh = 0; roll = 0; hold = 0; up = 1; losses = 0; done = 1
}

proctype World() {
end:
    do
#ifdef FAIR
    :: d_step { !done -> lookFair(); if :: w && up -> tick() :: else fi; w = 0 }
    :: d_step { !done && !up -> tick(); silence(0) }
    :: d_step { !done && up -> up = 0; printf("Redis stands still\n") }
    :: d_step { !done && !up -> up = 1; printf("Redis goes on\n") }
#ifdef PAUSES /* the first node sleeps while Redis is suspended */
    :: d_step { !done && !up -> tick(); silence(1) }
#endif
#else
    :: d_step { !done -> tick() }
#endif
    :: d_step { !done && losses < LOSSES -> lose() }
#ifdef STEPS
    :: d_step { !done -> stepClock() }
#endif
#ifdef NO_PROCESS /* old data that counts as current: some lease is not in it */
    :: d_step { !done && losses < LOSSES -> losses = losses + 1; forget(0) }
    :: d_step { !done && losses < LOSSES -> losses = losses + 1; forget(1) }
#endif
#ifdef SETTLE
    :: d_step { !done -> settle(); wipe() }
#endif
    od
}

init {
    atomic {
        run Client(0); run Client(1);
#if N >= 3
        run Client(2);
#endif
        run World()
    }
}
