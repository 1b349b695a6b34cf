#include "CNodeSystem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

// A process started with descriptor 0, 1 or 2 closed gives its number to the next file or socket that it opens, and anything
// then written to standard output or standard error, such as a line of the log, goes there. Before main, and so before anything is opened,
// /dev/null replaces the missing ones: open returns the lowest free number.
__attribute__((constructor(101))) static void fill_standard_descriptors(void) {
    for (int number = 0; number <= 2; number++) {
        if (fcntl(number, F_GETFD) != -1 || errno != EBADF) continue;
        int opened = open("/dev/null", number == 0 ? O_RDONLY : O_WRONLY);
        if (opened == number) continue;
        if (opened != -1) close(opened);
        dprintf(2, "wasmnet-node: descriptor %d is closed, and /dev/null cannot be opened in its place\n", number);
        _exit(1);
    }
}
