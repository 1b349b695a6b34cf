/*
 * The lease protocol that counts one client's open sockets over several nodes in Redis.
 * README.md beside this file says what is modelled, the rules (numbered; "rule 3" below) and the properties.
 *
 * Sizes, by -D: N nodes (2 or 3), L the client's limit, SENDS declarations by each node, EPOCHS epochs by each node,
 * TTL the lease in ticks. rollcall.pml models a Redis that is suspended or loses data.
 * Mutants, by -D: listed in README.md. Witnesses, by -DWITNESS=k: an assertion that must fail, for it says the
 * interesting thing never happens.
 */
#ifndef N
#define N 2
#endif
#ifndef L
#define L 2
#endif
#ifndef SENDS
#define SENDS 3
#endif
#ifndef EPOCHS
#define EPOCHS 2
#endif
#ifndef OTHER_SENDS /* of every node but the first */
#define OTHER_SENDS SENDS
#endif
#ifndef OTHER_EPOCHS
#define OTHER_EPOCHS EPOCHS
#endif
#ifndef TTL
#define TTL 2
#endif
#ifndef DUPS
#define DUPS 1 /* declarations duplicated by the network, in all; ANY for no bound */
#endif
#define ANY 99
#ifndef WITNESS
#define WITNESS 0
#endif

/* The settling step (see settle) may need one epoch and two declarations more than the run itself. */
#define SLOTS (EPOCHS + 1)
#define SEQS (SENDS + 3)

#define NONE 0
#define OK 1
#define FENCED 2 /* Redis does not know this epoch (any more) */

#define MIN(a, b) (((a) < (b)) -> (a) : (b))
#define MAX(a, b) (((a) > (b)) -> (a) : (b))

/* A declaration in transit, and its answer. It may arrive never, however late, duplicated, in any order. */
typedef Declaration {
    unsigned sent : 1;
    unsigned epoch : 3;
    unsigned target : 3;
    unsigned had : 2; /* mutant BLIND_INCREMENT only: target - had is the increment */
    unsigned join : 1; /* the epoch never had an answer: Redis may create it */
    unsigned replaces : 1; /* the epoch before this one is this process's own */
    unsigned retire : 1;
    unsigned answer : 2;
    unsigned grant : 2
}
typedef Wire { Declaration d[SEQS] }

typedef Node {
    unsigned live : 2; /* open sockets: the truth */
    unsigned granted : 2;
    unsigned epoch : 3;
    unsigned joined : 1; /* this epoch has had an answer */
    unsigned replaces : 1;
    unsigned left : 2; /* ticks to the lease's end by the node's own clock; 0: lapsed */
    unsigned seq : 4; /* of the latest declaration */
    unsigned sentAgo : 2; /* ticks since the latest declaration was sent, at most TTL; 0 when it is answered */
    unsigned waiting : 1; /* for the answer to the latest declaration */
    unsigned beatAnswer : 2; /* to the latest heartbeat, in transit */
    unsigned beatAgo : 2 /* ticks since that heartbeat was sent */
}
Node node[N];
Wire wire[N];

/*
 * Redis: one entry for each (node, epoch). One whose end has passed (left = 0) stays until a node in contact asks: here it is dropped at
 * any time, or never, which is more than any rule about contact allows.
 */
typedef Entry { unsigned there : 1; unsigned current : 3; unsigned seq : 4; unsigned left : 2 }
Entry entry[N * SLOTS];

bit done = 0;
unsigned dups : 3 = 0;

/* Scratch for d_steps, always 0 between them. */
#ifdef PLAIN /* for breadth-first search, which knows no hidden variables */
#define hidden
#endif
hidden byte x, y, z, w, total, others, room, allowed;

#define MORE_EPOCHS(n) (node[n].epoch + 1 < ((n) == 0 -> EPOCHS : OTHER_EPOCHS))
#define ENTRY(n, e) entry[(n) * SLOTS + (e)]
#define STANDING(n) (node[n].joined && node[n].left > 0)

/* The bound: the live sockets of all nodes in good standing, and of the node that acts now, never exceed the limit. */
inline checkBound(n) {
    total = 0; x = 0;
    do
    :: x < N -> if :: STANDING(x) || x == n -> total = total + node[x].live :: else fi; x++
    :: else -> break
    od;
    assert(total <= L);
    x = 0; total = 0
}

#define LATEST wire[n].d[node[n].seq]

