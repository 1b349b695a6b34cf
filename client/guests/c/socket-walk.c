/*
 * Makes a socket's calls in every order and prints the results, one line a walk. The same source is compiled for the
 * machine itself, whose table is the reference for the bridge.
 *
 *   socket-walk HOST ECHO RESET END CLOSED UDP_ECHO UDP_CLOSED DEPTH
 *
 * ECHO sends back and ends when its client does, RESET resets when it receives data, END ends its side at once, CLOSED is a closed port.
 * No call waits for longer than its socket's SO_RCVTIMEO or SO_SNDTIMEO: expected native events are polled for before the next call.
 */

#ifndef __wasi__
#define _GNU_SOURCE
#include <signal.h>
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { patience = 5000 /* ms for expected events */, errorPatience = 2000, mostSteps = 8 };

static const char *host;
static struct sockaddr_in echo, resets, ends, closed, udpEcho, udpClosed;

/* The walked socket, and the data known to be in transit to it. */
static struct walk {
  int fd, isStream, isNonblocking, isClosed;
  int isConnecting;    /* a non-blocking connect */
  int isConnected;     /* to a peer that echoes */
  int unread;          /* bytes or datagrams that will return */
  int isEnded;         /* the peer has ended its side */
  int endComes;        /* and will have ended it now, as we did ours */
  int errorComes;      /* a datagram went to a closed port */
  int wasRefused;      /* so did one before, which natively makes no difference */
  int isListening;
  int hasNoPort;       /* the address from getsockname may belong to another program by now */
  int visitors[mostSteps], visitorCount;
} walk;

static const char *nameOf(int error) {
  static char number[16];
  switch (error) {
#define NAME(name) case name: return #name;
    NAME(EACCES) NAME(EADDRINUSE) NAME(EADDRNOTAVAIL) NAME(EAFNOSUPPORT) NAME(EAGAIN) NAME(EALREADY) NAME(EBADF) NAME(ECONNABORTED)
    NAME(ECONNREFUSED) NAME(ECONNRESET) NAME(EDESTADDRREQ) NAME(EFAULT) NAME(EHOSTUNREACH) NAME(EINPROGRESS) NAME(EINVAL) NAME(EIO) NAME(EISCONN)
    NAME(EMFILE) NAME(EMSGSIZE) NAME(ENETDOWN) NAME(ENETUNREACH) NAME(ENOBUFS) NAME(ENODEV) NAME(ENOENT) NAME(ENOPROTOOPT) NAME(ENOSYS) NAME(ENOTCONN)
    NAME(ENOTSOCK) NAME(ENOTSUP) NAME(EPERM) NAME(EPIPE) NAME(EPROTO) NAME(EPROTONOSUPPORT) NAME(EPROTOTYPE) NAME(ETIMEDOUT) NAME(EDOM)
#undef NAME
    default: snprintf(number, sizeof number, "errno%d", error); return number;
  }
}

static void say(long result) {
  if (result < 0) fputs(nameOf(errno), stdout);
  else printf("%ld", result);
}

/* Ports are printed as a word, because they differ from run to run. */
static void sayAddress(const struct sockaddr_in *address, int isPeer) {
  char text[64] = "?";
  inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
  const struct sockaddr_in *known[] = {&echo, &resets, &ends, &closed, &udpEcho, &udpClosed};
  const char *names[] = {"echo", "reset", "end", "closed", "echo", "closed"};
  const char *port = address->sin_port == 0 ? "0" : "port";
  for (int i = walk.isStream ? 0 : 4; isPeer && i < (walk.isStream ? 4 : 6); i++) if (address->sin_port == known[i]->sin_port) port = names[i];
  printf("%s:%s", text, port);
}

static int wait(int fd, short events, int ms) {
  struct pollfd entry = {.fd = fd, .events = events};
  return poll(&entry, 1, ms) > 0 ? entry.revents : 0;
}

static struct timespec now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time;
}

static long since(struct timespec start) {
  struct timespec time = now();
  return (time.tv_sec - start.tv_sec) * 1000 + (time.tv_nsec - start.tv_nsec) / 1000000;
}

static void pauseShortly(void) { nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL); }

/* Waits until `bytes` can be read, because poll is not enough: a socket whose reading side is shut down is always readable. */
static void awaitBytes(int fd, int bytes) {
  struct timespec start = now();
  for (;;) {
    int waiting = 0;
    if (ioctl(fd, FIONREAD, &waiting) != 0 || waiting >= bytes || since(start) > patience) return;
    pauseShortly();
  }
}

