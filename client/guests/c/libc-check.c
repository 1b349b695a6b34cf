/* Calls the functions that libc/ adds to wasi-libc and prints the results, so that a test can compare them with glibc's: libc-check */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* No descriptor: main closes any that a parent left there. Below 64, the minimum size of a process' table of
 * descriptors: Linux's select ignores what is beyond the table. */
enum { NO_FD = 63 };

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* Numbers differ between systems: errors and events are printed by name. */
static const char *error_name(int error) {
  static const struct { int error; const char *name; } names[] = {
    {0, "0"}, {EAGAIN, "EAGAIN"}, {EBADF, "EBADF"}, {ECONNREFUSED, "ECONNREFUSED"}, {ECONNRESET, "ECONNRESET"}, {EINVAL, "EINVAL"}, {ENODEV, "ENODEV"},
    {ENXIO, "ENXIO"}, {EPIPE, "EPIPE"}, {ENAMETOOLONG, "ENAMETOOLONG"}, {EMSGSIZE, "EMSGSIZE"}, {EOPNOTSUPP, "EOPNOTSUPP"}, {EISCONN, "EISCONN"},
  };
  for (size_t i = 0; i < COUNT(names); i++) {
    if (names[i].error == error) return names[i].name;
  }
  return strerror(error);
}

static const char *lookup_name(int code) { return code == 0 ? "0" : code == EAI_OVERFLOW ? "overflow" : gai_strerror(code); }

static const char *events_name(int events) {
  static char text[64];
  snprintf(text, sizeof text, "%s%s%s%s%s%s", events & POLLIN ? "in " : "", events & POLLPRI ? "pri " : "", events & POLLOUT ? "out " : "",
           events & POLLERR ? "err " : "", events & POLLHUP ? "hup " : "", events & POLLNVAL ? "nval " : "");
  return text;
}

static void result(const char *what, long value) {
  int error = errno;
  if (value < 0) printf("%s: -1 %s\n", what, error_name(error));
  else printf("%s: %ld\n", what, value);
}

static int distinct(const int *list, size_t count) {
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j < i; j++) if (list[i] == list[j]) return 0;
  }
  return 1;
}

static int disjoint(const int *list, size_t count) {
  int all = 0;
  for (size_t i = 0; i < count; i++) {
    if (list[i] == 0 || all & list[i]) return 0;
    all |= list[i];
  }
  return 1;
}

static void constants(void) {
  const int ai[] = {AI_PASSIVE, AI_CANONNAME, AI_NUMERICHOST, AI_NUMERICSERV, AI_V4MAPPED, AI_ALL, AI_ADDRCONFIG};
  const int ni[] = {NI_NUMERICHOST, NI_NUMERICSERV, NI_NOFQDN, NI_NAMEREQD, NI_DGRAM};
  const int msg[] = {MSG_PEEK, MSG_WAITALL, MSG_TRUNC, MSG_CTRUNC, MSG_DONTWAIT, MSG_OOB, MSG_MORE, MSG_EOR, MSG_DONTROUTE};
  const int so[] = {SO_REUSEADDR, SO_REUSEPORT, SO_TYPE, SO_ERROR, SO_BROADCAST, SO_SNDBUF, SO_RCVBUF, SO_KEEPALIVE, SO_LINGER, SO_RCVTIMEO, SO_SNDTIMEO, SO_ACCEPTCONN,
    SO_SNDLOWAT, SO_BINDTODEVICE, SO_PRIORITY, SO_MARK, SO_TIMESTAMP};
  const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET}, protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
  const int commands[] = {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD, F_DUPFD_CLOEXEC};
  const int events[] = {POLLIN, POLLPRI, POLLOUT, POLLERR, POLLHUP, POLLNVAL, POLLRDHUP};
  const int eai[] = {EAI_BADFLAGS, EAI_NONAME, EAI_AGAIN, EAI_FAIL, EAI_NODATA, EAI_FAMILY, EAI_SOCKTYPE, EAI_SERVICE, EAI_ADDRFAMILY, EAI_MEMORY, EAI_SYSTEM, EAI_OVERFLOW};
  const int levels[] = {SOL_SOCKET, SOL_IP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_IPV6};
  printf("constants: %d %d %d %d %d %d %d %d %d %d\n", disjoint(ai, COUNT(ai)), disjoint(ni, COUNT(ni)), disjoint(msg, COUNT(msg)), distinct(so, COUNT(so)),
         disjoint(events, COUNT(events)), distinct(eai, COUNT(eai)), distinct(levels, COUNT(levels)),
         distinct(types, COUNT(types)), distinct(protocols, COUNT(protocols)), distinct(commands, COUNT(commands)));
  for (size_t i = 0; i < COUNT(eai); i++) if (eai[i] != EAI_SYSTEM && eai[i] != EAI_OVERFLOW) printf("%s\n", gai_strerror(eai[i]));
  printf("%s\n", gai_strerror(-4711));
  for (int i = NETDB_INTERNAL; i <= NO_DATA + 1; i++) printf("%s\n", hstrerror(i));
}

