#ifndef WASMNET_CLINUX_H
#define WASMNET_CLINUX_H
// epoll(7), which Swift's module of the C library does not have.
#include <sys/epoll.h>

// What the kernel's routing table says of an address (rtnetlink(7)).
// Whether what is sent to the address comes to this machine itself: 1 yes, 0 no, -1 where the kernel cannot be asked.
// family is AF_INET with 4 bytes of address, or AF_INET6 with 16.
int wasmnet_route_is_local(int family, const void *address);
#endif
