/* There are no shared libraries. */
#ifndef ABSENT_DLFCN_H
#define ABSENT_DLFCN_H
#include <stddef.h>
enum { RTLD_LAZY = 1, RTLD_NOW = 2, RTLD_GLOBAL = 256, RTLD_LOCAL = 0 };
static inline void *dlopen(const char *path, int mode) { (void)path; (void)mode; return NULL; }
static inline void *dlsym(void *library, const char *name) { (void)library; (void)name; return NULL; }
static inline int dlclose(void *library) { (void)library; return -1; }
static inline char *dlerror(void) { return "there are no shared libraries"; }
#endif
