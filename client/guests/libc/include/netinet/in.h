/* The parts of <netinet/in.h> that wasi-libc lacks. */
#ifndef WASMNET_NETINET_IN_H
#define WASMNET_NETINET_IN_H

#include_next <netinet/in.h>

/* Known to no socket here. */
#define IPPROTO_SCTP 132

#endif