/* Waits for expected data. */
static void settle(void) {
  if (walk.isClosed) return;
  if (walk.isConnecting) {
    wait(walk.fd, POLLOUT, patience);
    walk.isConnecting = 0;
  }
  if (walk.unread > 0) awaitBytes(walk.fd, walk.unread);
  if (walk.endComes) {
    /* Both sides have ended when there is no peer any more. */
    struct timespec start = now();
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    while (getpeername(walk.fd, (void *)&peer, &length) == 0 && since(start) < patience) pauseShortly();
    walk.endComes = 0;
  }
  if (walk.errorComes) {
    struct timespec start = now();
    while (!(wait(walk.fd, POLLIN, errorPatience) & POLLERR) && since(start) < errorPatience) pauseShortly();
    walk.errorComes = 0;
  }
}

static void limitWaits(int fd) {
  struct timeval receive = {.tv_usec = 4000}, send = {.tv_sec = 5};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &receive, sizeof receive);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &send, sizeof send);
}

static int newSocket(void) {
  int fd = socket(AF_INET, walk.isStream ? SOCK_STREAM : SOCK_DGRAM, 0);
  if (fd < 0) {
    printf("socket: %s\n", nameOf(errno));
    exit(1);
  }
  limitWaits(fd);
  return fd;
}

/* Closes without a TIME_WAIT, which would exhaust the machine's ports. */
static void drop(int fd) {
  struct linger now = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(fd);
}

/* The calls. */

static void connectTo(const struct sockaddr_in *to, int answers) {
  int result = connect(walk.fd, (const void *)to, sizeof *to);
  say(result);
  if (to == &closed) walk.hasNoPort = 1;
  if (result == 0 || errno == EINPROGRESS) {
    walk.isConnecting = result != 0;
    walk.isConnected = answers;
  }
}

static void doBind(void) {
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = echo.sin_addr};
  say(bind(walk.fd, (void *)&any, sizeof any));
}

static void doListen(void) {
  int result = listen(walk.fd, 4);
  if (result == 0) walk.isListening = 1;
  say(result);
}

static void doConnect(void) { connectTo(walk.isStream ? &echo : &udpEcho, 1); }
static void doRefused(void) { connectTo(walk.isStream ? &closed : &udpClosed, walk.isStream ? 0 : -1); }

static void doUnconnect(void) {
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  int result = connect(walk.fd, &none, sizeof none);
  if (result == 0) walk.isConnected = walk.unread = walk.endComes = 0;
  walk.hasNoPort = 1;
  say(result);
}

static void doAccept(void) {
  struct sockaddr_in peer = {0};
  socklen_t length = sizeof peer;
  int accepted = accept(walk.fd, (void *)&peer, &length);
  if (accepted < 0) {
    say(-1);
    return;
  }
  sayAddress(&peer, 1);
  drop(accepted);
}

static void sent(ssize_t count) {
  say(count);
  if (count < 0) return;
  if (walk.isConnected > 0) walk.unread += walk.isStream ? 5 : 1;
  if (walk.isConnected < 0) walk.errorComes = !walk.wasRefused;
}

static void doSend(void) { sent(send(walk.fd, "hello", 5, MSG_NOSIGNAL)); }

static void doSendTo(void) {
  const struct sockaddr_in *to = walk.isStream ? &echo : &udpEcho;
  int before = walk.isConnected;
  ssize_t count = sendto(walk.fd, "hello", 5, MSG_NOSIGNAL, (const void *)to, sizeof *to);
  /* A socket that is connected elsewhere does not receive the answer. */
  if (!walk.isStream) walk.isConnected = before >= 0;
  sent(count);
  walk.isConnected = before;
}

static void doReceive(void) {
  char data[64];
  struct sockaddr_in from = {0};
  socklen_t length = sizeof from;
  ssize_t count = recvfrom(walk.fd, data, 5, 0, (void *)&from, &length);
  say(count);
  if (count <= 0) return;
  walk.unread -= walk.isStream ? (int)count : 1;
  if (!walk.isStream) {
    putchar('@');
    sayAddress(&from, 1);
  }
}

static void shut(int how) {
  int result = shutdown(walk.fd, how);
  /* The peer ends when we do. */
  if (result == 0 && how != SHUT_RD && walk.isStream && (walk.isConnected > 0 || walk.isEnded)) walk.endComes = 1;
  say(result);
}