/* The reason: Redis counts at least what a node in good standing assumes it may use. */
inline checkLemma(n) {
#ifdef LEMMA
    assert(LATEST.answer != FENCED); /* the own clock is always first */
    assert(node[n].beatAnswer != FENCED);
    assert(!STANDING(n) || ENTRY(n, node[n].epoch).left >= node[n].left);
    assert(!STANDING(n) || ENTRY(n, node[n].epoch).current >= node[n].granted);
#endif
    skip
}

inline sumGranted() {
    total = 0; x = 0;
    do
    :: x < N * SLOTS -> total = total + entry[x].current; x++
    :: else -> break
    od;
    x = 0
}

#define forget(n, e) ENTRY(n, e).there = 0; ENTRY(n, e).current = 0; ENTRY(n, e).seq = 0; ENTRY(n, e).left = 0

/* ---- Redis: the scripts, each atomic ---- */

#define RQ wire[n].d[i]
#define AT ENTRY(n, wire[n].d[i].epoch)

#define unanswer(n, i) wire[n].d[i].answer = NONE; wire[n].d[i].grant = 0

/* rules 11 to 15 */
inline declareScript(n, i) {
    if
#ifdef NO_JOIN
    :: !AT.there && !RQ.retire -> AT.there = 1; AT.left = TTL
#else
    :: !AT.there && RQ.join && !RQ.retire -> AT.there = 1; AT.left = TTL
#endif
    :: else
    fi;
    if
    :: !AT.there -> RQ.answer = FENCED
    :: AT.there && RQ.retire -> forget(n, RQ.epoch); RQ.answer = OK
    :: else ->
        RQ.answer = OK;
        if
#if defined(NO_SEQ) || defined(BLIND_INCREMENT)
        :: true ->
#else
        :: i > AT.seq ->
#endif
            if
            :: RQ.replaces -> forget(n, RQ.epoch - 1)
            :: else
            fi;
            sumGranted();
            others = total - AT.current;
            room = ((L > others) -> L - others : 0);
#ifdef BLIND_INCREMENT
            allowed = ((AT.current + RQ.target > RQ.had) -> AT.current + RQ.target - RQ.had : 0);
#else
            allowed = RQ.target;
#endif
            AT.current = MIN(allowed, MAX(AT.current, room));
#if !defined(NO_SEQ) && !defined(BLIND_INCREMENT)
            AT.seq = i;
#endif
            if :: RQ.join -> AT.left = TTL :: else fi;
            sumGranted();
            assert(total <= L);
            others = 0; room = 0; allowed = 0; total = 0
#if !defined(NO_SEQ) && !defined(BLIND_INCREMENT)
        :: else /* late or duplicated: no change, the answer has the current grant */
#endif
        fi;
        RQ.grant = AT.current
    fi;
    printf("Redis: declare node %d seq %d epoch %d target %d: answer %d grant %d\n",
        n, i, RQ.epoch, RQ.target, RQ.answer, RQ.grant);
#ifndef GROW_ON_STALE
    /* An answer that no node waits for is discarded on arrival (rule 5): the same as if it never arrived. */
    if
    :: !node[n].waiting || node[n].seq != i -> unanswer(n, i)
    :: else
    fi
#else
    skip
#endif
}

/*
 * rule 16. A heartbeat reaches Redis when it is sent or never: arriving late only makes Redis remember longer.
 * Its answer may be late, duplicated or lost.
 */
inline heartbeatScript(n) {
    if
    :: ENTRY(n, node[n].epoch).there ->
        ENTRY(n, node[n].epoch).left = TTL;
        node[n].beatAnswer = OK
    :: else ->
#ifdef NO_FENCE
        node[n].beatAnswer = OK
#else
        node[n].beatAnswer = FENCED
#endif
    fi;
    node[n].beatAgo = 0;
    printf("Redis: heartbeat node %d epoch %d: answer %d\n", n, node[n].epoch, node[n].beatAnswer)
}

/* ---- a node ---- */

/* Requests under an epoch are of no use once it is left. */
inline stopWaiting(n) {
    node[n].beatAnswer = NONE; node[n].beatAgo = 0;
    node[n].waiting = 0; node[n].sentAgo = 0;
#ifndef GROW_ON_STALE
    unanswer(n, node[n].seq)
#endif
}

/* rule 7: the only way out of an epoch, whether Redis answers FENCED or the node's own clock shows that it has lapsed. */
inline leaveEpoch(n) {
#if WITNESS == 2
    assert(node[n].live == 0);
#endif
    printf("node %d leaves epoch %d, live %d left %d\n", n, node[n].epoch, node[n].live, node[n].left);
    node[n].epoch = node[n].epoch + 1; node[n].joined = 0; node[n].replaces = 1;
    node[n].granted = 0; node[n].left = 0;
    stopWaiting(n)
}

