// What <spawn.h> of the C library has (glibc 2.34) and Swift's module of it lacks.
#ifndef WASMNET_CSPAWN_H
#define WASMNET_CSPAWN_H
#include <spawn.h>

int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *__restrict actions, const char *__restrict path);
#endif
