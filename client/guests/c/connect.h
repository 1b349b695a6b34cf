/* Opens a stream socket to argv-like HOST and PORT, or ends the program with its errno printed. */
#ifndef CONNECT_H
#define CONNECT_H

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void fail(const char *what) {
  fprintf(stderr, "%s: %s (errno %d)\n", what, strerror(errno), errno);
  exit(1);
}

static inline int connect_to(const char *host, const char *port) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
  int code = getaddrinfo(host, port, &hints, &list);
  if (code != 0) {
    fprintf(stderr, "getaddrinfo: %s\n", gai_strerror(code));
    exit(1);
  }
  int fd = socket(list->ai_family, list->ai_socktype, 0);
  if (fd < 0) fail("socket");
  if (connect(fd, list->ai_addr, list->ai_addrlen) != 0) fail("connect");
  freeaddrinfo(list);
  return fd;
}

/* FNV-1a over a stream of bytes, which the tests also compute. */
static inline unsigned checksum(unsigned hash, const unsigned char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 16777619u;
  return hash;
}
enum { checksum_start = (int)2166136261u };

#endif
