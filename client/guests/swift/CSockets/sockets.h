/* C functions for the guest: sockets and lookups, and the few calls that Swift cannot import (variadic ones, macros). */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static inline int stream_socket_type(void) { return SOCK_STREAM; }
static inline int current_errno(void) { return errno; }
