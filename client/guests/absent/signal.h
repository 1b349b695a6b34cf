/* No signal arrives from outside: handlers are set for signals that the program raises itself, masks have no effect. */
#ifndef ABSENT_SIGNAL_H
#define ABSENT_SIGNAL_H
#include_next <signal.h>
#define __NEED_sigset_t
#define __NEED_pid_t
#include <bits/alltypes.h>
#include <errno.h>
#include <stddef.h>
enum { SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK, SA_RESTART = 1, SA_NOCLDSTOP = 2, SA_SIGINFO = 4 };
typedef struct siginfo siginfo_t;
struct sigaction {
  void (*sa_handler)(int);
  sigset_t sa_mask;
  int sa_flags;
};
static inline int sigaction(int number, const struct sigaction *action, struct sigaction *old) {
  void (*before)(int) = signal(number, action != NULL ? action->sa_handler : SIG_DFL);
  if (action == NULL) signal(number, before);
  if (old != NULL) *old = (struct sigaction){.sa_handler = before};
  return before == SIG_ERR ? -1 : 0;
}
static inline int sigemptyset(sigset_t *set) { *set = 0; return 0; }
static inline int sigaddset(sigset_t *set, int number) { (void)set; (void)number; return 0; }
static inline int sigprocmask(int how, const sigset_t *set, sigset_t *old) { (void)how; (void)set; if (old != NULL) *old = 0; return 0; }
static inline int kill(pid_t process, int number) { (void)process; (void)number; errno = EPERM; return -1; }
#endif