/* rules 2 to 4 */
inline send(n, t) {
#ifndef GROW_ON_STALE
    unanswer(n, node[n].seq);
#endif
    node[n].seq = node[n].seq + 1;
    printf("node %d sends seq %d target %d, live %d\n", n, node[n].seq, t, node[n].live);
    node[n].sentAgo = 0; node[n].waiting = 1;
    y = node[n].seq;
    wire[n].d[y].sent = 1;
    wire[n].d[y].epoch = node[n].epoch;
    wire[n].d[y].target = t;
#ifdef BLIND_INCREMENT
    wire[n].d[y].had = node[n].granted;
#endif
    wire[n].d[y].join = !node[n].joined;
    wire[n].d[y].replaces = !node[n].joined && node[n].replaces;
    y = 0;
#ifndef SHRINK_LATE
    if
    :: t < node[n].granted -> node[n].granted = t
    :: else
    fi;
#endif
    skip
}

/*
 * Is it too late for this answer? A lease whose end has passed is never revived, not even by OK: Redis may have
 * forgotten the epoch and created it again from a late declaration, and the node's slots may be another's.
 */
#if defined(REVIVE) || defined(NO_FENCE) || defined(LEASE_FROM_REPLY) || defined(NO_OWN_CLOCK)
#define LAPSED(n, ago) false
#else
#define LAPSED(n, ago) (node[n].left == 0 && (node[n].joined || ago >= TTL))
#endif

inline renew(n, ago) {
#ifdef LEASE_FROM_REPLY
    node[n].left = TTL
#else
    node[n].left = MAX(node[n].left, TTL - ago)
#endif
}

/* rules 5 to 8 */
inline answered(n) {
    printf("node %d hears answer %d to seq %d, grant %d\n", n, LATEST.answer, node[n].seq, LATEST.grant);
    checkLemma(n);
    if
    :: LATEST.answer == OK ->
        if
        :: !node[n].joined -> renew(n, node[n].sentAgo)
        :: else
        fi;
        node[n].joined = 1; node[n].replaces = 0;
#ifdef BLIND_INCREMENT
        if
        :: LATEST.target > LATEST.had -> node[n].granted = MIN(LATEST.grant, LATEST.target)
        :: else
        fi;
#else
        node[n].granted = LATEST.grant;
#endif
        node[n].waiting = 0; node[n].sentAgo = 0;
#ifndef GROW_ON_STALE
        unanswer(n, node[n].seq);
#endif
#if WITNESS == 1
        assert(node[n].live <= node[n].granted);
#endif
#ifndef KEEP_EXCESS
        node[n].live = MIN(node[n].live, node[n].granted);
#endif
        checkLemma(n);
        checkBound(n)
    :: LATEST.answer != OK && node[n].joined -> leaveEpoch(n)
    :: else -> stopWaiting(n)
    fi
}

/* rule 9 */
inline beaten(n) {
    printf("node %d hears of its heartbeat: %d\n", n, node[n].beatAnswer);
    checkLemma(n);
    if
    :: node[n].beatAnswer == OK ->
        renew(n, node[n].beatAgo);
        node[n].beatAnswer = NONE; node[n].beatAgo = 0;
        checkLemma(n);
        checkBound(n)
    :: else ->
            leaveEpoch(n)
    fi
}

/* Answered at once; a node with no epoch left to take stays as it is. */
inline heard(n) {
    if
    :: node[n].beatAnswer == OK || MORE_EPOCHS(n) -> beaten(n)
    :: else -> node[n].beatAnswer = NONE; node[n].beatAgo = 0
    fi
}

/* A new process: no open sockets, and only messages in transit are left. */
inline startAnew(n) {
    printf("node %d starts anew\n", n);
    node[n].epoch = node[n].epoch + 1; node[n].joined = 0; node[n].replaces = 0;
    node[n].live = 0; node[n].granted = 0; node[n].left = 0;
    stopWaiting(n)
}

#ifdef NO_OWN_CLOCK
#define MAY_ADMIT(n) node[n].joined
#else
#define MAY_ADMIT(n) (node[n].joined && node[n].left > 0)
#endif
#define MAY_SEND(n) (!done && node[n].seq < ((n) == 0 -> SENDS : OTHER_SENDS))