static void addresses(void) {
  static const char *const texts[] = {"127.0.0.1", "10.1", "0x7f.1", "017700000001", "1.2.3.4.5", "256.1.1.1", "", "1.2.3.4x", "255.255.255.255"};
  for (size_t i = 0; i < COUNT(texts); i++) printf("inet_addr %s: %08x\n", texts[i], (unsigned)ntohl(inet_addr(texts[i])));
  printf("inet_ntoa: %s\n", inet_ntoa((struct in_addr){htonl(0xc0000207)}));
}

static void machine(void) {
  char name[256] = "";
  result("gethostname", gethostname(name, sizeof name));
  printf("%d\n", name[0] != 0);
  result("gethostname, no room", gethostname(name, 1));
  errno = 0;
  unsigned index = if_nametoindex("no-such-one");
  printf("if_nametoindex: %u %s\n", index, error_name(errno));
  errno = 0;
  char *found = if_indextoname(999999, name);
  printf("if_indextoname: %s %s\n", found ? found : "none", error_name(errno));
  struct if_nameindex *list = if_nameindex();
  printf("if_nameindex: %d\n", list != NULL);
  if_freenameindex(list);
}

static void print_service(const struct servent *entry) {
  if (entry == NULL) {
    printf("none\n");
    return;
  }
  printf("%s %d/%s", entry->s_name, ntohs((uint16_t)entry->s_port), entry->s_proto);
  for (char **alias = entry->s_aliases; *alias != NULL; alias++) printf(" %s", *alias);
  printf("\n");
}

static void services(void) {
  static const char *const names[] = {"http", "www", "https", "domain", "mail", "ftp", "ntp", "redis", "mqtt", "ircd", "no-such-service", "HTTP", ""};
  static const char *const protocols[] = {NULL, "tcp", "udp", "sctp"};
  for (size_t i = 0; i < COUNT(names); i++) {
    for (size_t j = 0; j < COUNT(protocols); j++) print_service(getservbyname(names[i], protocols[j]));
  }
  for (int port = 0; port < 7000; port++) {
    struct servent *entry = getservbyport(htons((uint16_t)port), "tcp");
    if (entry != NULL) print_service(entry);
    entry = getservbyport(htons((uint16_t)port), "udp");
    if (entry != NULL) print_service(entry);
  }
  print_service(getservbyport(htons(80), NULL));
  static const char *const others[] = {"ip", "icmp", "tcp", "udp", "ipv6", "no-such-protocol"};
  for (size_t i = 0; i < COUNT(others); i++) {
    struct protoent *entry = getprotobyname(others[i]);
    printf("protocol %s: %d\n", others[i], entry ? entry->p_proto : -1);
  }
  printf("protocol 17: %s\n", getprotobynumber(17)->p_name);
}

