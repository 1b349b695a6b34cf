/* The socket calls that wasi-libc lacks, except sending and receiving (message.c). shutdown, fcntl, read, write and close are its own. */

#include "wasmnet.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <wasi/api.h>

int wasmnet_answer(uint32_t error) {
  if (error == 0) return 0;
  errno = (int)error;
  return -1;
}

int32_t wasmnet_unpack(const struct sockaddr *value, socklen_t length, struct wasmnet_address *address) {
  if (value->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
    const struct sockaddr_in *in = (const void *)value;
    *address = (struct wasmnet_address){(uint8_t *)&in->sin_addr, 4};
    return ntohs(in->sin_port);
  }
  if (value->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
    const struct sockaddr_in6 *in6 = (const void *)value;
    *address = (struct wasmnet_address){(uint8_t *)&in6->sin6_addr, 16};
    return ntohs(in6->sin6_port);
  }
  /* The bridge knows what an address of no family means. */
  if (value->sa_family == AF_UNSPEC && length >= sizeof(struct sockaddr_in)) {
    static uint8_t storage[128];
    const struct sockaddr_in *in = (const void *)value;
    memcpy(storage + 2, &in->sin_addr, 4);
    *address = (struct wasmnet_address){storage, sizeof storage};
    return ntohs(in->sin_port);
  }
  errno = value->sa_family == AF_INET || value->sa_family == AF_INET6 ? EINVAL : EAFNOSUPPORT;
  return -1;
}

void wasmnet_pack(const uint8_t *storage, uint32_t port, struct sockaddr *value, socklen_t *length) {
  struct sockaddr_storage full;
  memset(&full, 0, sizeof full);
  size_t size;
  uint16_t family = (uint16_t)(storage[0] | storage[1] << 8);
  if (family == AF_INET6) {
    struct sockaddr_in6 *in6 = (void *)&full;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons((uint16_t)port);
    memcpy(&in6->sin6_addr, storage + 2, 16);
    size = sizeof *in6;
  } else if (family == AF_UNIX) {
    full.ss_family = AF_UNIX;
    size = sizeof full.ss_family;
  } else {
    struct sockaddr_in *in = (void *)&full;
    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)port);
    memcpy(&in->sin_addr, storage + 2, 4);
    size = sizeof *in;
  }
  memcpy(value, &full, size < *length ? size : *length);
  *length = (socklen_t)size;
}

/* 0, or Linux's error for socket()'s arguments; WASI has no ESOCKTNOSUPPORT. */
static int arguments_error(int domain, int kind, int protocol) {
  if (kind != SOCK_STREAM && kind != SOCK_DGRAM && kind != SOCK_RAW && kind != SOCK_RDM && kind != SOCK_SEQPACKET) return EINVAL;
  if (domain != AF_INET && domain != AF_INET6) return EAFNOSUPPORT;
  if (protocol < 0 || protocol > 255) return EINVAL;
  switch (kind) {
    case SOCK_STREAM: return protocol == 0 || protocol == IPPROTO_TCP ? 0 : EPROTONOSUPPORT;
    case SOCK_DGRAM: return protocol == 0 || protocol == IPPROTO_UDP ? 0 : EPROTONOSUPPORT;
    case SOCK_RAW: return protocol == 0 ? EPROTONOSUPPORT : EPERM;
    default: return EPROTONOSUPPORT;
  }
}

int socket(int domain, int type, int protocol) {
  int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
  int wrong = arguments_error(domain, kind, protocol);
  if (wrong != 0) return wasmnet_answer((uint32_t)wrong);
  int32_t fd;
  uint32_t error = wasmnet_open((uint32_t)domain, kind == SOCK_DGRAM ? wasmnet_datagram : wasmnet_stream, &fd);
  if (error != 0) return wasmnet_answer(error);
  if (type & SOCK_NONBLOCK) fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

int connect(int fd, const struct sockaddr *value, socklen_t length) {
  struct wasmnet_address address;
  if (length >= sizeof value->sa_family && value->sa_family == AF_UNSPEC) {
    /* An address of no family removes the peer. */
    static uint8_t none[128];
    address = (struct wasmnet_address){none, sizeof none};
    return wasmnet_answer(wasmnet_connect(fd, &address, 0));
  }
  int32_t port = wasmnet_unpack(value, length, &address);
  return port < 0 ? -1 : wasmnet_answer(wasmnet_connect(fd, &address, (uint32_t)port));
}

int bind(int fd, const struct sockaddr *value, socklen_t length) {
  struct wasmnet_address address;
  int32_t port = wasmnet_unpack(value, length, &address);
  return port < 0 ? -1 : wasmnet_answer(wasmnet_bind(fd, &address, (uint32_t)port));
}

int listen(int fd, int backlog) { return wasmnet_answer(wasmnet_listen(fd, backlog)); }

int accept4(int fd, struct sockaddr *restrict value, socklen_t *restrict length, int flags) {
  if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) return wasmnet_answer(EINVAL);
  int32_t accepted;
  uint32_t error = wasmnet_accept(fd, flags & SOCK_NONBLOCK ? __WASI_FDFLAGS_NONBLOCK : 0, &accepted);
  if (error != 0) return wasmnet_answer(error);
  if (value != NULL) getpeername(accepted, value, length);
  return accepted;
}

/* Both in one file, as in wasi-libc: a program that calls one must not get the other from there. */
int accept(int fd, struct sockaddr *restrict value, socklen_t *restrict length) { return accept4(fd, value, length, 0); }

typedef uint32_t getter(int32_t, struct wasmnet_address *, uint32_t *);

static int get(getter *from, int fd, struct sockaddr *value, socklen_t *length) {
  uint8_t storage[128];
  struct wasmnet_address address = {storage, sizeof storage};
  uint32_t port;
  uint32_t error = from(fd, &address, &port);
  if (error == 0) wasmnet_pack(storage, port, value, length);
  return wasmnet_answer(error);
}

int getsockname(int fd, struct sockaddr *restrict value, socklen_t *restrict length) {
  return get(wasmnet_local_address, fd, value, length);
}

int getpeername(int fd, struct sockaddr *restrict value, socklen_t *restrict length) {
  return get(wasmnet_peer_address, fd, value, length);
}

/* The extension's level for sockets has number 0, which is IP's here. */
static int32_t level_of(int level) { return level == SOL_SOCKET ? 0 : level == IPPROTO_IP ? wasmnet_level_ip : level; }
/* SO_TYPE is wasi-libc's; the others' numbers are the extension's, remapped to avoid it. */
static int32_t option_of(int level, int name) { return level != SOL_SOCKET ? name : name == SO_TYPE ? 1 : name & 0xff; }

int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict length) {
  uint32_t error = wasmnet_get_option(fd, level_of(level), option_of(level, name), value, length);
  if (error == 0 && level == SOL_SOCKET && name == SO_TYPE) *(int *)value = *(int *)value == wasmnet_stream ? SOCK_STREAM : SOCK_DGRAM;
  return wasmnet_answer(error);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
  return wasmnet_answer(wasmnet_set_option(fd, level_of(level), option_of(level, name), value, length));
}
