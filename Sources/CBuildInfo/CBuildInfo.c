#include "CBuildInfo.h"

#ifndef WASMNET_COMMIT
#define WASMNET_COMMIT ""
#endif

const char *wasmnet_build_commit(void) { return WASMNET_COMMIT; }
