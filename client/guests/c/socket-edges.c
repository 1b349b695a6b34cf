/*
 * Calls that socket-walk does not make, whose results a test compares with the same program's as a process of this machine: sockets of both
 * families, waits for all bytes, odd names and arguments.
 *
 *   socket-edges ECHO UDP_ECHO
 *
 * Ports on 127.0.0.1 of servers that send everything back.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int echo, udpEcho;
static char data[200000];

static const char *nameOf(int error) {
  switch (error) {
#define NAME(name) case name: return #name;
    NAME(EACCES) NAME(EADDRINUSE) NAME(EAFNOSUPPORT) NAME(EAGAIN) NAME(EBADF) NAME(ECONNREFUSED) NAME(ECONNRESET) NAME(EDESTADDRREQ) NAME(EINPROGRESS)
    NAME(EINVAL) NAME(EISCONN) NAME(EMSGSIZE) NAME(ENOTCONN) NAME(ENOTSOCK) NAME(EOPNOTSUPP) NAME(EPERM) NAME(EPIPE) NAME(EPROTONOSUPPORT)
#undef NAME
    default: return strerror(error);
  }
}

static long say(const char *what, long result) {
  int error = errno;
  if (result < 0) printf("%s: %s\n", what, nameOf(error));
  else printf("%s: %ld\n", what, result);
  return result;
}

/* Addresses. */

typedef union { struct sockaddr any; struct sockaddr_in in; struct sockaddr_in6 in6; struct sockaddr_storage storage; } address;

static socklen_t at(address *to, const char *host, int port) {
  memset(to, 0, sizeof *to);
  to->in.sin_port = htons((unsigned short)port);
  if (inet_pton(AF_INET, host, &to->in.sin_addr) == 1) {
    to->in.sin_family = AF_INET;
    return sizeof to->in;
  }
  inet_pton(AF_INET6, host, &to->in6.sin6_addr);
  to->in6.sin6_family = AF_INET6;
  return sizeof to->in6;
}

static void sayAddress(const char *what, const address *from, socklen_t length) {
  char text[64] = "?";
  int is6 = from->any.sa_family == AF_INET6;
  inet_ntop(from->any.sa_family, is6 ? (const void *)&from->in6.sin6_addr : &from->in.sin_addr, text, sizeof text);
  printf("%s: inet%s %s %s %d\n", what, is6 ? "6" : "", text, from->in.sin_port ? "port" : "0", length == (is6 ? sizeof from->in6 : sizeof from->in));
}

static void sayName(const char *what, int fd, int (*get)(int, struct sockaddr *, socklen_t *)) {
  address name;
  socklen_t length = sizeof name;
  memset(&name, 0, sizeof name);
  if (get(fd, &name.any, &length) != 0) say(what, -1);
  else if (get == getsockname && name.any.sa_family == AF_INET6) printf("%s: inet6 %s\n", what, name.in.sin_port ? "port" : "0");
  else sayAddress(what, &name, length);
}

static int peerName(int fd, struct sockaddr *to, socklen_t *length) { return getpeername(fd, to, length); }

static int portOf(int fd) {
  address name;
  socklen_t length = sizeof name;
  return getsockname(fd, &name.any, &length) == 0 ? ntohs(name.in.sin_port) : -1;
}

