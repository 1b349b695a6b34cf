#ifndef SHIM_UNISTD_H
#define SHIM_UNISTD_H
#include_next <unistd.h>
#include <errno.h>
static inline int pipe(int ends[2]) { (void)ends; errno = ENOSYS; return -1; }
#endif
