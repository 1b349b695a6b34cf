/* The calls that send and receive bytes, all implemented with recvmsg and sendmsg. */

#define _GNU_SOURCE
#include "wasmnet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <time.h>
#include <wasi/api.h>

/* MSG_DONTWAIT is implemented here with O_NONBLOCK: the extension has no flag for it. Returns whether the descriptor must be restored. */
static bool stop_waiting(int fd, int flags) {
  if (!(flags & MSG_DONTWAIT)) return false;
  int mode = fcntl(fd, F_GETFL);
  return mode >= 0 && !(mode & O_NONBLOCK) && fcntl(fd, F_SETFL, mode | O_NONBLOCK) == 0;
}

static void wait_again(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK); }

static bool is_stream(int fd) {
  __wasi_fdstat_t status;
  return __wasi_fd_fdstat_get(fd, &status) == 0 && status.fs_filetype == __WASI_FILETYPE_SOCKET_STREAM;
}

static uint32_t receive(int fd, struct msghdr *message, int flags, __wasi_size_t *size) {
  uint32_t port = 0, flags_out = 0, error;
  if (message->msg_name == NULL || is_stream(fd)) {
    error = __wasi_sock_recv(fd, (const __wasi_iovec_t *)message->msg_iov, (size_t)message->msg_iovlen, (uint16_t)flags, size, (uint16_t *)&flags_out);
    if (error == 0 && message->msg_name != NULL) message->msg_namelen = 0;
  } else {
    uint8_t storage[128] = {0};
    struct wasmnet_address address = {storage, sizeof storage};
    error = wasmnet_recv_from(fd, message->msg_iov, (uint32_t)message->msg_iovlen, &address, (uint32_t)flags, &port, (uint32_t *)size, &flags_out);
    if (error == 0) wasmnet_pack(storage, port, message->msg_name, &message->msg_namelen);
  }
  message->msg_flags = flags_out & __WASI_ROFLAGS_RECV_DATA_TRUNCATED ? MSG_TRUNC : 0;
  message->msg_controllen = 0;
  return error;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
  /* No urgent data ever waits. */
  if (flags & MSG_OOB) return wasmnet_answer(EINVAL);
  if (flags & ~(MSG_PEEK | MSG_WAITALL | MSG_DONTWAIT)) return wasmnet_answer(EOPNOTSUPP);
  if (message->msg_iovlen < 0 || message->msg_iovlen > IOV_MAX) return wasmnet_answer(EMSGSIZE);
  __wasi_size_t size = 0;
  bool waits = stop_waiting(fd, flags);
  uint32_t error = receive(fd, message, flags & ~MSG_DONTWAIT, &size);
  if (waits) wait_again(fd);
  return error == 0 ? (ssize_t)size : wasmnet_answer(error);
}

static uint32_t transmit(int fd, const struct msghdr *message, __wasi_size_t *size) {
  if (message->msg_name == NULL) {
    return __wasi_sock_send(fd, (const __wasi_ciovec_t *)message->msg_iov, (size_t)message->msg_iovlen, 0, size);
  }
  struct wasmnet_address address;
  int32_t port = wasmnet_unpack(message->msg_name, message->msg_namelen, &address);
  if (port < 0) return (uint32_t)errno;
  return wasmnet_send_to(fd, message->msg_iov, (uint32_t)message->msg_iovlen, &address, (uint32_t)port, 0, (uint32_t *)size);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  /* Only a hint for a stream, but a datagram in parts otherwise. */
  if (flags & MSG_MORE && is_stream(fd)) flags &= ~MSG_MORE;
  if (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL)) return wasmnet_answer(EOPNOTSUPP);
  /* Control data, which would be dropped, is refused. */
  if (message->msg_controllen > 0) return wasmnet_answer(EOPNOTSUPP);
  if (message->msg_iovlen < 0 || message->msg_iovlen > IOV_MAX) return wasmnet_answer(EMSGSIZE);
  __wasi_size_t size = 0;
  bool waits = stop_waiting(fd, flags);
  uint32_t error = transmit(fd, message, &size);
  if (waits) wait_again(fd);
  return error == 0 ? (ssize_t)size : wasmnet_answer(error);
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *value, socklen_t length) {
  struct iovec vector = {(void *)data, size};
  return sendmsg(fd, &(struct msghdr){.msg_name = (void *)value, .msg_namelen = length, .msg_iov = &vector, .msg_iovlen = 1}, flags);
}

ssize_t recvfrom(int fd, void *restrict data, size_t size, int flags, struct sockaddr *restrict value, socklen_t *restrict length) {
  struct iovec vector = {data, size};
  struct msghdr message = {.msg_name = value, .msg_namelen = value != NULL ? *length : 0, .msg_iov = &vector, .msg_iovlen = 1};
  ssize_t received = recvmsg(fd, &message, flags);
  if (received >= 0 && value != NULL) *length = message.msg_namelen;
  return received;
}

ssize_t send(int fd, const void *data, size_t size, int flags) { return sendto(fd, data, size, flags, NULL, 0); }

ssize_t recv(int fd, void *data, size_t size, int flags) { return recvfrom(fd, data, size, flags, NULL, NULL); }

/* The number of messages, or the first one's error. */
int sendmmsg(int fd, struct mmsghdr *list, unsigned count, unsigned flags) {
  unsigned done = 0;
  for (; done < count; done++) {
    ssize_t size = sendmsg(fd, &list[done].msg_hdr, (int)flags);
    if (size < 0) return done > 0 ? (int)done : -1;
    list[done].msg_len = (unsigned)size;
  }
  return (int)done;
}

/* MSG_WAITFORONE waits for the first message only. As on Linux the time is checked after a message, and does not end a wait for one. */
int recvmmsg(int fd, struct mmsghdr *list, unsigned count, unsigned flags, struct timespec *timeout) {
  struct timespec begun, now;
  if (timeout != NULL) clock_gettime(CLOCK_MONOTONIC, &begun);
  unsigned done = 0;
  while (done < count) {
    ssize_t size = recvmsg(fd, &list[done].msg_hdr, (int)(flags & ~MSG_WAITFORONE));
    if (size < 0) return done > 0 ? (int)done : -1;
    list[done++].msg_len = (unsigned)size;
    if (flags & MSG_WAITFORONE) flags |= MSG_DONTWAIT;
    if (timeout == NULL) continue;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long passed = (now.tv_sec - begun.tv_sec) * 1000000000LL + now.tv_nsec - begun.tv_nsec;
    if (passed >= timeout->tv_sec * 1000000000LL + timeout->tv_nsec) break;
  }
  return (int)done;
}
