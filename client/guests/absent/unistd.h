/* No processes, no alarms, one user who is not root. */
#ifndef ABSENT_UNISTD_H
#define ABSENT_UNISTD_H
#include_next <unistd.h>
#include <errno.h>
/* wasi-libc reports no limit; programs that allocate a table of that size need one. */
static inline long absent_sysconf(int name) { return name == _SC_OPEN_MAX ? 1024 : sysconf(name); }
#define sysconf(name) absent_sysconf(name)
static inline int absent_call(void) { errno = ENOSYS; return -1; }
static inline unsigned alarm(unsigned seconds) { (void)seconds; return 0; }
static inline pid_t fork(void) { return absent_call(); }
static inline pid_t setsid(void) { return absent_call(); }
static inline int dup2(int from, int to) { (void)from; (void)to; return absent_call(); }
static inline int execl(const char *path, const char *argument, ...) { (void)path; (void)argument; return absent_call(); }
static inline uid_t getuid(void) { return 1; }
static inline uid_t geteuid(void) { return 1; }
static inline gid_t getgid(void) { return 1; }
static inline gid_t getegid(void) { return 1; }
static inline int setuid(uid_t user) { (void)user; return absent_call(); }
static inline int setgid(gid_t group) { (void)group; return absent_call(); }
#endif
