/* The extension's first form, as libraries for it call: 4-byte addresses, getters that return the family, accept without flags.
 * first-form PORT LISTEN_PORT: talks to an echo on 127.0.0.1:PORT, then answers one client on LISTEN_PORT. */

#include "must.h"
#include "wasmnet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

uint32_t first_peer_address(int32_t fd, struct wasmnet_address *address, uint32_t *family, uint32_t *port) WASMNET_IMPORT(sock_getpeeraddr);
uint32_t first_local_address(int32_t fd, struct wasmnet_address *address, uint32_t *family, uint32_t *port) WASMNET_IMPORT(sock_getlocaladdr);
uint32_t first_accept(int32_t fd, int32_t *accepted) WASMNET_IMPORT(sock_accept);

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  uint8_t loopback[4] = {127, 0, 0, 1}, found[16] = {0};
  struct wasmnet_address to = {loopback, 4}, from = {found, 16};
  uint32_t family = 0, port = 0;
  int32_t fd, listener, accepted;
  char text[64];

  must(wasmnet_open(1, wasmnet_stream, &fd), "open");
  must(wasmnet_connect(fd, &to, (uint32_t)atoi(argv[1])), "connect");
  must(first_peer_address(fd, &from, &family, &port), "peer");
  printf("peer %d.%d.%d.%d family %u %s\n", found[0], found[1], found[2], found[3], (unsigned)family, port == (uint32_t)atoi(argv[1]) ? "same port" : "another port");
  if (write(fd, "first form", 10) != 10) return 1;
  ssize_t size = read(fd, text, sizeof text);
  printf("%.*s\n", (int)size, text);
  close(fd);

  must(wasmnet_open(1, wasmnet_stream, &listener), "open");
  must(wasmnet_bind(listener, &to, (uint32_t)atoi(argv[2])), "bind");
  must(wasmnet_listen(listener, 1), "listen");
  must(first_local_address(listener, &from, &family, &port), "local");
  printf("listening on %u\n", (unsigned)port);
  fflush(stdout);
  must(first_accept(listener, &accepted), "accept");
  while ((size = read(accepted, text, sizeof text)) > 0) write(accepted, text, (size_t)size);
  close(accepted);
  return 0;
}
