/* What wasi-libc's <sys/socket.h> leaves out: sockets that a program opens itself, over the WasmEdge extension. */
#ifndef WASMNET_SYS_SOCKET_H
#define WASMNET_SYS_SOCKET_H

#include_next <sys/socket.h>

#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SOMAXCONN 128
#define PF_UNSPEC AF_UNSPEC
#define PF_INET AF_INET
#define PF_INET6 AF_INET6

/* Socket options by the extension's numbers, moved away from wasi-libc's own SO_TYPE. */
#define SO_REUSEADDR 0x100
#define SO_ERROR 0x102
#define SO_BROADCAST 0x104
#define SO_SNDBUF 0x105
#define SO_RCVBUF 0x106
#define SO_KEEPALIVE 0x107
#define SO_LINGER 0x109
#define SO_RCVTIMEO 0x10b
#define SO_SNDTIMEO 0x10c
#define SO_ACCEPTCONN 0x10d

#define MSG_NOSIGNAL 0

int socket(int domain, int type, int protocol);
int connect(int fd, const struct sockaddr *address, socklen_t length);
int bind(int fd, const struct sockaddr *address, socklen_t length);
int listen(int fd, int backlog);
int accept(int fd, struct sockaddr *restrict address, socklen_t *restrict length);
ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *address, socklen_t length);
ssize_t recvfrom(int fd, void *restrict data, size_t size, int flags, struct sockaddr *restrict address, socklen_t *restrict length);
int getsockname(int fd, struct sockaddr *restrict address, socklen_t *restrict length);
int getpeername(int fd, struct sockaddr *restrict address, socklen_t *restrict length);
int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict length);
int setsockopt(int fd, int level, int name, const void *value, socklen_t length);

#ifdef __cplusplus
}
#endif
#endif
