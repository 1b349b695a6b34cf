/* redis-cli logs nowhere; a header it takes in by way of server.h asks for these names. */
#ifndef SHIM_SYSLOG_H
#define SHIM_SYSLOG_H
enum { LOG_DEBUG = 7, LOG_INFO = 6, LOG_NOTICE = 5, LOG_WARNING = 4, LOG_LOCAL0 = 128 };
#endif