static void doShutRead(void) { shut(SHUT_RD); }
static void doShutWrite(void) { shut(SHUT_WR); }
static void doShutBoth(void) { shut(SHUT_RDWR); }

static void getAddress(int isPeer) {
  struct sockaddr_in address = {0};
  socklen_t length = sizeof address;
  int result = isPeer ? getpeername(walk.fd, (void *)&address, &length) : getsockname(walk.fd, (void *)&address, &length);
  if (result != 0) say(result);
  else sayAddress(&address, isPeer);
}

static void doLocal(void) { getAddress(0); }
static void doPeer(void) { getAddress(1); }

static void doError(void) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(walk.fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) say(-1);
  else fputs(error == 0 ? "0" : nameOf(error), stdout);
}

static void doPoll(void) {
  int events = wait(walk.fd, POLLIN | POLLOUT, 0);
  const struct { int bit; const char *name; } names[] = {{POLLIN, "in"}, {POLLOUT, "out"}, {POLLERR, "err"}, {POLLHUP, "hup"}, {POLLNVAL, "nval"}};
  int count = 0;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) if (events & names[i].bit) printf("%s%s", count++ ? "|" : "", names[i].name);
  if (count == 0) putchar('-');
}

/* Where nobody listens, the system may by chance connect from the very port that is connected to: TCP's simultaneous open (RFC 9293, 3.5). */
static int isConnectedToItself(int fd) {
  struct sockaddr_in own = {0}, peer = {0};
  socklen_t length = sizeof own;
  return getsockname(fd, (void *)&own, &length) == 0 && getpeername(fd, (void *)&peer, &length) == 0 && own.sin_port == peer.sin_port;
}

/* Another socket connects to the walked one. */
static void doVisit(void) {
  struct sockaddr_in address = {0};
  socklen_t length = sizeof address;
  if (walk.isClosed || !walk.isStream || (walk.hasNoPort && !walk.isListening) || getsockname(walk.fd, (void *)&address, &length) != 0 || address.sin_port == 0) {
    putchar('-');
    return;
  }
  address.sin_addr = echo.sin_addr;
  int fd = newSocket(), result;
  while ((result = connect(fd, (void *)&address, sizeof address)) == 0 && isConnectedToItself(fd)) {
    drop(fd);
    fd = newSocket();
  }
  say(result);
  walk.visitors[walk.visitorCount++] = fd;
  if (result == 0 && walk.isListening) wait(walk.fd, POLLIN, patience);
}

static void doClose(void) {
  say(close(walk.fd));
  walk.isClosed = 1;
}

static const struct step { const char *name; void (*call)(void); } steps[] = {
  {"bind", doBind}, {"listen", doListen}, {"connect", doConnect}, {"refused", doRefused}, {"unconnect", doUnconnect}, {"accept", doAccept},
  {"send", doSend}, {"sendto", doSendTo}, {"recv", doReceive}, {"shut_rd", doShutRead}, {"shut_wr", doShutWrite}, {"shut_rdwr", doShutBoth},
  {"local", doLocal}, {"peer", doPeer}, {"error", doError}, {"poll", doPoll}, {"visit", doVisit}, {"close", doClose},
};
enum { stepCount = sizeof steps / sizeof *steps };

/* The starting points of walks. */

static void startFresh(void) { walk.fd = newSocket(); }

static void startAccepted(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = echo.sin_addr};
  socklen_t length = sizeof address;
  int listener = newSocket(), visitor = newSocket();
  if (bind(listener, (void *)&address, sizeof address) != 0 || listen(listener, 4) != 0 || getsockname(listener, (void *)&address, &length) != 0 ||
      connect(visitor, (void *)&address, sizeof address) != 0) {
    printf("start: %s\n", nameOf(errno));
    exit(1);
  }
  wait(listener, POLLIN, patience);
  walk.fd = accept(listener, NULL, NULL);
  limitWaits(walk.fd);
  close(listener);
  walk.visitors[walk.visitorCount++] = visitor;
  send(visitor, "hello", 5, MSG_NOSIGNAL);
  walk.unread = 5;
  settle();
}

static void startAt(const struct sockaddr_in *to) {
  walk.fd = newSocket();
  connect(walk.fd, (const void *)to, sizeof *to);
}

