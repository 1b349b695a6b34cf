#ifndef WASMNET_CLINUX_H
#define WASMNET_CLINUX_H
// epoll(7), which Swift's module of the C library lacks.
#include <sys/epoll.h>

// The kernel's routing table for an address (rtnetlink(7)).
// Whether packets to the address are delivered to this machine itself: 1 yes, 0 no, -1 if the kernel cannot be asked.
// family is AF_INET with 4 bytes of address, or AF_INET6 with 16.
int wasmnet_route_is_local(int family, const void *address);
#endif
