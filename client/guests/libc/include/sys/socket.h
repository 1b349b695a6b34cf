/* The parts of <sys/socket.h> that wasi-libc lacks: sockets that a program opens itself, over the WasmEdge extension. */
#ifndef WASMNET_SYS_SOCKET_H
#define WASMNET_SYS_SOCKET_H

#include_next <sys/socket.h>

#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Types that no socket here has. */
#define SOCK_RAW 8
#define SOCK_RDM 9
#define SOCK_SEQPACKET 10

#define SOMAXCONN 128
#define PF_UNSPEC AF_UNSPEC
#define PF_INET AF_INET
#define PF_INET6 AF_INET6
#define PF_UNIX AF_UNIX
#define AF_LOCAL AF_UNIX
#define PF_LOCAL AF_UNIX

/* Socket options by the extension's numbers, remapped to avoid wasi-libc's own SO_TYPE. */
#define SO_REUSEADDR 0x100
#define SO_ERROR 0x102
#define SO_DONTROUTE 0x103
#define SO_BROADCAST 0x104
#define SO_SNDBUF 0x105
#define SO_RCVBUF 0x106
#define SO_KEEPALIVE 0x107
#define SO_OOBINLINE 0x108
#define SO_LINGER 0x109
#define SO_RCVLOWAT 0x10a
#define SO_RCVTIMEO 0x10b
#define SO_SNDTIMEO 0x10c
#define SO_ACCEPTCONN 0x10d
#define SO_REUSEPORT 0x10f
#define SO_DOMAIN 0x110
#define SO_PROTOCOL 0x111
/* Known to no socket here. */
#define SO_BINDTODEVICE 0x10e
#define SO_SNDLOWAT 0x112
#define SO_PRIORITY 0x113
#define SO_MARK 0x114
#define SO_TIMESTAMP 0x115

#define SOL_IP 0
#define SOL_TCP 6
#define SOL_UDP 17
#define SOL_IPV6 41

/* wasi-libc's MSG_TRUNC has the number of MSG_PEEK: one is a result there, the other a request. */
#undef MSG_TRUNC
#define MSG_TRUNC 0x20
#define MSG_CTRUNC 0x08
#define MSG_DONTWAIT 0x40
#define MSG_NOSIGNAL 0
/* Refused, except that MSG_MORE is ignored on streams. */
#define MSG_OOB 0x100
#define MSG_DONTROUTE 0x200
#define MSG_EOR 0x400
#define MSG_MORE 0x800
/* For recvmmsg. */
#define MSG_WAITFORONE 0x1000

/* Control data: it is neither sent nor received, but programs that use it compile. */
struct cmsghdr {
  socklen_t cmsg_len;
  int cmsg_level;
  int cmsg_type;
};

#define SCM_RIGHTS 1
#define CMSG_ALIGN(length) (((length) + sizeof(size_t) - 1) & ~(sizeof(size_t) - 1))
#define CMSG_SPACE(length) (CMSG_ALIGN(length) + CMSG_ALIGN(sizeof(struct cmsghdr)))
#define CMSG_LEN(length) (CMSG_ALIGN(sizeof(struct cmsghdr)) + (length))
#define CMSG_DATA(header) ((unsigned char *)((struct cmsghdr *)(header) + 1))
#define CMSG_FIRSTHDR(message) ((message)->msg_controllen >= sizeof(struct cmsghdr) ? (struct cmsghdr *)(message)->msg_control : (struct cmsghdr *)0)
#define CMSG_NXTHDR(message, header) \
  ((header)->cmsg_len < sizeof(struct cmsghdr) || CMSG_ALIGN((header)->cmsg_len) + sizeof(struct cmsghdr) > \
    (size_t)((unsigned char *)(message)->msg_control + (message)->msg_controllen - (unsigned char *)(header)) \
    ? (struct cmsghdr *)0 : (struct cmsghdr *)((unsigned char *)(header) + CMSG_ALIGN((header)->cmsg_len)))

int socket(int domain, int type, int protocol);
int socketpair(int domain, int type, int protocol, int ends[2]);
int connect(int fd, const struct sockaddr *address, socklen_t length);
int bind(int fd, const struct sockaddr *address, socklen_t length);
int listen(int fd, int backlog);
int accept(int fd, struct sockaddr *restrict address, socklen_t *restrict length);
int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict length, int flags);
ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *address, socklen_t length);
ssize_t recvfrom(int fd, void *restrict data, size_t size, int flags, struct sockaddr *restrict address, socklen_t *restrict length);
ssize_t sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t recvmsg(int fd, struct msghdr *message, int flags);
int getsockname(int fd, struct sockaddr *restrict address, socklen_t *restrict length);
int getpeername(int fd, struct sockaddr *restrict address, socklen_t *restrict length);
int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict length);
int setsockopt(int fd, int level, int name, const void *value, socklen_t length);

#ifdef __cplusplus
}
#endif
#endif