static int opened(int family, int type, int ms) {
  int fd = socket(family, type, 0);
  struct timeval time = {ms / 1000, ms % 1000 * 1000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  return fd;
}

static long connectTo(int fd, const char *host, int port) {
  address to;
  socklen_t length = at(&to, host, port);
  return connect(fd, &to.any, length);
}

static long bindTo(int fd, const char *host) {
  address to;
  socklen_t length = at(&to, host, 0);
  return bind(fd, &to.any, length);
}

static long sendTo(int fd, const char *host, int port) {
  address to;
  socklen_t length = at(&to, host, port);
  return sendto(fd, "hey", 3, MSG_NOSIGNAL, &to.any, length);
}

static void receiveFrom(const char *what, int fd) {
  address from;
  socklen_t length = sizeof from;
  memset(&from, 0, sizeof from);
  if (say(what, recvfrom(fd, data, 10, 0, &from.any, &length)) >= 0) sayAddress(what, &from, length);
}

static void families(void) {
  static const char four[] = "127.0.0.1", six[] = "::1", mapped[] = "::ffff:127.0.0.1";
  const struct { const char *name; int type, port; } kinds[] = {{"stream", SOCK_STREAM, echo}, {"datagram", SOCK_DGRAM, udpEcho}};
  for (int i = 0; i < 2; i++) {
    printf("-- %s\n", kinds[i].name);
    int type = kinds[i].type, port = kinds[i].port, fd = opened(AF_INET, type, 5000);
    say("inet connects to inet6", connectTo(fd, six, port));
    say("inet binds inet6", bindTo(fd, six));
    say("inet sends to inet6", sendTo(fd, six, port));
    close(fd);
    fd = opened(AF_INET6, type, 5000);
    say("inet6 binds inet", bindTo(fd, four));
    say("inet6 connects to inet", connectTo(fd, four, port));
    sayName("its peer", fd, peerName);
    close(fd);
    fd = opened(AF_INET6, type, 5000);
    say("inet6 connects to mapped", connectTo(fd, mapped, port));
    say("send", send(fd, "hey", 3, MSG_NOSIGNAL));
    say("recv", recv(fd, data, 3, MSG_WAITALL));
    sayName("its peer", fd, peerName);
    sayName("its name", fd, getsockname);
    close(fd);
    fd = opened(AF_INET, type, 5000);
    say("port 0", connectTo(fd, four, 0));
    close(fd);
  }
  static const char *const destinations[] = {mapped, four};
  for (int i = 0; i < 2; i++) {
    int fd = opened(AF_INET6, SOCK_DGRAM, 5000);
    say("inet6 sends to", sendTo(fd, destinations[i], udpEcho));
    receiveFrom("from", fd);
    close(fd);
  }
  int fd = opened(AF_INET6, SOCK_DGRAM, 5000), other = opened(AF_INET6, SOCK_DGRAM, 5000);
  say("binds ::1", bindTo(fd, six));
  say("sends to ::1", sendTo(other, six, portOf(fd)));
  receiveFrom("from", fd);
  close(fd);
  close(other);
  address to;
  socklen_t length = at(&to, four, udpEcho);
  to.any.sa_family = AF_UNSPEC;
  fd = opened(AF_INET, SOCK_DGRAM, 5000);
  say("sends to no family", sendto(fd, "hey", 3, 0, &to.any, length));
  say("sends to port 0", sendTo(fd, four, 0));
  receiveFrom("from", fd);
  close(fd);
  fd = opened(AF_INET, SOCK_STREAM, 5000);
  length = at(&to, "0.0.0.0", 0);
  to.any.sa_family = AF_UNSPEC;
  say("binds no family", bind(fd, &to.any, length));
  close(fd);

  fd = opened(AF_INET6, SOCK_STREAM, 5000);
  say("binds ::", bindTo(fd, "::"));
  say("listens", listen(fd, 4));
  static const char *const visitors[] = {four, six};
  for (int i = 0; i < 2; i++) {
    int visitor = opened(i ? AF_INET6 : AF_INET, SOCK_STREAM, 5000);
    say("visits", connectTo(visitor, visitors[i], portOf(fd)));
    address peer;
    length = sizeof peer;
    memset(&peer, 0, sizeof peer);
    int accepted = accept4(fd, &peer.any, &length, SOCK_NONBLOCK);
    sayAddress("accepted", &peer, length);
    say("not blocking", (fcntl(accepted, F_GETFL) & O_NONBLOCK) != 0);
    sayName("its peer", accepted, peerName);
    close(accepted);
    close(visitor);
  }
  close(fd);
}

/* Waits until `bytes` can be read. */
static void await(int fd, int bytes) {
  for (int i = 0; i < 2500 && recv(fd, data, (size_t)bytes, MSG_PEEK | MSG_DONTWAIT) < bytes; i++) nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* `fd` receives what is sent to `to`. */
static void waitsForAll(const char *what, int fd, int to) {
  printf("-- %s\n", what);
  send(to, "abc", 3, MSG_NOSIGNAL);
  await(fd, 3);
  say("not waiting", recv(fd, data, 10, MSG_WAITALL | MSG_DONTWAIT));
  say("none", recv(fd, data, 10, MSG_WAITALL | MSG_DONTWAIT));
  say("for no bytes", recv(fd, data, 0, MSG_DONTWAIT));
  say("read, for no bytes", read(fd, data, 0));
  send(to, "abc", 3, MSG_NOSIGNAL);
  say("until the time is over", recv(fd, data, 10, MSG_WAITALL));
  send(to, "abc", 3, MSG_NOSIGNAL);
  say("peek until then", recv(fd, data, 10, MSG_WAITALL | MSG_PEEK));
  fcntl(fd, F_SETFL, O_NONBLOCK);
  say("non-blocking", recv(fd, data, 10, MSG_WAITALL));
  fcntl(fd, F_SETFL, 0);
  for (int i = 0; i < 4; i++) send(to, data, 10000, MSG_NOSIGNAL);
  say("40000", recv(fd, data, 40000, MSG_WAITALL));
  for (int i = 0; i < 2; i++) send(to, data, 10000, MSG_NOSIGNAL);
  say("20000 of 100000", recv(fd, data, 100000, MSG_WAITALL));
}

static void waits(void) {
  int fd = opened(AF_INET, SOCK_STREAM, 200), ends[2];
  connectTo(fd, "127.0.0.1", echo);
  waitsForAll("stream", fd, fd);
  struct iovec many[1025];
  for (int i = 0; i < 1025; i++) many[i] = (struct iovec){"q", 1};
  say("writev of 1025", writev(fd, many, 1025));
  say("more", send(fd, "x", 1, MSG_MORE | MSG_NOSIGNAL));
  say("urgent", recv(fd, data, 1, MSG_OOB));

  /* Only exceptions are waited for: neither data nor the peer's end is one. */
  await(fd, 1);
  shutdown(fd, SHUT_RDWR);
  fd_set exceptions;
  FD_ZERO(&exceptions);
  FD_SET(fd, &exceptions);
  struct timeval tick = {0, 50000};
  struct timespec begun, now;
  clock_gettime(CLOCK_MONOTONIC, &begun);
  say("select", select(fd + 1, NULL, NULL, &exceptions, &tick));
  clock_gettime(CLOCK_MONOTONIC, &now);
  say("waited", (now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000 >= 49);
  struct pollfd entry = {fd, POLLIN | POLLRDHUP, 0};
  poll(&entry, 1, 0);
  say("ended", (entry.revents & POLLRDHUP) != 0);
  close(fd);

  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  struct timeval time = {0, 200000};
  setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  waitsForAll("pair", ends[1], ends[0]);
  send(ends[0], "abc", 3, MSG_NOSIGNAL);
  send(ends[1], "u", 1, MSG_NOSIGNAL);
  close(ends[0]);
  say("closed", recv(ends[1], data, 10, 0));
  say("reset", recv(ends[1], data, 10, 0));
  say("end", recv(ends[1], data, 10, 0));
  say("connect", connectTo(ends[1], "127.0.0.1", echo));
  say("bind", bindTo(ends[1], "127.0.0.1"));
  close(ends[1]);
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  say("sendto", sendTo(ends[0], "127.0.0.1", echo));
}

static void arguments(void) {
  puts("-- arguments");
  static const struct { const char *what; int domain, type, protocol; } odd[] = {
    {"no domain", 77, SOCK_STREAM, 0}, {"no type", AF_INET, 99, 0}, {"raw", AF_INET, SOCK_RAW, 0}, {"stream, udp", AF_INET, SOCK_STREAM, IPPROTO_UDP},
    {"datagram, tcp", AF_INET6, SOCK_DGRAM, IPPROTO_TCP}, {"protocol -1", AF_INET, SOCK_STREAM, -1}, {"protocol 1000", AF_INET, SOCK_STREAM, 1000},
    {"no domain, no type", 77, 99, 0},
  };
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) say(odd[i].what, socket(odd[i].domain, odd[i].type, odd[i].protocol));
  int ends[2], fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP), value;
  socklen_t length = sizeof value;
  say("udp", fd >= 0);
  say("accept4, flags", accept4(fd, NULL, NULL, 1));
  say("pair, no type", socketpair(AF_UNIX, 99, 0, ends));
  say("pair, protocol", socketpair(AF_UNIX, SOCK_STREAM, 77, ends));
  /* A descriptor that is open and no socket. Natively a parent's pipe may be one. */
  int other = 1;
#ifndef __wasi__
  other = open("/dev/null", O_RDWR);
#endif
  say("no socket: connect", connectTo(other, "127.0.0.1", echo));
  say("bind", bindTo(other, "127.0.0.1"));
  say("listen", listen(other, 1));
  say("accept", accept(other, NULL, NULL));
  say("send", send(other, "x", 1, 0));
  say("recv", recv(other, data, 1, 0));
  say("shutdown", shutdown(other, SHUT_RDWR));
  say("getsockopt", getsockopt(other, SOL_SOCKET, SO_TYPE, &value, &length));
  say("getpeername", getpeername(other, (void *)data, &length));
  say("SO_SNDLOWAT", setsockopt(fd, SOL_SOCKET, SO_SNDLOWAT, &value, sizeof value));
  close(fd);
}

/* Names. */

static void lookUp(const char *name, int family, int flags) {
  struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = flags}, *list;
  int code = getaddrinfo(name, "80", &hints, &list);
  printf("%s inet%s %d%d:", name ? name : "-", family == AF_INET6 ? "6" : family == AF_INET ? "4" : "", (flags & AI_NUMERICHOST) != 0, (flags & AI_V4MAPPED) != 0);
  /* The order of several addresses depends on the machine. */
  char texts[8][64];
  int count = 0;
  for (struct addrinfo *item = code ? NULL : list; item && count < 8; item = item->ai_next) {
    getnameinfo(item->ai_addr, item->ai_addrlen, texts[count++], 64, NULL, 0, NI_NUMERICHOST);
  }
  qsort(texts, (size_t)count, sizeof *texts, (int (*)(const void *, const void *))strcmp);
  for (int i = 0; i < count; i++) printf(" %s", texts[i]);
  printf("%s\n", code ? gai_strerror(code) : "");
  if (!code) freeaddrinfo(list);
}

