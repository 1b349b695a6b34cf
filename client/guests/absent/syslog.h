/* There is no system log. */
#ifndef ABSENT_SYSLOG_H
#define ABSENT_SYSLOG_H
enum {
  LOG_EMERG, LOG_ALERT, LOG_CRIT, LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG, LOG_USER = 8, LOG_DAEMON = 24, LOG_LOCAL0 = 128,
  LOG_LOCAL1 = 136, LOG_LOCAL2 = 144, LOG_LOCAL3 = 152, LOG_LOCAL4 = 160, LOG_LOCAL5 = 168, LOG_LOCAL6 = 176, LOG_LOCAL7 = 184, LOG_PID = 1, LOG_CONS = 2,
};
static inline void openlog(const char *name, int option, int facility) { (void)name; (void)option; (void)facility; }
static inline void syslog(int priority, const char *format, ...) { (void)priority; (void)format; }
static inline void closelog(void) {}
#endif
