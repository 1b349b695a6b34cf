/* The smallest Redis client: resolves, connects, sends the words of its arguments as one command, prints the answer's first line. */

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: redis-ping HOST PORT WORD...\n");
    return 2;
  }
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
  int code = getaddrinfo(argv[1], argv[2], &hints, &list);
  if (code != 0) {
    fprintf(stderr, "%s: %s\n", argv[1], gai_strerror(code));
    return 1;
  }
  int fd = -1;
  for (struct addrinfo *item = list; item != NULL; item = item->ai_next) {
    fd = socket(item->ai_family, item->ai_socktype, item->ai_protocol);
    if (fd >= 0 && connect(fd, item->ai_addr, item->ai_addrlen) == 0) break;
    if (item->ai_next == NULL) {
      fprintf(stderr, "connect: %s (errno %d)\n", strerror(errno), errno);
      return 1;
    }
    close(fd);
  }
  freeaddrinfo(list);

  char request[4096];
  size_t length = (size_t)snprintf(request, sizeof request, "*%d\r\n", argc - 3);
  for (int i = 3; i < argc; i++) {
    length += (size_t)snprintf(request + length, sizeof request - length, "$%zu\r\n%s\r\n", strlen(argv[i]), argv[i]);
    if (length >= sizeof request) return 2;
  }
  if (send(fd, request, length, 0) != (ssize_t)length) {
    perror("send");
    return 1;
  }
  char reply[4096];
  size_t filled = 0;
  while (filled < sizeof reply - 1 && memchr(reply, '\n', filled) == NULL) {
    ssize_t count = recv(fd, reply + filled, sizeof reply - 1 - filled, 0);
    if (count < 0) perror("recv");
    if (count <= 0) return 1;
    filled += (size_t)count;
  }
  reply[filled] = 0;
  fputs(reply, stdout);
  close(fd);
  return 0;
}
