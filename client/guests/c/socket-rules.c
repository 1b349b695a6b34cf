/* The rules that POSIX programs rely on: socket-rules HOST PORT REFUSED_PORT. The peer echoes. Prints "ok", or the violations. */

#include "connect.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/time.h>

#define MUST(condition)                                                            \
  do {                                                                             \
    if (!(condition)) {                                                            \
      printf("line %d: %s (errno %d)\n", __LINE__, #condition, errno);             \
      return 1;                                                                    \
    }                                                                              \
  } while (0)

static struct sockaddr_in name_of(const char *address, int port) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  inet_pton(AF_INET, address, &name.sin_addr);
  return name;
}

static int pending_error(int fd) {
  int error = -1;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return -1;
  return error;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  struct sockaddr_in peer = name_of(argv[1], atoi(argv[2])), refused = name_of(argv[1], atoi(argv[3])), found;
  socklen_t length = sizeof found;
  struct pollfd wait;
  char text[64];

  /* A non-blocking connect, and asking for its result in each of the ways that programs use. */
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  MUST(fd >= 3);
  MUST(getpeername(fd, (struct sockaddr *)&found, &length) != 0 && errno == ENOTCONN);
  MUST(send(fd, "x", 1, 0) < 0 && errno == EPIPE);
  MUST(connect(fd, (struct sockaddr *)&peer, sizeof peer) != 0 && errno == EINPROGRESS);
  MUST(connect(fd, (struct sockaddr *)&peer, sizeof peer) != 0 && errno == EALREADY);
  wait = (struct pollfd){.fd = fd, .events = POLLOUT};
  MUST(poll(&wait, 1, 5000) == 1 && wait.revents == POLLOUT);
  MUST(pending_error(fd) == 0);
  MUST(connect(fd, (struct sockaddr *)&peer, sizeof peer) != 0 && errno == EISCONN);
  MUST(recv(fd, text, sizeof text, 0) < 0 && errno == EAGAIN);

  length = sizeof found;
  MUST(getpeername(fd, (struct sockaddr *)&found, &length) == 0);
  MUST(found.sin_port == peer.sin_port && found.sin_addr.s_addr == peer.sin_addr.s_addr && length == sizeof found);
  MUST(getsockname(fd, (struct sockaddr *)&found, &length) == 0 && found.sin_port != 0);

  /* Peeking, and reading a full buffer. */
  MUST(send(fd, "hello, world", 12, 0) == 12);
  wait.events = POLLIN;
  MUST(poll(&wait, 1, 5000) == 1 && wait.revents == POLLIN);
  MUST(recv(fd, text, 5, MSG_PEEK) == 5 && memcmp(text, "hello", 5) == 0);
  MUST(fcntl(fd, F_SETFL, 0) == 0);
  MUST(recv(fd, text, 12, MSG_WAITALL) == 12 && memcmp(text, "hello, world", 12) == 0);
  MUST(write(fd, "abc", 3) == 3 && read(fd, text, sizeof text) == 3);

  /* A read with a timeout. */
  struct timeval patience = {.tv_usec = 50000}, told;
  length = sizeof told;
  MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
  MUST(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &told, &length) == 0 && told.tv_sec == 0 && told.tv_usec == 50000);
  MUST(recv(fd, text, sizeof text, 0) < 0 && errno == EAGAIN);

  int value = 0;
  length = sizeof value;
  MUST(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length) == 0 && value == SOCK_STREAM);
  MUST(close(fd) == 0);
  MUST(close(fd) != 0 && errno == EBADF);
  MUST(recv(fd, text, 1, 0) < 0 && errno == EBADF);

  /* Refused: at once, by SO_ERROR, and by a second connect. */
  fd = socket(AF_INET, SOCK_STREAM, 0);
  MUST(connect(fd, (struct sockaddr *)&refused, sizeof refused) != 0 && errno == ECONNREFUSED);
  MUST(connect(fd, (struct sockaddr *)&peer, sizeof peer) == 0);
  close(fd);
  fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  MUST(connect(fd, (struct sockaddr *)&refused, sizeof refused) != 0 && errno == EINPROGRESS);
  wait = (struct pollfd){.fd = fd, .events = POLLOUT};
  MUST(poll(&wait, 1, 5000) == 1);
  MUST(pending_error(fd) == ECONNREFUSED && pending_error(fd) == 0);
  close(fd);
  fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  connect(fd, (struct sockaddr *)&refused, sizeof refused);
  wait.fd = fd;
  MUST(poll(&wait, 1, 5000) == 1);
  MUST(connect(fd, (struct sockaddr *)&refused, sizeof refused) != 0 && errno == ECONNREFUSED);
  close(fd);

  /* Misuse. */
  MUST(socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EAFNOSUPPORT);
  fd = socket(AF_INET, SOCK_STREAM, 0);
  MUST(recv(fd, text, 1, 0) < 0 && errno == ENOTCONN);
  MUST(shutdown(fd, SHUT_WR) != 0 && errno == ENOTCONN);
  MUST(recv(1000, text, 1, 0) < 0 && errno == EBADF);
  MUST(send(fd, (void *)0xfffffff0u, 100, 0) < 0);
  close(fd);
  puts("ok");
  return 0;
}
