// Where a guest's sockets behave differently from Linux's, and why. client/wasi/README.md describes it for users.
// A rule with a `depth` needs that many calls in a row; the others show with two. One that nothing shows any more fails the test.

const noSend = "a send that fails before anything went out gives the socket no port";

export const walkDifferences = [
  {
    walk: /(reset|ended|refused):| (connect|refused)=/, native: /^local=127\.0\.0\.1:port$/, here: /^local=0\.0\.0\.0:port$/,
    why: "the node does not tell which address of its own it connects from",
  },
  {
    walk: /^stream \w+ fresh: listen=0 (unconnect|shut_rd|shut_rdwr)=0$/, depth: 3,
    native: /^(visit=ECONNREFUSED|local=0\.0\.0\.0:port)$/, here: /^(visit=-|local=0\.0\.0\.0:0)$/,
    why: "Linux goes on telling the port that listen() without bind() had and that it has let go, which may be another program's; here there is none",
  },
  {
    walk: /^stream .*( refused:| (refused|unconnect)=)/, native: /^local=(0\.0\.0\.0|127\.0\.0\.1):port$/, here: /^local=(0\.0\.0\.0|127\.0\.0\.1):0$/,
    why: "a socket whose connection failed or was removed has no port of the node's; on Linux it keeps its own",
  },
  {
    walk: /^stream \w+ fresh: .*bind=0/, native: /^visit=ECONNREFUSED$/, here: /^visit=0$/,
    why: "a port that the node chose and getsockname told is listened on from then on",
  },
  {
    walk: /^stream nonblocking .*(connect|refused)=EINPROGRESS/, native: /^(connect|refused)=0$/, here: /^(connect|refused)=EISCONN$/,
    why: "as POSIX says; Linux answers the first connect() after the socket is connected with 0",
  },
  {
    walk: /^datagram .*send(to)?=E/, native: /^local=0\.0\.0\.0:port$/, here: /^local=0\.0\.0\.0:0$/,
    why: noSend,
  },
  {
    walk: /^datagram .*send(to)?=E/, native: /^bind=EINVAL$/, here: /^bind=0$/, ends: true,
    why: noSend,
  },
  {
    walk: /^datagram \w+ refused: (send|sendto|recv|error)=ECONNREFUSED send=5$/, depth: 3,
    native: /^((send|sendto|recv|error)=ECONNREFUSED|poll=out\|err)$/, here: /^((send|sendto)=5|recv=EAGAIN|error=0|poll=out)$/,
    why: "the node reports a closed port at most once a second for each socket",
  },
];
