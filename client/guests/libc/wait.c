/* ppoll, and poll, pselect and select based on it. wasi-libc's do not support negative descriptors, empty entries and exception sets. */

#include "wasmnet.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/select.h>
#include <wasi/api.h>

static void subscribe(__wasi_subscription_t *to, size_t entry, uint8_t type, int fd) {
  *to = (__wasi_subscription_t){.userdata = entry, .u = {.tag = type}};
  /* The same member for both directions. */
  to->u.u.fd_read.file_descriptor = fd;
}

/* As on Linux: a hung-up socket is also readable and writable. The bridge reports more about its sockets than WASI can express. */
static short seen(const __wasi_event_t *event, short events) {
  if (event->error == __WASI_ERRNO_BADF) return POLLNVAL;
  if (event->error != 0) return POLLERR;
  uint16_t flags = event->fd_readwrite.flags;
  short more = flags & (__WASI_EVENTRWFLAGS_FD_READWRITE_HANGUP | wasmnet_event_over) ? POLLHUP : 0;
  if (flags & wasmnet_event_failed) more |= POLLERR;
  if (flags & wasmnet_event_ended) more |= events & POLLRDHUP;
  if (flags & wasmnet_event_only) return more;
  return more | (events & (event->type == __WASI_EVENTTYPE_FD_READ ? POLLRDNORM : POLLWRNORM));
}

/* One wait; entries without an event are waited for, for their end, only if `idle`. Returns the number with a result, or -1. */
static int wait_once(struct pollfd *list, nfds_t count, const __wasi_timestamp_t *timeout, bool idle, bool *in_vain) {
  size_t used = 0;
  __wasi_subscription_t *wanted = malloc((2 * count + 1) * sizeof *wanted);
  __wasi_event_t *events = malloc((2 * count + 1) * sizeof *events);
  int result = -1;
  if (wanted == NULL || events == NULL) {
    errno = ENOMEM;
    goto out;
  }
  for (nfds_t i = 0; i < count; i++) {
    list[i].revents = 0;
    if (list[i].fd < 0) continue;
    bool reads = list[i].events & POLLRDNORM, writes = list[i].events & POLLWRNORM;
    /* An end alone cannot be waited for: data would wake this wait too. */
    if (reads || (idle && (!writes || list[i].events & POLLRDHUP))) subscribe(&wanted[used++], i, __WASI_EVENTTYPE_FD_READ, list[i].fd);
    if (writes) subscribe(&wanted[used++], i, __WASI_EVENTTYPE_FD_WRITE, list[i].fd);
  }
  if (timeout != NULL || used == 0) {
    wanted[used] = (__wasi_subscription_t){.userdata = count, .u = {.tag = __WASI_EVENTTYPE_CLOCK}};
    wanted[used].u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
    /* Nothing to wait for and no end: there are no signals to end it either. */
    wanted[used++].u.u.clock.timeout = timeout != NULL ? *timeout : UINT64_MAX / 2;
  }
  size_t fired;
  __wasi_errno_t error = __wasi_poll_oneoff(wanted, events, used, &fired);
  if (error != 0) {
    errno = error;
    goto out;
  }
  *in_vain = true;
  for (size_t i = 0; i < fired; i++) {
    if (events[i].type == __WASI_EVENTTYPE_CLOCK) {
      *in_vain = false;
      continue;
    }
    struct pollfd *entry = &list[events[i].userdata];
    entry->revents |= seen(&events[i], entry->events);
    if (entry->revents) *in_vain = false;
  }
  result = 0;
  for (nfds_t i = 0; i < count; i++) result += list[i].revents != 0;
out:
  free(wanted);
  free(events);
  return result;
}

static int wait_for(struct pollfd *list, nfds_t count, const __wasi_timestamp_t *timeout) {
  bool in_vain = false;
  __wasi_timestamp_t begun, now, rest;
  if (timeout != NULL) (void)__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1, &begun);
  int result = wait_once(list, count, timeout, true, &in_vain);
  /* Only unrequested events arrived: an entry without an event has bytes to read. Waits the rest of the time without those. */
  if (result != 0 || !in_vain) return result;
  if (timeout != NULL) {
    (void)__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1, &now);
    rest = now - begun < *timeout ? *timeout - (now - begun) : 0;
  }
  return wait_once(list, count, timeout != NULL ? &rest : NULL, false, &in_vain);
}

