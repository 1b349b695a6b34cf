/* The parts of <poll.h> that wasi-libc lacks. */
#ifndef WASMNET_POLL_H
#define WASMNET_POLL_H

#include_next <poll.h>

#define __NEED_time_t
#define __NEED_struct_timespec
#define __NEED_sigset_t
#include <bits/alltypes.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Urgent data never arrives: it can be requested and is never reported. */
#define POLLPRI 0x4
#define POLLRDBAND 0x8
#define POLLWRBAND 0x10
/* The peer has ended its side; request it with POLLIN. */
#define POLLRDHUP 0x20

int ppoll(struct pollfd *list, nfds_t count, const struct timespec *timeout, const sigset_t *mask);

#ifdef __cplusplus
}
#endif
#endif
