/* The parts of <fcntl.h> that wasi-libc lacks. */
#ifndef WASMNET_FCNTL_H
#define WASMNET_FCNTL_H

#include_next <fcntl.h>

/* Descriptors have no duplicates in WASI: these are EINVAL. */
#define F_DUPFD 1024
#define F_DUPFD_CLOEXEC 1030

#endif