/*
 * Each step is atomic, and nothing forces a node to take one: a pause of any length, at any point, is a run in which
 * the node takes no step while the clock, Redis and the others do.
 */
proctype Client(byte n) {
end:
    do
    :: d_step { !done && MAY_ADMIT(n) && node[n].live < node[n].granted -> /* rule 1 */
            node[n].live = node[n].live + 1;
            printf("node %d opens: live %d granted %d\n", n, node[n].live, node[n].granted);
#if WITNESS == 3
            assert(node[0].live == 0 || node[1].live == 0);
#endif
#if WITNESS == 4
            assert(node[0].live + node[1].live <= L);
#endif
            checkLemma(n);
            checkBound(n) }
    :: d_step { !done && node[n].live > 0 -> node[n].live = node[n].live - 1 }

    /* The target is never below what is live. A declaration may be followed by another at any time: a time-out. */
    :: d_step { MAY_SEND(n) && node[n].live == 0 -> send(n, 0) }
    :: d_step { MAY_SEND(n) && node[n].live <= 1 -> send(n, 1) }
    :: d_step { MAY_SEND(n) && node[n].live <= 2 -> send(n, 2) }
#if L >= 3
    :: d_step { MAY_SEND(n) -> send(n, 3) }
#endif
    :: d_step { !done && node[n].waiting && LATEST.answer != NONE && !LAPSED(n, node[n].sentAgo) &&
            (LATEST.answer == OK || !node[n].joined || MORE_EPOCHS(n)) -> answered(n) }
#ifdef GROW_ON_STALE
#define OLDER wire[n].d[node[n].seq - 1]
    :: d_step { !done && node[n].seq > 1 && node[n].joined && OLDER.answer == OK && OLDER.epoch == node[n].epoch &&
            OLDER.grant > node[n].granted -> node[n].granted = OLDER.grant }
#endif

#ifdef LATE_BEATS
    :: d_step { !done && node[n].joined && !LAPSED(n, 0) -> heartbeatScript(n) }
    :: d_step { !done && node[n].beatAnswer != NONE && !LAPSED(n, node[n].beatAgo) &&
            (node[n].beatAnswer == OK || MORE_EPOCHS(n)) -> beaten(n) }
#else
    :: d_step { !done && node[n].joined && !LAPSED(n, 0) -> heartbeatScript(n); heard(n) }
#endif

#if !defined(NO_FENCE) && !defined(NO_OWN_CLOCK)
    :: d_step { !done && node[n].joined && node[n].left == 0 && MORE_EPOCHS(n) -> leaveEpoch(n) }
#endif
    :: d_step { !done && MORE_EPOCHS(n) -> startAnew(n) } /* kill -9, and a restart */
    :: d_step { MAY_SEND(n) && MORE_EPOCHS(n) && node[n].joined -> /* rule 10: drain, then a new process */
#ifndef EARLY_RETIRE
            node[n].live = 0;
#endif
            send(n, 0);
            wire[n].d[node[n].seq].retire = 1;
#ifndef EARLY_RETIRE
            startAnew(n)
#endif
            }
    od
}

inline arrived(n, i) {
    RQ.sent = 0; RQ.join = 0; RQ.replaces = 0; RQ.retire = 0;
#ifndef GROW_ON_STALE
    RQ.epoch = 0;
#endif
#ifndef BLIND_INCREMENT
    RQ.target = 0;
#endif
    skip
}

proctype Redis() {
#if DUPS == ANY
#define SERVE(n, i) :: d_step { !done && wire[n].d[i].sent -> declareScript(n, i) }
#elif DUPS == 0
#define SERVE(n, i) :: d_step { !done && wire[n].d[i].sent -> declareScript(n, i); arrived(n, i) }
#else
#define SERVE(n, i) :: d_step { !done && wire[n].d[i].sent -> declareScript(n, i); arrived(n, i) } \
    :: d_step { !done && wire[n].d[i].sent && dups < DUPS -> declareScript(n, i); dups = dups + 1 }
#endif
end:
    do
    SERVE(0, 1) SERVE(1, 1)
#if SENDS >= 2
    SERVE(0, 2) SERVE(1, 2)
#endif
#if SENDS >= 3
    SERVE(0, 3) SERVE(1, 3)
#endif
#if SENDS >= 4
    SERVE(0, 4) SERVE(1, 4)
#endif
#if SENDS >= 5
    SERVE(0, 5) SERVE(1, 5)
#endif
#if N >= 3
    SERVE(2, 1)
#if SENDS >= 2
    SERVE(2, 2)
#endif
#if SENDS >= 3
    SERVE(2, 3)
#endif
#endif
    od
}