static void names(void) {
  puts("-- names");
  static const char *const literals[] = {NULL, "", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "1.2.3", "127.0.0.1", "::1", "::ffff:127.0.0.1", "[::1]",
    "1.2.3.4.5", "1.2.3.256", "08.1.1.1", "-x", "a..b", ".", "a b"};
  for (size_t i = 0; i < sizeof literals / sizeof *literals; i++) {
    lookUp(literals[i], AF_UNSPEC, 0);
    lookUp(literals[i], AF_UNSPEC, AI_NUMERICHOST);
    lookUp(literals[i], AF_INET, 0);
    lookUp(literals[i], AF_INET6, 0);
    lookUp(literals[i], AF_INET6, AI_V4MAPPED);
  }
  lookUp(NULL, AF_UNSPEC, AI_PASSIVE);
  lookUp("::1%lo", AF_UNSPEC, 0);
  struct addrinfo hints = {.ai_protocol = 99}, *list;
  printf("no such protocol: %s\n", gai_strerror(getaddrinfo("127.0.0.1", "80", &hints, &list)));
  static const char *const networks[] = {"127", "127.1", "192.0.2.7", "0x7f.0377", "256", "1.2.3.4.5", "", "1.", "x"};
  for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) printf("inet_network %s: %08x\n", networks[i], (unsigned)inet_network(networks[i]));
  struct hostent entry, *found;
  char room[256];
  int code;
  for (size_t size = 8; size <= sizeof room; size += sizeof room - 8) {
    int error = gethostbyname_r("127.1", &entry, room, size, &found, &code);
    if (error) printf("gethostbyname_r: %s\n", error == ERANGE ? "ERANGE" : "?");
    else printf("gethostbyname_r: %s %s\n", found->h_name, inet_ntoa(*(struct in_addr *)found->h_addr_list[0]));
  }
  setservent(0);
  struct servent *first = getservent();
  printf("getservent: %s %d\n", first->s_name, ntohs((unsigned short)first->s_port));
  endservent();
}

static void messages(void) {
  puts("-- messages");
  int ends[2];
  socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
  struct iovec out[] = {{"one", 3}, {"three", 5}}, in[] = {{data, 10}, {data + 10, 10}, {data + 20, 10}};
  struct mmsghdr sent[2] = {{.msg_hdr = {.msg_iov = &out[0], .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = &out[1], .msg_iovlen = 1}}};
  struct mmsghdr received[3] = {0};
  for (int i = 0; i < 3; i++) received[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
  say("sendmmsg", sendmmsg(ends[0], sent, 2, 0));
  say("recvmmsg", recvmmsg(ends[1], received, 3, MSG_WAITFORONE, NULL));
  printf("%u %u %.3s %.5s\n", received[0].msg_len, received[1].msg_len, data, data + 10);
  say("recvmmsg, none", recvmmsg(ends[1], received, 3, MSG_DONTWAIT, NULL));
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  echo = atoi(argv[1]), udpEcho = atoi(argv[2]);
  signal(SIGPIPE, SIG_IGN);
  families();
  waits();
  arguments();
  names();
  messages();
  return 0;
}
