// Where a guest's sockets behave differently from Linux's, and why. client/wasi/README.md describes it for users.

const any = /./;

export const walkDifferences = [
  {
    walk: any, native: /^local=(0\.0\.0\.0|127\.0\.0\.1):(port|0)$/, here: /^local=(0\.0\.0\.0|127\.0\.0\.1):(port|0)$/,
    why: "the node does not tell which address of its own it connects from, and a socket that is not connected has no port of the node's",
  },
  {
    walk: /^stream .*bind=0/, native: /^visit=ECONNREFUSED$/, here: /^visit=0$/,
    why: "a port that the node chose and getsockname told is listened on from then on",
  },
  {
    walk: /^stream \w+ fresh: listen=0 (unconnect|shut_rd|shut_rdwr)=0$/, native: /^visit=ECONNREFUSED$/, here: /^visit=-$/,
    why: "Linux goes on telling the port that listen() without bind() had and that it has let go, which may be another program's; here there is none",
  },
  {
    walk: /^stream nonblocking .*(connect|refused)=EINPROGRESS/, native: /^(connect|refused)=0$/, here: /^(connect|refused)=EISCONN$/,
    why: "as POSIX says; Linux answers the first connect() after the socket is connected with 0",
  },
  {
    walk: /^datagram .*send(to)?=E/, native: /^bind=EINVAL$/, here: /^bind=0$/, ends: true,
    why: "a send that fails before anything went out gives the socket no port",
  },
];