static void startReset(void) {
  startAt(&resets);
  send(walk.fd, "x", 1, MSG_NOSIGNAL);
  struct timespec start = now();
  while (!(wait(walk.fd, POLLIN, patience) & (POLLHUP | POLLERR)) && since(start) < patience) pauseShortly();
}

static void startEnded(void) {
  startAt(&ends);
  walk.isEnded = 1;
  wait(walk.fd, POLLIN, patience);
}

static void startRefused(void) {
  walk.fd = newSocket();
  walk.hasNoPort = 1;
  fcntl(walk.fd, F_SETFL, O_NONBLOCK);
  connect(walk.fd, (void *)(walk.isStream ? &closed : &udpClosed), sizeof closed);
  if (walk.isStream) {
    wait(walk.fd, POLLOUT, patience);
  } else {
    walk.isConnected = -1;
    send(walk.fd, "hello", 5, MSG_NOSIGNAL);
    walk.errorComes = 1;
    settle();
#ifdef __wasi__
    /* The node reports a socket's refusals at most once a second. */
    walk.wasRefused = 1;
#endif
  }
  fcntl(walk.fd, F_SETFL, 0);
}

static const struct start { const char *name; int isStream; void (*begin)(void); } starts[] = {
  {"fresh", 1, startFresh}, {"accepted", 1, startAccepted}, {"reset", 1, startReset}, {"ended", 1, startEnded}, {"refused", 1, startRefused},
  {"fresh", 0, startFresh}, {"refused", 0, startRefused},
};

static void go(const struct start *start, int isNonblocking, const int *order, int count) {
  walk = (struct walk){.isStream = start->isStream, .isNonblocking = isNonblocking};
  start->begin();
  if (isNonblocking) fcntl(walk.fd, F_SETFL, O_NONBLOCK);
  printf("%s %s %s:", start->isStream ? "stream" : "datagram", isNonblocking ? "nonblocking" : "blocking", start->name);
  for (int i = 0; i < count; i++) {
    printf(" %s=", steps[order[i]].name);
    steps[order[i]].call();
    if (i + 1 < count) settle();
  }
  putchar('\n');
  if (!walk.isClosed) drop(walk.fd);
  for (int i = 0; i < walk.visitorCount; i++) drop(walk.visitors[i]);
}

static void walkAll(int count) {
  for (size_t s = 0; s < sizeof starts / sizeof *starts; s++) {
    int order[mostSteps] = {0};
    for (int mode = 0; mode < 2; mode++) {
      for (;;) {
        go(&starts[s], mode, order, count);
        int at = count - 1;
        while (at >= 0 && ++order[at] == stepCount) order[at--] = 0;
        if (at < 0) break;
      }
    }
  }
}

/* Options: their defaults, and their values after setting. */

#define OPTION(level, name) {#name, level, name}
static const struct option { const char *name; int level, number; } options[] = {
  OPTION(SOL_SOCKET, SO_REUSEADDR), OPTION(SOL_SOCKET, SO_TYPE), OPTION(SOL_SOCKET, SO_ERROR), OPTION(SOL_SOCKET, SO_DONTROUTE),
  OPTION(SOL_SOCKET, SO_BROADCAST), OPTION(SOL_SOCKET, SO_SNDBUF), OPTION(SOL_SOCKET, SO_RCVBUF), OPTION(SOL_SOCKET, SO_KEEPALIVE),
  OPTION(SOL_SOCKET, SO_OOBINLINE), OPTION(SOL_SOCKET, SO_LINGER), OPTION(SOL_SOCKET, SO_RCVLOWAT), OPTION(SOL_SOCKET, SO_RCVTIMEO),
  OPTION(SOL_SOCKET, SO_SNDTIMEO), OPTION(SOL_SOCKET, SO_ACCEPTCONN), OPTION(SOL_SOCKET, SO_REUSEPORT), OPTION(SOL_SOCKET, SO_DOMAIN),
  OPTION(SOL_SOCKET, SO_PROTOCOL), OPTION(IPPROTO_TCP, TCP_NODELAY), OPTION(IPPROTO_TCP, TCP_MAXSEG), OPTION(IPPROTO_TCP, TCP_CORK),
  OPTION(IPPROTO_TCP, TCP_KEEPIDLE), OPTION(IPPROTO_TCP, TCP_KEEPINTVL), OPTION(IPPROTO_TCP, TCP_KEEPCNT), OPTION(IPPROTO_TCP, TCP_SYNCNT),
  OPTION(IPPROTO_TCP, TCP_LINGER2), OPTION(IPPROTO_TCP, TCP_DEFER_ACCEPT), OPTION(IPPROTO_TCP, TCP_QUICKACK), OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT),
  OPTION(IPPROTO_IP, IP_TOS), OPTION(IPPROTO_IP, IP_TTL), OPTION(IPPROTO_IP, IP_MTU_DISCOVER), OPTION(IPPROTO_IP, IP_RECVERR),
  OPTION(IPPROTO_IP, IP_PKTINFO), OPTION(IPPROTO_IP, IP_RECVTTL), OPTION(IPPROTO_IP, IP_RECVTOS), OPTION(IPPROTO_IP, IP_MULTICAST_TTL),
  OPTION(IPPROTO_IP, IP_MULTICAST_LOOP), OPTION(IPPROTO_IPV6, IPV6_V6ONLY), OPTION(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
  OPTION(IPPROTO_IPV6, IPV6_MULTICAST_HOPS), OPTION(IPPROTO_IPV6, IPV6_MULTICAST_LOOP), {"level200", 200, 1}, {"SO_unknown", SOL_SOCKET, 0x1ff},
};