static bool nanoseconds(const struct timespec *time, __wasi_timestamp_t *out) {
  if (time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_nsec >= 1000000000) return false;
  *out = time->tv_sec > INT64_MAX / 1000000000 ? INT64_MAX : (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec;
  return true;
}

/* There are no signals: a mask has no effect. */
int ppoll(struct pollfd *list, nfds_t count, const struct timespec *timeout, const sigset_t *mask) {
  (void)mask;
  __wasi_timestamp_t span;
  if (timeout == NULL) return wait_for(list, count, NULL);
  if (!nanoseconds(timeout, &span)) {
    errno = EINVAL;
    return -1;
  }
  return wait_for(list, count, &span);
}

int poll(struct pollfd *list, nfds_t count, int milliseconds) {
  __wasi_timestamp_t span = (uint64_t)milliseconds * 1000000;
  return wait_for(list, count, milliseconds < 0 ? NULL : &span);
}

/* Leaves in `set` the requested and ready entries; returns their number. */
static int keep(fd_set *set, const struct pollfd *list, nfds_t count, short asked, short so) {
  if (set == NULL) return 0;
  set->__nfds = 0;
  for (nfds_t i = 0; i < count; i++) {
    if (list[i].events & asked && list[i].revents & so) set->__fds[set->__nfds++] = list[i].fd;
  }
  return (int)set->__nfds;
}

/* Linux's select tells errors and hangups only to those who wait to read or write. */
enum { told_as_readable = POLLRDNORM | POLLHUP | POLLERR, told_as_writable = POLLWRNORM | POLLERR };

static bool is_told(const struct pollfd *entry) {
  return (entry->events & POLLRDNORM && entry->revents & told_as_readable) || (entry->events & POLLWRNORM && entry->revents & told_as_writable) ||
         entry->revents & (POLLPRI | POLLNVAL);
}

/* ppoll that goes on waiting, without them, when entries have only events that no set is told about. */
static int wait_for_sets(struct pollfd *list, nfds_t count, const struct timespec *timeout) {
  __wasi_timestamp_t span = 0, begun, now;
  if (timeout != NULL && !nanoseconds(timeout, &span)) {
    errno = EINVAL;
    return -1;
  }
  (void)__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1, &begun);
  for (__wasi_timestamp_t rest = span;; rest = now - begun < span ? span - (now - begun) : 0) {
    int result = wait_for(list, count, timeout != NULL ? &rest : NULL);
    if (result <= 0) return result;
    for (nfds_t i = 0; i < count; i++) {
      if (is_told(&list[i])) return result;
      if (list[i].revents != 0) list[i].fd = -1;
    }
    (void)__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1, &now);
  }
}

/* There are no signals: a mask has no effect. */
int pselect(int count, fd_set *restrict reading, fd_set *restrict writing, fd_set *restrict exceptions, const struct timespec *restrict timeout,
            const sigset_t *restrict mask) {
  (void)mask;
  static const short asked[] = {POLLRDNORM, POLLWRNORM, POLLPRI};
  fd_set *sets[] = {reading, writing, exceptions};
  nfds_t used = 0, most = 0;
  if (count < 0) {
    errno = EINVAL;
    return -1;
  }
  for (int i = 0; i < 3; i++) most += sets[i] != NULL ? sets[i]->__nfds : 0;
  struct pollfd *list = malloc((most + 1) * sizeof *list);
  if (list == NULL) return -1;
  for (int i = 0; i < 3; i++) {
    for (size_t j = 0; sets[i] != NULL && j < sets[i]->__nfds; j++) {
      if (sets[i]->__fds[j] >= count) continue;
      nfds_t at = 0;
      while (at < used && list[at].fd != sets[i]->__fds[j]) at++;
      if (at == used) list[used++] = (struct pollfd){.fd = sets[i]->__fds[j]};
      list[at].events |= asked[i];
    }
  }
  int result = wait_for_sets(list, used, timeout);
  for (nfds_t i = 0; i < used && result > 0; i++) {
    if (list[i].revents & POLLNVAL) {
      errno = EBADF;
      result = -1;
    }
  }
  if (result >= 0) {
    result = keep(reading, list, used, POLLRDNORM, told_as_readable) + keep(writing, list, used, POLLWRNORM, told_as_writable)
      + keep(exceptions, list, used, POLLPRI, POLLPRI);
  }
  free(list);
  return result;
}

int select(int count, fd_set *restrict reading, fd_set *restrict writing, fd_set *restrict exceptions, struct timeval *restrict timeout) {
  if (timeout == NULL) return pselect(count, reading, writing, exceptions, NULL, NULL);
  if (timeout->tv_sec < 0 || timeout->tv_usec < 0) {
    errno = EINVAL;
    return -1;
  }
  struct timespec span = {timeout->tv_sec + timeout->tv_usec / 1000000, timeout->tv_usec % 1000000 * 1000};
  return pselect(count, reading, writing, exceptions, &span, NULL);
}
