/* Standard input to a TCP connection, the connection to standard output: netcat HOST PORT
 * The end of the input closes the sending half; the target's end ends the program. */

#include "connect.h"

#include <poll.h>

static void send_all(int fd, const char *bytes, ssize_t size) {
  while (size > 0) {
    ssize_t sent = send(fd, bytes, (size_t)size, 0);
    if (sent < 0) fail("send");
    bytes += sent;
    size -= sent;
  }
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: netcat HOST PORT\n");
    return 2;
  }
  static char buffer[16 * 1024];
  int fd = connect_to(argv[1], argv[2]);
  fprintf(stderr, "connected to %s port %s\n", argv[1], argv[2]);
  struct pollfd both[2] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
  nfds_t count = 2;
  for (;;) {
    if (poll(both, count, -1) < 0) fail("poll");
    if (count == 2 && both[1].revents) {
      ssize_t size = read(STDIN_FILENO, buffer, sizeof buffer);
      if (size < 0) fail("read");
      if (size == 0) {
        if (shutdown(fd, SHUT_WR) != 0) fail("shutdown");
        count = 1;
      }
      send_all(fd, buffer, size);
    }
    if (both[0].revents) {
      ssize_t size = recv(fd, buffer, sizeof buffer, 0);
      if (size < 0) fail("recv");
      if (size == 0) return 0;
      fwrite(buffer, 1, (size_t)size, stdout);
      fflush(stdout);
    }
  }
}
