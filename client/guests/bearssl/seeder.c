/* The system's randomness for BearSSL, instead of its own rand/sysrng.c, which supports only /dev/urandom and Windows. */

#include "bearssl.h"

#include <unistd.h>

static int seed(const br_prng_class **context) {
  unsigned char bytes[32];
  if (getentropy(bytes, sizeof bytes) != 0) return 0;
  (*context)->update(context, bytes, sizeof bytes);
  return 1;
}

br_prng_seeder br_prng_seeder_system(const char **name) {
  if (name != 0) *name = "getentropy";
  return &seed;
}
