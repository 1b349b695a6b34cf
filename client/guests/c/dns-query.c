/* Asks a DNS server over UDP for a name's IPv4 addresses and prints them: dns-query SERVER PORT NAME */

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static size_t question(unsigned char *out, unsigned id, const char *name) {
  unsigned char header[12] = {(unsigned char)(id >> 8), (unsigned char)id, 1, 0, 0, 1};
  memcpy(out, header, sizeof header);
  size_t at = sizeof header;
  while (*name) {
    size_t label = strcspn(name, ".");
    out[at++] = (unsigned char)label;
    memcpy(out + at, name, label);
    at += label;
    name += label + (name[label] == '.');
  }
  memcpy(out + at, "\0\0\1\0\1", 5); /* the root, type A, class IN */
  return at + 5;
}

/* Past a name: its labels, or a pointer to some. */
static size_t skip_name(const unsigned char *message, size_t size, size_t at) {
  while (at < size && message[at] != 0) {
    if (message[at] >= 0xc0) return at + 2;
    at += message[at] + 1u;
  }
  return at + 1;
}

int main(int argc, char **argv) {
  if (argc != 4 || strlen(argv[3]) > 200) return 2;
  struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *server;
  if (getaddrinfo(argv[1], argv[2], &hints, &server) != 0) return 1;
  int fd = socket(server->ai_family, SOCK_DGRAM, 0);
  struct timeval patience = {.tv_sec = 5};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);

  unsigned char message[1500];
  unsigned id = 0x1234;
  size_t size = question(message, id, argv[3]);
  if (sendto(fd, message, size, 0, server->ai_addr, server->ai_addrlen) != (ssize_t)size) {
    fprintf(stderr, "sendto: %s (errno %d)\n", strerror(errno), errno);
    return 1;
  }
  struct sockaddr_storage from;
  socklen_t from_length = sizeof from;
  ssize_t got = recvfrom(fd, message, sizeof message, 0, (struct sockaddr *)&from, &from_length);
  if (got < 12) {
    fprintf(stderr, "recvfrom: %s (errno %d)\n", got < 0 ? strerror(errno) : "short", got < 0 ? errno : 0);
    return 1;
  }
  char text[INET6_ADDRSTRLEN] = "?";
  if (from.ss_family == AF_INET) inet_ntop(AF_INET, &((struct sockaddr_in *)&from)->sin_addr, text, sizeof text);
  printf("from %s:%d\n", text, ntohs(((struct sockaddr_in *)&from)->sin_port));

  int answers = message[6] << 8 | message[7];
  size_t at = skip_name(message, (size_t)got, 12) + 4;
  for (int i = 0; i < answers && at + 12 < (size_t)got; i++) {
    at = skip_name(message, (size_t)got, at);
    int type = message[at] << 8 | message[at + 1], length = message[at + 8] << 8 | message[at + 9];
    at += 10;
    if (type == 1 && length == 4) printf("%s %d.%d.%d.%d\n", argv[3], message[at], message[at + 1], message[at + 2], message[at + 3]);
    at += (size_t)length;
  }
  close(fd);
  return 0;
}
