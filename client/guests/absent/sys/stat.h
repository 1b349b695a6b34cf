#ifndef ABSENT_SYS_STAT_H
#define ABSENT_SYS_STAT_H
#include_next <sys/stat.h>
static inline mode_t umask(mode_t mode) { (void)mode; return 0; }
static inline int chmod(const char *path, mode_t mode) { (void)path; (void)mode; return 0; }
static inline int fchmod(int fd, mode_t mode) { (void)fd; (void)mode; return 0; }
#endif
