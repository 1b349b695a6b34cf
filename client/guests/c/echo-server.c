/* Echoes to every client: echo-server [ADDRESS PORT] [CLIENTS]
 * Without an address it uses the listener that it inherits as descriptor 3. Ends after CLIENTS clients (default: never). */

#include "connect.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>

enum { most = 128 };

static int listen_on(const char *address, int port) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  inet_pton(AF_INET, address, &name.sin_addr);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  int yes = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0) fail("setsockopt");
  if (bind(fd, (struct sockaddr *)&name, sizeof name) != 0) fail("bind");
  if (listen(fd, 64) != 0) fail("listen");
  socklen_t length = sizeof name;
  if (getsockname(fd, (struct sockaddr *)&name, &length) != 0) fail("getsockname");
  printf("listening on %d\n", ntohs(name.sin_port));
  fflush(stdout);
  return fd;
}

int main(int argc, char **argv) {
  int listener = argc > 2 ? listen_on(argv[1], atoi(argv[2])) : 3;
  int left = argc > 3 ? atoi(argv[3]) : argc == 2 ? atoi(argv[1]) : -1;
  fcntl(listener, F_SETFL, O_NONBLOCK);
  struct pollfd all[most] = {{.fd = listener, .events = POLLIN}};
  nfds_t count = 1;
  static char buffer[64 * 1024];
  while (left != 0 || count > 1) {
    if (poll(all, count, -1) < 0) fail("poll");
    for (nfds_t i = count; i-- > 1;) {
      if (all[i].revents == 0) continue;
      ssize_t size = recv(all[i].fd, buffer, sizeof buffer, 0);
      for (ssize_t done = 0; done < size;) {
        ssize_t part = send(all[i].fd, buffer + done, (size_t)(size - done), 0);
        if (part < 0) break;
        done += part;
      }
      if (size > 0) continue;
      close(all[i].fd);
      all[i] = all[--count];
    }
    while (left != 0 && count < most) {
      int fd = accept(listener, NULL, NULL);
      if (fd < 0 && errno != EAGAIN) fail("accept");
      if (fd < 0) break;
      all[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
      if (left > 0) left--;
    }
  }
  return 0;
}
