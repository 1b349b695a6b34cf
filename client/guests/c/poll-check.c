/* poll and poll_oneoff with a clock and two sockets: poll-check HOST PORT
 * The peer answers "after MS TEXT\n" with TEXT after MS milliseconds. Prints a line for each step. */

#include "connect.h"

#include <poll.h>
#include <time.h>
#include <wasi/api.h>

static long long now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000ll + time.tv_nsec / 1000000;
}

static void ask(int fd, const char *text) {
  if (send(fd, text, strlen(text), 0) < 0) fail("send");
}

static void take(int fd) {
  char text[64];
  ssize_t count = recv(fd, text, sizeof text, 0);
  if (count < 0) fail("recv");
  printf("read %.*s\n", (int)count, text);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  int a = connect_to(argv[1], argv[2]), b = connect_to(argv[1], argv[2]);
  struct pollfd both[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};

  long long start = now_ms();
  int count = poll(both, 2, 80);
  long long took = now_ms() - start;
  printf("timeout %d %s\n", count, took >= 79 && took < 5000 ? "in time" : "at the wrong time");

  ask(b, "after 30 two\n");
  count = poll(both, 2, 5000);
  printf("ready %d a=%d b=%d\n", count, both[0].revents, both[1].revents == POLLIN);
  take(b);

  ask(a, "after 0 one\n");
  ask(b, "after 0 two\n");
  for (count = 0; count != 2;) {
    count = poll(both, 2, 5000);
    if (count < 1) fail("poll");
  }
  printf("ready %d\n", count);
  take(a);
  take(b);

  both[0].events = POLLOUT;
  printf("writable %d a=%d\n", poll(both, 2, 1000), both[0].revents == POLLOUT);

  /* A clock, a socket and an invalid descriptor, in one call: the invalid one is a separate event. */
  __wasi_subscription_t wants[3] = {
      {.userdata = 1, .u = {.tag = __WASI_EVENTTYPE_CLOCK, .u.clock = {.id = __WASI_CLOCKID_MONOTONIC, .timeout = 3000000000ull}}},
      {.userdata = 2, .u = {.tag = __WASI_EVENTTYPE_FD_READ, .u.fd_read.file_descriptor = a}},
      {.userdata = 3, .u = {.tag = __WASI_EVENTTYPE_FD_READ, .u.fd_read.file_descriptor = 99}},
  };
  __wasi_event_t events[3];
  __wasi_size_t got;
  if (__wasi_poll_oneoff(wants, events, 3, &got) != 0) return 1;
  printf("events %d userdata %d error %d\n", (int)got, (int)events[0].userdata, events[0].error);

  /* The peer's end: readable, with nothing to read. */
  ask(a, "bye\n");
  both[0].events = POLLIN;
  printf("ended %d in=%d\n", poll(both, 1, 5000), (both[0].revents & POLLIN) != 0);
  take(a);
  return 0;
}