static void sayOption(const struct option *option) {
  unsigned char value[16] = {0};
  int number = 0;
  socklen_t length = sizeof value;
  int isTime = strstr(option->name, "VTIMEO") || strstr(option->name, "NDTIMEO");
  if (getsockopt(walk.fd, option->level, option->number, value, &length) != 0) {
    say(-1);
    return;
  }
  struct timeval time;
  memcpy(&time, value, sizeof time);
  memcpy(&number, value, sizeof number);
  if (isTime) printf("%ld.%06ld", (long)time.tv_sec, (long)time.tv_usec);
  /* Sizes of buffers and segments are the machine's own. */
  else if (strstr(option->name, "BUF") || strstr(option->name, "MAXSEG")) fputs(number > 0 ? "some" : "none", stdout);
  else if (!strcmp(option->name, "SO_TYPE")) fputs(number == SOCK_STREAM ? "stream" : number == SOCK_DGRAM ? "datagram" : "?", stdout);
  else if (!strcmp(option->name, "SO_DOMAIN")) fputs(number == AF_INET ? "inet" : number == AF_INET6 ? "inet6" : "?", stdout);
  else if (!strcmp(option->name, "SO_LINGER")) {
    int more;
    memcpy(&more, value + 4, sizeof more);
    printf("%d,%d", number, more);
  } else printf("%d", number);
  if (length != sizeof number && !isTime && strcmp(option->name, "SO_LINGER")) printf("(%d)", (int)length);
}

static void walkOptions(int isStream, int family, int state) {
  const char *states[] = {"fresh", "connected", "listening", "closed"};
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    const struct option *option = &options[i];
    walk = (struct walk){.isStream = isStream};
    walk.fd = socket(family, isStream ? SOCK_STREAM : SOCK_DGRAM, 0);
    if (state == 1) connect(walk.fd, (void *)(isStream ? &echo : &udpEcho), sizeof echo);
    if (state == 2) listen(walk.fd, 1);
    if (state == 3) close(walk.fd);
    printf("option %s %s %s: %s=", isStream ? "stream" : "datagram", family == AF_INET ? "inet" : "inet6", states[state], option->name);
    sayOption(option);
    int one = 1, small = 5;
    struct timeval time = {.tv_sec = 1, .tv_usec = 500000};
    struct linger linger = {1, 5};
    const void *value = &one;
    socklen_t length = sizeof one;
    if (strstr(option->name, "VTIMEO") || strstr(option->name, "NDTIMEO")) value = &time, length = sizeof time;
    if (strstr(option->name, "LINGER") && option->level == SOL_SOCKET) value = &linger, length = sizeof linger;
    if (strstr(option->name, "KEEP") || strstr(option->name, "SYNCNT") || strstr(option->name, "TTL") || strstr(option->name, "HOPS")) value = &small;
    fputs(" set=", stdout);
    say(setsockopt(walk.fd, option->level, option->number, value, length));
    fputs(" then=", stdout);
    sayOption(option);
    /* Too short a value. */
    fputs(" short=", stdout);
    say(setsockopt(walk.fd, option->level, option->number, value, 1));
    putchar('\n');
    if (state != 3) drop(walk.fd);
  }
}

/* Names. */

