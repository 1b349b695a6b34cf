// epoll(7), which Swift's module of the C library does not have.
#ifndef WASMNET_CEPOLL_H
#define WASMNET_CEPOLL_H
#include <sys/epoll.h>
#endif