/* ---- time, and the end ---- */

inline tick() {
    printf("tick\n");
    x = 0;
    do
    :: x < N ->
        if :: node[x].left > 0 -> node[x].left = node[x].left - 1 :: else fi;
        if :: node[x].waiting && node[x].sentAgo < TTL -> node[x].sentAgo = node[x].sentAgo + 1 :: else fi;
        if :: node[x].beatAnswer != NONE && node[x].beatAgo < TTL -> node[x].beatAgo = node[x].beatAgo + 1 :: else fi;
        x++
    :: else -> break
    od;
    x = 0;
    do
    :: x < N * SLOTS ->
        if :: entry[x].left > 0 -> entry[x].left = entry[x].left - 1 :: else fi;
        x++
    :: else -> break
    od;
    x = 0
}

/* A node in contact asks: nothing is left of this lease. */
#define EXPIRED(n, e) (ENTRY(n, e).there && ENTRY(n, e).left == 0)

inline clearWire() {
    x = 0;
    do
    :: x < N ->
        stopWaiting(x);
        y = 0;
        do
        :: y < SEQS ->
            wire[x].d[y].sent = 0; wire[x].d[y].epoch = 0; wire[x].d[y].target = 0;
            wire[x].d[y].had = 0; wire[x].d[y].join = 0; wire[x].d[y].replaces = 0;
            wire[x].d[y].retire = 0; wire[x].d[y].answer = NONE; wire[x].d[y].grant = 0;
            y++
        :: else -> break
        od;
        y = 0;
        x++
    :: else -> break
    od;
    x = 0
}

inline settleNode(n) {
    if :: node[n].joined && node[n].left == 0 -> leaveEpoch(n) :: else fi;
    send(n, node[n].live);
    declareScript(n, node[n].seq);
    answered(n);
    assert(node[n].joined)
}

inline settleBeat(n) {
    heartbeatScript(n);
    assert(node[n].beatAnswer == OK);
    beaten(n)
}

/*
 * From any state: messages in transit are lost, the network works, no node opens or closes.
 * Each node declares its live sockets; one lease later only open ones are counted.
 */
inline settle() {
    printf("settle\n");
    clearWire();
    z = 0;
    do
    :: z < N -> settleNode(z); z++
    :: else -> break
    od;
    w = 0;
    do
    :: w < TTL ->
        z = 0;
        do
        :: z < N -> settleBeat(z); z++
        :: else -> break
        od;
        tick();
        w++
    :: else -> break
    od;
    w = 0;
#ifndef NO_EXPIRY
    z = 0;
    do
    :: z < N * SLOTS -> if :: EXPIRED(0, z) -> forget(0, z) :: else fi; z++
    :: else -> break
    od;
#endif
    z = 0;
    do
    :: z < N ->
        assert(ENTRY(z, node[z].epoch).current == node[z].live && node[z].granted == node[z].live);
        w = w + node[z].live;
        z++
    :: else -> break
    od;
    z = 0;
    sumGranted();
    assert(total == w && total <= L);
    total = 0; w = 0
}

/* Every run ends in the same state, so that settling costs transitions but no states. */
inline wipe() {
    clearWire();
    x = 0;
    do
    :: x < N ->
        node[x].live = 0; node[x].granted = 0; node[x].epoch = 0; node[x].joined = 0; node[x].replaces = 0;
        node[x].left = 0; node[x].seq = 0; node[x].sentAgo = 0; x++
    :: else -> break
    od;
    x = 0;
    do
    :: x < N * SLOTS -> entry[x].there = 0; entry[x].current = 0; entry[x].seq = 0; entry[x].left = 0; x++
    :: else -> break
    od;
    x = 0; dups = 0; done = 1
}

#define EXPIRE(n, e) :: d_step { !done && EXPIRED(n, e) -> forget(n, e) }

proctype World() {
end:
    do
    :: d_step { !done -> tick() }
#ifndef NO_EXPIRY
    EXPIRE(0, 0) EXPIRE(0, 1) EXPIRE(1, 0) EXPIRE(1, 1)
#if EPOCHS >= 3
    EXPIRE(0, 2) EXPIRE(1, 2)
#endif
#if N >= 3
    EXPIRE(2, 0) EXPIRE(2, 1)
#endif
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
        run Redis(); run World()
    }
}