static void lookUp(const char *name, const char *service, const struct addrinfo *hints) {
  struct addrinfo *list = NULL;
  printf("lookup %s %s ", name ? name : "-", service ? service : "-");
  if (hints) printf("flags=%s%s%s%s type=%d:", hints->ai_flags & AI_PASSIVE ? "passive," : "", hints->ai_flags & AI_CANONNAME ? "canonname," : "",
                    hints->ai_flags & AI_NUMERICHOST ? "numerichost," : "", hints->ai_flags & AI_NUMERICSERV ? "numericserv" : "",
                    hints->ai_socktype == SOCK_STREAM ? 1 : hints->ai_socktype == SOCK_DGRAM ? 2 : 0);
  else fputs("without hints:", stdout);
  int code = getaddrinfo(name, service, hints, &list);
  const struct { int code; const char *name; } codes[] = {{EAI_NONAME, "EAI_NONAME"}, {EAI_SERVICE, "EAI_SERVICE"}, {EAI_FAMILY, "EAI_FAMILY"},
    {EAI_SOCKTYPE, "EAI_SOCKTYPE"}, {EAI_BADFLAGS, "EAI_BADFLAGS"}, {EAI_AGAIN, "EAI_AGAIN"}, {EAI_FAIL, "EAI_FAIL"}, {EAI_SYSTEM, "EAI_SYSTEM"}};
  if (code != 0) {
    const char *word = "?";
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) if (codes[i].code == code) word = codes[i].name;
    printf(" %s\n", word);
    return;
  }
  for (struct addrinfo *item = list; item; item = item->ai_next) {
    /* There are no raw sockets in WASI. */
    if (item->ai_socktype != SOCK_STREAM && item->ai_socktype != SOCK_DGRAM) continue;
    char text[64] = "?";
    const void *address = item->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)item->ai_addr)->sin_addr : &((struct sockaddr_in6 *)item->ai_addr)->sin6_addr;
    inet_ntop(item->ai_family, address, text, sizeof text);
    /* Of both, the port is at the same place. */
    printf(" %s/%d/%s/%d", text, ntohs(((struct sockaddr_in *)item->ai_addr)->sin_port),
           item->ai_socktype == SOCK_STREAM ? "stream" : "datagram", item->ai_protocol);
    if (item->ai_canonname) printf("/%s", item->ai_canonname);
  }
  putchar('\n');
  freeaddrinfo(list);
}

static void walkNames(void) {
  const char *names[] = {"127.0.0.1", "::1", "localhost", NULL, "no-such-name.invalid"};
  const char *services[] = {NULL, "80", "http", "https", "ntp", "domain", "imaps", "syslog", "nfs", "ldap", "mqtt", "redis", "postgresql", "www", "65536", "-1", "nonsense", "0x50", ""};
  for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
    for (size_t s = 0; s < sizeof services / sizeof *services; s++) {
      if (n > 1 && s > 2) break;
      for (int type = 0; type < 3; type++) {
        struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = type == 0 ? 0 : type == 1 ? SOCK_STREAM : SOCK_DGRAM};
        if (n == 1) hints.ai_family = AF_INET6;
        const int flags[] = {0, AI_PASSIVE, AI_CANONNAME, AI_NUMERICHOST, AI_NUMERICSERV};
        for (size_t f = 0; f < sizeof flags / sizeof *flags; f++) {
          if (s > 2 && f > 0 && f < 4) continue;
          hints.ai_flags = flags[f];
          lookUp(names[n], services[s], &hints);
        }
      }
      /* The addresses of a bare localhost depend on the machine. */
      if (n != 2 && n != 3) lookUp(names[n], services[s], NULL);
    }
  }
}

static struct sockaddr_in at(const char *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
  inet_pton(AF_INET, host, &address.sin_addr);
  return address;
}

int main(int argc, char **argv) {
  if (argc != 9) return 2;
  host = argv[1];
  echo = at(argv[2]), resets = at(argv[3]), ends = at(argv[4]), closed = at(argv[5]), udpEcho = at(argv[6]), udpClosed = at(argv[7]);
#ifndef __wasi__
  signal(SIGPIPE, SIG_IGN);
#endif
  walkAll(atoi(argv[8]));
  for (int family = 0; family < 2; family++) {
    for (int state = 0; state < 4; state++) {
      if (family == 1 && state == 1) continue;
      walkOptions(1, family ? AF_INET6 : AF_INET, state);
      if (state != 2) walkOptions(0, family ? AF_INET6 : AF_INET, state);
    }
  }
  walkNames();
  return 0;
}
