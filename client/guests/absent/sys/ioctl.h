#ifndef ABSENT_SYS_IOCTL_H
#define ABSENT_SYS_IOCTL_H
#include_next <sys/ioctl.h>
/* No terminal reports its size: the ioctl fails and linenoise assumes 80 columns. */
#define TIOCGWINSZ 0x5413
struct winsize { unsigned short ws_row, ws_col, ws_xpixel, ws_ypixel; };
#endif
