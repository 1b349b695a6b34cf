/* Sends a byte and waits for its return, COUNT times; prints the median in microseconds: ping-pong HOST PORT COUNT */

#include "connect.h"

#include <time.h>

static int ascending(const void *a, const void *b) {
  long long x = *(const long long *)a, y = *(const long long *)b;
  return (x > y) - (x < y);
}

static long long now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ll + time.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  int fd = connect_to(argv[1], argv[2]);
  int count = atoi(argv[3]), warm = count / 10;
  long long *took = malloc((size_t)count * sizeof *took);
  for (int i = -warm; i < count; i++) {
    char byte = 'x';
    long long start = now_ns();
    if (send(fd, &byte, 1, 0) != 1) fail("send");
    if (recv(fd, &byte, 1, 0) != 1) fail("recv");
    if (i >= 0) took[i] = now_ns() - start;
  }
  qsort(took, (size_t)count, sizeof *took, ascending);
  printf("%lld\n", took[count / 2] / 1000);
  return 0;
}