static void hosts(void) {
  static const char *const names[] = {"localhost", "127.0.0.1", "10.1"};
  for (size_t i = 0; i < COUNT(names); i++) {
    struct hostent *entry = gethostbyname(names[i]);
    if (entry == NULL) {
      printf("%s: %s\n", names[i], hstrerror(h_errno));
      continue;
    }
    printf("%s: %s %d %d", names[i], entry->h_name, entry->h_addrtype == AF_INET, entry->h_length);
    for (char **address = entry->h_addr_list; *address != NULL; address++) printf(" %s", inet_ntoa(*(struct in_addr *)*address));
    printf("\n");
  }
}

static void name_info(const char *text, int port, int flags, socklen_t host_size, socklen_t service_size) {
  struct sockaddr_storage storage;
  memset(&storage, 0, sizeof storage);
  struct sockaddr_in *in = (void *)&storage;
  struct sockaddr_in6 *in6 = (void *)&storage;
  socklen_t length = sizeof *in;
  if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons((uint16_t)port);
    length = sizeof *in6;
  } else {
    inet_pton(AF_INET, text, &in->sin_addr);
    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)port);
  }
  char host[NI_MAXHOST] = "-", service[NI_MAXSERV] = "-";
  int code = getnameinfo((void *)&storage, length, host_size ? host : NULL, host_size, service_size ? service : NULL, service_size, flags);
  printf("getnameinfo %s %d: %s %s %s\n", text, port, lookup_name(code), code ? "" : host, code ? "" : service);
}

static void name_infos(void) {
  const int numeric = NI_NUMERICHOST;
  name_info("192.0.2.7", 80, numeric, NI_MAXHOST, NI_MAXSERV);
  name_info("192.0.2.7", 80, numeric | NI_NUMERICSERV, NI_MAXHOST, NI_MAXSERV);
  name_info("192.0.2.7", 514, numeric, NI_MAXHOST, NI_MAXSERV);
  name_info("192.0.2.7", 514, numeric | NI_DGRAM, NI_MAXHOST, NI_MAXSERV);
  name_info("192.0.2.7", 64999, numeric | NI_NOFQDN, NI_MAXHOST, NI_MAXSERV);
  name_info("2001:db8::1", 443, numeric, NI_MAXHOST, NI_MAXSERV);
  name_info("::ffff:192.0.2.7", 443, numeric, NI_MAXHOST, NI_MAXSERV);
  name_info("192.0.2.7", 80, numeric, 0, NI_MAXSERV);
  name_info("192.0.2.7", 80, numeric, NI_MAXHOST, 0);
  name_info("192.0.2.7", 80, numeric, 0, 0);
  name_info("192.0.2.7", 80, numeric, 4, NI_MAXSERV);
  name_info("192.0.2.7", 80, numeric, NI_MAXHOST, 2);
  name_info("192.0.2.7", 80, 0x8000, NI_MAXHOST, NI_MAXSERV);
  struct sockaddr_in in = {.sin_family = AF_INET};
  char text[64];
  printf("getnameinfo, short: %s\n", lookup_name(getnameinfo((void *)&in, 4, text, sizeof text, NULL, 0, numeric)));
  in.sin_family = 99;
  printf("getnameinfo, family: %s\n", lookup_name(getnameinfo((void *)&in, sizeof in, text, sizeof text, NULL, 0, numeric)));
}

/* A socket on the loopback, and its address. */
static int bound(int type, struct sockaddr_in *at) {
  int fd = socket(AF_INET, type, 0);
  socklen_t length = sizeof *at;
  *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  if (bind(fd, (void *)at, sizeof *at) != 0 || (type == SOCK_STREAM && listen(fd, 1) != 0) || getsockname(fd, (void *)at, &length) != 0) perror("bound");
  return fd;
}

