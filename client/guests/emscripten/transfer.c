/* A TCP client of BSD sockets for Emscripten, where no call waits: its sockets are non-blocking, and it calls poll() again after a pause.
 *   transfer get HOST PORT COUNT       asks for COUNT bytes, reads to the end, prints their number and checksum
 *   transfer echo HOST PORT COUNT      sends COUNT bytes and reads as many back meanwhile, prints both checksums
 *   transfer stall HOST PORT COUNT P   as get, but prints "stalled" and reads nothing until a second socket, to HOST and port P, has a byte
 *   transfer burst HOST PORT COUNT     sends until send() returns EAGAIN or COUNT bytes are sent, without a pause; prints the number,
 *                                     and the rest when they are back: it expects an echo
 *   transfer datagram HOST PORT TEXT   sends TEXT as a datagram, prints the answer */

#include "connect.h"
#include <fcntl.h>
#include <poll.h>
#if defined(__EMSCRIPTEN__) && !defined(__EMSCRIPTEN_PTHREADS__)
#include <emscripten.h>
#define pause_a_moment() emscripten_sleep(0)
#else
#define pause_a_moment() usleep(1000)
#endif

static unsigned char incoming[64 * 1024], outgoing[64 * 1024];

static short wait_for(int fd, short events) {
  struct pollfd entry = {.fd = fd, .events = events};
  for (;;) {
    int count = poll(&entry, 1, 0);
    if (count < 0) fail("poll");
    if (count > 0) return entry.revents;
    pause_a_moment();
  }
}

static int open_to(const char *host, const char *port, int type) {
  struct addrinfo hints = {.ai_socktype = type}, *found;
  int code = getaddrinfo(host, port, &hints, &found);
  if (code != 0) {
    fprintf(stderr, "getaddrinfo: %s\n", gai_strerror(code));
    exit(1);
  }
  int fd = socket(found->ai_family, type, 0);
  if (fd < 0) fail("socket");
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) fail("fcntl");
  if (connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
    if (errno != EINPROGRESS) fail("connect");
    wait_for(fd, POLLOUT);
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) fail("getsockopt");
    if ((errno = error) != 0) fail("connect");
  }
  freeaddrinfo(found);
  return fd;
}

/* Up to `size` bytes; 0 is the peer's end. poll() reports a datagram socket as always readable. */
static size_t receive(int fd, unsigned char *bytes, size_t size) {
  for (;;) {
    ssize_t count = recv(fd, bytes, size, 0);
    if (count >= 0) return (size_t)count;
    if (errno != EAGAIN) fail("recv");
    pause_a_moment();
  }
}

static void receive_all(int fd) {
  unsigned hash = (unsigned)checksum_start;
  unsigned long total = 0;
  size_t count;
  while ((count = receive(fd, incoming, sizeof incoming)) > 0) {
    hash = checksum(hash, incoming, count);
    total += count;
  }
  printf("%lu %08x\n", total, hash);
}

static void ask(int fd, const char *count) {
  char request[64];
  int length = snprintf(request, sizeof request, "get %s\n", count);
  if (send(fd, request, (size_t)length, 0) != length) fail("send");
}

static size_t fill(unsigned long offset, unsigned long count) {
  size_t size = count - offset < sizeof outgoing ? count - offset : sizeof outgoing;
  for (size_t i = 0; i < size; i++) outgoing[i] = (unsigned char)((offset + i) * 31 >> 3);
  return size;
}

static void echo(int fd, unsigned long count) {
  unsigned sent_hash = (unsigned)checksum_start, received_hash = (unsigned)checksum_start;
  unsigned long sent = 0, received = 0;
  while (received < count) {
    short ready = wait_for(fd, sent < count ? POLLIN | POLLOUT : POLLIN);
    if (ready & POLLOUT) {
      size_t size = fill(sent, count);
      ssize_t took = send(fd, outgoing, size, 0);
      if (took < 0 && errno != EAGAIN) fail("send");
      if (took > 0) {
        sent_hash = checksum(sent_hash, outgoing, (size_t)took);
        sent += (unsigned long)took;
      }
    }
    ssize_t size = recv(fd, incoming, sizeof incoming, 0);
    if (size < 0 && errno != EAGAIN) fail("recv");
    if (size == 0) break;
    if (size > 0) {
      received_hash = checksum(received_hash, incoming, (size_t)size);
      received += (unsigned long)size;
    }
    if (ready & POLLOUT) pause_a_moment();
  }
  printf("%lu %08x %lu %08x\n", sent, sent_hash, received, received_hash);
}

static void burst(int fd, unsigned long count) {
  unsigned long sent = 0;
  while (sent < count) {
    ssize_t took = send(fd, outgoing, fill(sent, count), 0);
    if (took < 0 && errno != EAGAIN) fail("send");
    if (took < 0) break;
    sent += (unsigned long)took;
  }
  printf("%lu\n", sent);
  fflush(stdout);
  unsigned long back = 0;
  while (back < sent) {
    size_t size = receive(fd, incoming, sizeof incoming);
    if (size == 0) break;
    back += size;
  }
  /* Data that was refused once is accepted when some has been sent. */
  if (wait_for(fd, POLLOUT) & POLLOUT && send(fd, "more", 4, 0) == 4 && receive(fd, incoming, 4) == 4) printf("%lu and %.4s\n", back, (char *)incoming);
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  int fd = open_to(argv[2], argv[3], strcmp(argv[1], "datagram") == 0 ? SOCK_DGRAM : SOCK_STREAM);
  if (strcmp(argv[1], "echo") == 0) {
    echo(fd, strtoul(argv[4], NULL, 10));
  } else if (strcmp(argv[1], "datagram") == 0) {
    if (send(fd, argv[4], strlen(argv[4]), 0) < 0) fail("send");
    printf("%.*s\n", (int)receive(fd, incoming, sizeof incoming), (char *)incoming);
  } else if (strcmp(argv[1], "burst") == 0) {
    burst(fd, strtoul(argv[4], NULL, 10));
  } else {
    ask(fd, argv[4]);
    if (argc == 6) {
      int second = open_to(argv[2], argv[5], SOCK_STREAM);
      puts("stalled");
      receive(second, incoming, 1);
      close(second);
    }
    receive_all(fd);
  }
  close(fd);
  return 0;
}
