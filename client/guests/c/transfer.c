/* Moves bytes in bulk: transfer get|put|stall HOST PORT COUNT [SIZE]
 *   get: asks for COUNT bytes, prints their number and checksum     put: sends COUNT bytes, prints the peer's answer
 *   stall: asks for COUNT bytes, prints "stalled", reads nothing until a line arrives on standard input, then reads all
 * The request to the peer is one line: "get COUNT\n" or "put COUNT\n". SIZE is the maximum bytes of one read or write: 262144, or less. */

#include "connect.h"

static unsigned char buffer[256 * 1024];
static size_t most = sizeof buffer;

static int receive(int fd) {
  unsigned hash = (unsigned)checksum_start;
  unsigned long long total = 0;
  ssize_t count;
  while ((count = recv(fd, buffer, most, 0)) > 0) {
    hash = checksum(hash, buffer, (size_t)count);
    total += (unsigned long long)count;
  }
  if (count < 0) {
    int error = errno;
    fprintf(stderr, "after %llu bytes: ", total);
    errno = error;
    fail("recv");
  }
  printf("%llu %08x\n", total, hash);
  return 0;
}

static int put(int fd, unsigned long long count) {
  unsigned hash = (unsigned)checksum_start;
  for (unsigned long long sent = 0; sent < count;) {
    size_t part = count - sent < most ? (size_t)(count - sent) : most;
    for (size_t i = 0; i < part; i++) buffer[i] = (unsigned char)((sent + i) * 31 >> 3);
    hash = checksum(hash, buffer, part);
    for (size_t done = 0; done < part;) {
      ssize_t size = send(fd, buffer + done, part - done, 0);
      if (size < 0) fail("send");
      done += (size_t)size;
    }
    sent += part;
  }
  if (shutdown(fd, SHUT_WR) != 0) fail("shutdown");
  printf("%08x ", hash);
  ssize_t size = recv(fd, buffer, sizeof buffer, 0);
  if (size < 0) fail("recv");
  printf("%.*s\n", (int)size, (char *)buffer);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  if (argc > 5 && strtoull(argv[5], NULL, 10) < most) most = strtoull(argv[5], NULL, 10);
  int fd = connect_to(argv[2], argv[3]);
  char request[64];
  int length = snprintf(request, sizeof request, "%s %s\n", strcmp(argv[1], "put") == 0 ? "put" : "get", argv[4]);
  if (send(fd, request, (size_t)length, 0) != length) fail("send");
  if (strcmp(argv[1], "put") == 0) return put(fd, strtoull(argv[4], NULL, 10));
  if (strcmp(argv[1], "stall") == 0) {
    puts("stalled");
    fflush(stdout);
    char line[16];
    if (fgets(line, sizeof line, stdin) == NULL) return 1;
  }
  return receive(fd);
}
