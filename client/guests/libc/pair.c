/* Two ends inside the program, by an import of this bridge only: a program that uses neither call does not import it. */

#include "wasmnet.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

int socketpair(int domain, int type, int protocol, int ends[2]) {
  int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (domain != AF_UNIX) return wasmnet_answer(EOPNOTSUPP);
  if (kind != SOCK_STREAM && kind != SOCK_DGRAM && kind != SOCK_SEQPACKET && kind != SOCK_RAW && kind != SOCK_RDM) return wasmnet_answer(EINVAL);
  if (protocol != 0 || (kind != SOCK_STREAM && kind != SOCK_DGRAM)) return wasmnet_answer(EPROTONOSUPPORT);
  uint32_t error = wasmnet_pair(kind == SOCK_DGRAM ? wasmnet_datagram : wasmnet_stream, &ends[0], &ends[1]);
  if (error == 0 && type & SOCK_NONBLOCK) {
    for (int i = 0; i < 2; i++) fcntl(ends[i], F_SETFL, O_NONBLOCK);
  }
  return wasmnet_answer(error);
}

/* As early pipes: a pair of sockets, each shut down one way. */
int pipe(int ends[2]) {
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return -1;
  shutdown(ends[0], SHUT_WR);
  shutdown(ends[1], SHUT_RD);
  return 0;
}