static void messages(void) {
  struct sockaddr_in here, there, from;
  int one = bound(SOCK_DGRAM, &here), other = bound(SOCK_DGRAM, &there), on = 1, value = 0;
  socklen_t length = sizeof value;
  char a[4], b[16];
  struct iovec out[] = {{"mes", 3}, {"", 0}, {"sage", 4}}, in[] = {{a, sizeof a}, {b, sizeof b}}, small = {a, 2};

  result("reuse port", setsockopt(one, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on));
  result("reuse port, read", getsockopt(one, SOL_SOCKET, SO_REUSEPORT, &value, &length));
  printf("reuse port: %d\n", value != 0);

  result("recv, nothing", recv(one, a, sizeof a, MSG_DONTWAIT));
  result("recvfrom, nothing", recvfrom(one, a, sizeof a, MSG_DONTWAIT, NULL, NULL));
  printf("still blocking: %d\n", (fcntl(one, F_GETFL) & O_NONBLOCK) == 0);
  struct msghdr message = {.msg_name = &there, .msg_namelen = sizeof there, .msg_iov = out, .msg_iovlen = 3};
  result("sendmsg", sendmsg(one, &message, 0));
  result("sendmsg, not waiting", sendmsg(one, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
  result("sendmsg", sendmsg(one, &message, 0));

  message = (struct msghdr){.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = in, .msg_iovlen = 2, .msg_flags = -1};
  result("recvmsg, peek", recvmsg(other, &message, MSG_PEEK));
  result("recvmsg", recvmsg(other, &message, 0));
  printf("%.4s%.3s %d %d %d %d\n", a, b, from.sin_port == here.sin_port, from.sin_addr.s_addr == here.sin_addr.s_addr, message.msg_namelen == sizeof from,
         message.msg_flags);
  message = (struct msghdr){.msg_iov = &small, .msg_iovlen = 1};
  result("recvmsg, no room", recvmsg(other, &message, 0));
  printf("%.2s %d %d\n", a, message.msg_flags == MSG_TRUNC, message.msg_namelen == 0);
  length = sizeof from;
  result("recvfrom", recvfrom(other, b, sizeof b, 0, (void *)&from, &length));
  printf("%.7s %d %d\n", b, from.sin_port == here.sin_port, length == sizeof from);
  close(one);
  close(other);

  int listener = bound(SOCK_STREAM, &here);
  one = socket(AF_INET, SOCK_STREAM, 0);
  result("connect", connect(one, (void *)&here, sizeof here));
  other = accept(listener, NULL, NULL);
  result("recv, nothing", recv(one, a, sizeof a, MSG_DONTWAIT));
  message = (struct msghdr){.msg_iov = out, .msg_iovlen = 3};
  result("sendmsg", sendmsg(one, &message, MSG_NOSIGNAL));
  message = (struct msghdr){.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = in, .msg_iovlen = 2};
  in[1].iov_len = 3;
  result("recvmsg", recvmsg(other, &message, MSG_WAITALL));
  printf("%.4s%.3s %d %d\n", a, b, message.msg_namelen, message.msg_flags);
  length = sizeof from;
  result("send", send(one, "more", 4, MSG_DONTWAIT));
  result("recvfrom", recvfrom(other, a, sizeof a, MSG_WAITALL, (void *)&from, &length));
  printf("%.4s %u\n", a, (unsigned)length);
  close(one);
  message = (struct msghdr){.msg_iov = in, .msg_iovlen = 2};
  result("recvmsg, end", recvmsg(other, &message, 0));
  result("sendmsg, no socket", sendmsg(NO_FD, &message, 0));
  close(other);
  close(listener);
}

static void look(int fd, int events) {
  struct pollfd entry = {fd, (short)events, 0};
  int count = poll(&entry, 1, 0);
  printf("poll: %d %s\n", count, events_name(entry.revents));
}

static void pairs(void) {
  int ends[2], value;
  socklen_t length = sizeof value;
  char text[64];
  static char block[4096];
  result("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  getsockopt(ends[0], SOL_SOCKET, SO_TYPE, &value, &length);
  int domain = -1, protocol = -1;
  length = sizeof domain;
  getsockopt(ends[0], SOL_SOCKET, SO_DOMAIN, &domain, &length);
  getsockopt(ends[0], SOL_SOCKET, SO_PROTOCOL, &protocol, &length);
  printf("%d %d\n", domain == AF_UNIX, protocol);
  result("no delay", setsockopt(ends[0], IPPROTO_TCP, TCP_NODELAY, &value, sizeof value));
  struct sockaddr_un name = {.sun_family = 0};
  length = sizeof name;
  result("getsockname", getsockname(ends[0], (void *)&name, &length));
  printf("%d %d %d\n", value == SOCK_STREAM, name.sun_family == AF_UNIX, length == sizeof name.sun_family);
  look(ends[0], POLLIN | POLLOUT);
  result("write", write(ends[0], "there", 5));
  result("write", write(ends[0], " and", 4));
  look(ends[1], POLLIN | POLLPRI);
  look(ends[1], 0);
  result("peek", recv(ends[1], text, sizeof text, MSG_PEEK));
  result("read", read(ends[1], text, sizeof text));
  printf("%.9s\n", text);
  result("recv, nothing", recv(ends[1], text, sizeof text, MSG_DONTWAIT));
  result("send", send(ends[1], "back", 4, 0));
  result("recv", recv(ends[0], text, sizeof text, 0));
  printf("%.4s\n", text);
  result("shutdown", shutdown(ends[0], SHUT_WR));
  result("write, shut", write(ends[0], "x", 1));
  look(ends[1], POLLIN | POLLOUT);
  result("read, end", read(ends[1], text, sizeof text));
  result("write", write(ends[1], "late", 4));
  result("read", read(ends[0], text, sizeof text));
  close(ends[0]);
  look(ends[1], POLLIN | POLLOUT);
  look(ends[1], 0);
  result("write, closed", write(ends[1], "x", 1));
  close(ends[1]);

  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  result("write", write(ends[0], "unread", 6));
  close(ends[1]);
  result("read, lost", read(ends[0], text, sizeof text));
  result("read, end", read(ends[0], text, sizeof text));
  close(ends[0]);

  result("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
  result("read, nothing", read(ends[0], text, sizeof text));
  ssize_t sent = 0;
  while (sent >= 0) sent = write(ends[0], block, sizeof block);
  result("write, full", sent);
  look(ends[0], POLLOUT);
  while (read(ends[1], block, sizeof block) > 0) continue;
  look(ends[0], POLLOUT);
  close(ends[0]);
  close(ends[1]);

  result("socketpair", socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
  result("send", send(ends[0], "one", 3, 0));
  result("send", send(ends[0], "", 0, 0));
  result("send", send(ends[0], "three", 5, 0));
  result("recv", recv(ends[1], text, sizeof text, 0));
  result("recv", recv(ends[1], text, sizeof text, 0));
  struct iovec small = {text, 2};
  struct msghdr message = {.msg_iov = &small, .msg_iovlen = 1};
  result("recvmsg", recvmsg(ends[1], &message, 0));
  printf("%d\n", message.msg_flags == MSG_TRUNC);
  result("recv, nothing", recv(ends[1], text, sizeof text, MSG_DONTWAIT));
  close(ends[1]);
  result("send, closed", send(ends[0], "x", 1, 0));
  close(ends[0]);
  result("socketpair, inet", socketpair(AF_INET, SOCK_STREAM, 0, ends));

  result("pipe", pipe(ends));
  result("write", write(ends[1], "piped", 5));
  result("read", read(ends[0], text, sizeof text));
  close(ends[1]);
  result("read, end", read(ends[0], text, sizeof text));
  close(ends[0]);
  pipe(ends);
  close(ends[0]);
  result("write, closed", write(ends[1], "x", 1));
  close(ends[1]);
}

static long since(struct timespec begun) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (now.tv_sec - begun.tv_sec) * 1000000000L + (now.tv_nsec - begun.tv_nsec);
}

static void waits(void) {
  int ends[2];
  struct timespec begun, none = {0, 0}, wrong = {0, 1000000000}, moment = {0, 30000000};
  struct timeval tick = {0, 20000};
  sigset_t *mask = NULL;
  fd_set reading, writing, exceptions;
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);

  struct pollfd list[] = {{-1, POLLIN, 99}, {ends[0], POLLIN, 99}, {ends[1], POLLOUT, 99}, {ends[0], 0, 99}};
  int count = ppoll(list, 4, &none, mask);
  printf("ppoll: %d %d %d %s\n", count, list[0].revents, list[1].revents, events_name(list[2].revents));
  result("ppoll, wrong time", ppoll(list, 2, &wrong, mask));
  clock_gettime(CLOCK_MONOTONIC, &begun);
  printf("ppoll: %d ", ppoll(list, 2, &moment, mask));
  printf("%d\n", since(begun) >= 29000000);
  clock_gettime(CLOCK_MONOTONIC, &begun);
  printf("poll, nothing: %d ", poll(NULL, 0, 20));
  printf("%d\n", since(begun) >= 19000000);
  struct pollfd wrong_one = {NO_FD, POLLIN, 0};
  count = poll(&wrong_one, 1, -1);
  printf("poll, no descriptor: %d %s\n", count, events_name(wrong_one.revents));
  /* Readable, which was not requested: it waits to its end. */
  write(ends[1], "x", 1);
  struct pollfd quiet = {ends[0], 0, 0};
  clock_gettime(CLOCK_MONOTONIC, &begun);
  printf("poll, no event: %d ", poll(&quiet, 1, 30));
  printf("%d\n", since(begun) >= 29000000);
  struct pollfd both[] = {{ends[0], 0, 0}, {ends[1], POLLOUT, 0}};
  count = poll(both, 2, -1);
  printf("poll, no event and one: %d %s\n", count, events_name(both[1].revents));

  FD_ZERO(&reading);
  FD_ZERO(&writing);
  FD_ZERO(&exceptions);
  FD_SET(ends[0], &reading);
  FD_SET(ends[1], &reading);
  FD_SET(ends[0], &writing);
  FD_SET(ends[0], &exceptions);
  int most = (ends[0] > ends[1] ? ends[0] : ends[1]) + 1;
  printf("pselect: %d ", pselect(most, &reading, &writing, &exceptions, &moment, mask));
  printf("%d %d %d %d\n", FD_ISSET(ends[0], &reading) != 0, FD_ISSET(ends[1], &reading) != 0, FD_ISSET(ends[0], &writing) != 0, FD_ISSET(ends[0], &exceptions) != 0);
  result("pselect, wrong time", pselect(most, &reading, NULL, NULL, &wrong, mask));
  FD_ZERO(&reading);
  FD_SET(ends[1], &reading);
  count = select(most, &reading, NULL, NULL, &tick);
  printf("select: %d %d\n", count, FD_ISSET(ends[1], &reading) != 0);
  FD_ZERO(&exceptions);
  FD_SET(ends[0], &exceptions);
  tick = (struct timeval){0, 1000};
  printf("select, exceptions: %d\n", select(most, NULL, NULL, &exceptions, &tick));
  tick = (struct timeval){0, 1000};
  result("select, nothing", select(0, NULL, NULL, NULL, &tick));
  FD_ZERO(&reading);
  FD_SET(NO_FD, &reading);
  result("select, no descriptor", select(NO_FD + 1, &reading, NULL, NULL, &tick));
  result("select, wrong count", select(-1, NULL, NULL, NULL, &tick));
  close(ends[1]);
  FD_ZERO(&reading);
  FD_SET(ends[0], &reading);
  printf("select, closed: %d\n", select(most, &reading, NULL, NULL, NULL));
  close(ends[0]);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  close(NO_FD);
  constants();
  addresses();
  machine();
  services();
  hosts();
  name_infos();
  messages();
  pairs();
  waits();
  return 0;
}
