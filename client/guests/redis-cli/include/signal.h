#ifndef SHIM_SIGNAL_H
#define SHIM_SIGNAL_H
#include_next <signal.h>
typedef struct siginfo siginfo_t;
#endif
