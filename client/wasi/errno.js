// The numbers of WASI preview1's errno that this bridge returns, and the errno for each code of the protocol.

/** WASI preview1 errno. The WasmEdge socket extension adds the AI_ ones for sock_getaddrinfo. */
export const Errno = Object.freeze({
  SUCCESS: 0, ACCES: 2, ADDRINUSE: 3, ADDRNOTAVAIL: 4, AFNOSUPPORT: 5, AGAIN: 6, ALREADY: 7, BADF: 8, CONNABORTED: 13,
  CONNREFUSED: 14, CONNRESET: 15, DESTADDRREQ: 17, DQUOT: 19, FAULT: 21, HOSTUNREACH: 23, INPROGRESS: 26, INTR: 27,
  INVAL: 28, IO: 29, ISCONN: 30, ISDIR: 31, MFILE: 33, MSGSIZE: 35, NETDOWN: 38, NETUNREACH: 40, NOBUFS: 42, NOENT: 44, NOPROTOOPT: 50,
  NOSYS: 52, NOTCONN: 53, NOTDIR: 54, NOTSOCK: 57, NOTSUP: 58, PIPE: 64, PROTO: 65, PROTONOSUPPORT: 66, PROTOTYPE: 67,
  SPIPE: 70, TIMEDOUT: 73, AI_ADDRFAMILY: 77, AI_AGAIN: 78, AI_BADFLAGS: 79, AI_FAIL: 80, AI_FAMILY: 81, AI_MEMORY: 82, AI_NONAME: 84,
  AI_SERVICE: 85, AI_SOCKTYPE: 86,
});

// One row for each code: the code's number, its word, and the errno of a guest's pending or next call.
const codes = [
  [0, "normal", Errno.SUCCESS],
  [1, "client_closed", Errno.SUCCESS],
  [2, "target_reset", Errno.CONNRESET],
  [3, "target_timeout", Errno.TIMEDOUT],
  [16, "policy_denied", Errno.ACCES],
  [17, "denylisted", Errno.ACCES],
  [18, "max_connections", Errno.MFILE],
  [19, "connect_rate", Errno.NOBUFS],
  [20, "byte_quota", Errno.DQUOT],
  [21, "max_sessions", Errno.NOBUFS],
  [22, "not_admitted", Errno.ACCES],
  [32, "refused", Errno.CONNREFUSED],
  [33, "unreachable", Errno.HOSTUNREACH],
  [34, "connect_timeout", Errno.TIMEDOUT],
  [35, "name_not_found", Errno.NOENT],
  [36, "tls_failed", Errno.PROTO],
  [37, "address_in_use", Errno.ADDRINUSE],
  [48, "protocol_error", Errno.PROTO],
  [49, "unknown_socket", Errno.NOTCONN],
  [50, "duplicate_id", Errno.IO],
  [51, "message_too_large", Errno.MSGSIZE],
  [52, "too_slow", Errno.CONNABORTED],
  [64, "draining", Errno.CONNABORTED],
  [65, "overloaded", Errno.NOBUFS],
  [66, "internal", Errno.IO],
];

/** `invalid_argument` is the client's own: a guest passed an invalid argument. */
const byWord = new Map([...codes.map(([, word, errno]) => [word, errno]), ["invalid_argument", Errno.INVAL]]);

/**
 * The errno for a code's word. A word that this table lacks means the end of the connection: `connection_lost` and the like
 * reset a socket that was connected and mean ENETDOWN for one that was not.
 */
export function errnoOf(word, wasConnected) {
  const errno = byWord.get(word);
  if (errno !== undefined) return errno;
  return wasConnected ? Errno.CONNRESET : Errno.NETDOWN;
}

/** The same for a failed name lookup, in getaddrinfo's numbers. */
export function lookupErrnoOf(word) {
  if (word === "name_not_found" || word === "invalid_argument") return Errno.AI_NONAME;
  if (word === "policy_denied" || word === "denylisted") return Errno.ACCES;
  if (word === "connect_timeout" || word === "overloaded" || word === "connect_rate" || word === "draining") return Errno.AI_AGAIN;
  return byWord.has(word) ? Errno.AI_FAIL : Errno.NETDOWN;
}

/** All rows, for documents and tests: [number, word, errno]. */
export const codeTable = Object.freeze(codes.map((row) => Object.freeze(row)));
