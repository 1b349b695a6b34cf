/* Terminal modes: there is none to set, and programs then read whole lines. */
#ifndef WASMNET_TERMIOS_H
#define WASMNET_TERMIOS_H

#include <errno.h>

typedef unsigned int tcflag_t;
typedef unsigned char cc_t;

struct termios {
  tcflag_t c_iflag, c_oflag, c_cflag, c_lflag;
  cc_t c_cc[32];
};

enum {
  BRKINT = 2, INPCK = 16, ISTRIP = 32, ICRNL = 256, IXON = 1024, OPOST = 1, CS8 = 48, ISIG = 1, ICANON = 2, ECHO = 8, IEXTEN = 32768,
  VMIN = 6, VTIME = 5, TCSANOW = 0, TCSAFLUSH = 2,
};

static inline int tcgetattr(int fd, struct termios *mode) { (void)fd; (void)mode; errno = ENOTTY; return -1; }
static inline int tcsetattr(int fd, int when, const struct termios *mode) { (void)fd; (void)when; (void)mode; errno = ENOTTY; return -1; }

#endif
