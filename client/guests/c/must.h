/* Ends the program with the errno of a call of the extension printed, unless that is 0. */
#ifndef MUST_H
#define MUST_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static inline void must(uint32_t error, const char *what) {
  if (error == 0) return;
  printf("%s: errno %u\n", what, (unsigned)error);
  exit(1);
}

#endif
