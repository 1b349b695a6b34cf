#ifndef WASMNET_CEPOLL_H
#define WASMNET_CEPOLL_H

/* epoll(7), which the Glibc module does not have. */
#include <sys/epoll.h>

#endif
