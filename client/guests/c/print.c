/* Prints COUNT bytes as fast as they are taken, then "done" on standard error: print COUNT */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static unsigned char buffer[100 * 1000];

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  unsigned long count = strtoul(argv[1], NULL, 10);
  for (unsigned long sent = 0; sent < count;) {
    size_t size = count - sent < sizeof buffer ? (size_t)(count - sent) : sizeof buffer;
    for (size_t i = 0; i < size; i++) buffer[i] = (unsigned char)((sent + i) * 31 >> 3);
    /* As to a pipe: all or nothing. */
    if (write(1, buffer, size) != (ssize_t)size) return 1;
    sent += size;
  }
  fputs("done\n", stderr);
  return 0;
}
