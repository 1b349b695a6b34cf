/* Local sockets do not exist here; programs that can also use them still compile, and their socket() fails. */
#ifndef WASMNET_SYS_UN_H
#define WASMNET_SYS_UN_H

#include <sys/socket.h>

#define AF_LOCAL AF_UNIX
#define PF_LOCAL AF_UNIX

struct sockaddr_un {
  sa_family_t sun_family;
  char sun_path[108];
};

#endif
