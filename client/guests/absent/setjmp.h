/* netcat jumps out of a handler of SIGALRM or SIGINT. There are no signals, so it never does: -w limits waits for bytes, not a connect. */
#ifndef ABSENT_SETJMP_H
#define ABSENT_SETJMP_H
#include <stdlib.h>
typedef int jmp_buf[1], sigjmp_buf[1];
#define setjmp(buffer) ((void)(buffer), 0)
#define sigsetjmp(buffer, mask) ((void)(buffer), 0)
#define longjmp(buffer, value) abort()
#define siglongjmp(buffer, value) abort()
#endif
