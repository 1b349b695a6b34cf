/* Nor groups. */
#ifndef ABSENT_GRP_H
#define ABSENT_GRP_H
#define __NEED_gid_t
#include <bits/alltypes.h>
#include <errno.h>
static inline int initgroups(const char *name, gid_t group) { (void)name; (void)group; errno = EPERM; return -1; }
#endif
