/* The parts of <unistd.h> that wasi-libc lacks. */
#ifndef WASMNET_UNISTD_H
#define WASMNET_UNISTD_H

#include_next <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

int gethostname(char *name, size_t size);
int pipe(int ends[2]);

#ifdef __cplusplus
}
#endif
#endif
