/* The parts of <arpa/inet.h> that wasi-libc lacks. */
#ifndef WASMNET_ARPA_INET_H
#define WASMNET_ARPA_INET_H

#include_next <arpa/inet.h>

#ifdef __cplusplus
extern "C" {
#endif

in_addr_t inet_addr(const char *text);
in_addr_t inet_network(const char *text);
char *inet_ntoa(struct in_addr address);

#ifdef __cplusplus
}
#endif
#endif
