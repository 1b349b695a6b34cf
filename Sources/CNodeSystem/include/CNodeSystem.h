// What the node needs from the C library that its Swift module does not import.
#ifndef WASMNET_CNODESYSTEM_H
#define WASMNET_CNODESYSTEM_H
#include <malloc.h>
#endif
