/* The extension's second form by its own names, as libraries that use it call: 128-byte addresses, getters of three arguments.
 * second-form PORT LISTEN_PORT: talks to an echo on 127.0.0.1:PORT, sends itself a datagram, then answers one client on LISTEN_PORT. */

#include "must.h"
#include "wasmnet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

uint32_t open_v2(uint32_t family, uint32_t type, int32_t *fd) WASMNET_IMPORT(sock_open_v2);
uint32_t bind_v2(int32_t fd, const struct wasmnet_address *address, uint32_t port) WASMNET_IMPORT(sock_bind_v2);
uint32_t connect_v2(int32_t fd, const struct wasmnet_address *address, uint32_t port) WASMNET_IMPORT(sock_connect_v2);
uint32_t listen_v2(int32_t fd, int32_t backlog) WASMNET_IMPORT(sock_listen_v2);
uint32_t accept_v2(int32_t fd, uint32_t flags, int32_t *accepted) WASMNET_IMPORT(sock_accept_v2);
uint32_t recv_v2(int32_t fd, const void *vectors, uint32_t count, uint32_t flags, uint32_t *size, uint32_t *flags_out) WASMNET_IMPORT(sock_recv_v2);
uint32_t recv_from_v2(int32_t fd, const void *vectors, uint32_t count, struct wasmnet_address *address, uint32_t flags, uint32_t *port,
                      uint32_t *size, uint32_t *flags_out) WASMNET_IMPORT(sock_recv_from_v2);
uint32_t send_v2(int32_t fd, const void *vectors, uint32_t count, uint32_t flags, uint32_t *size) WASMNET_IMPORT(sock_send_v2);
uint32_t send_to_v2(int32_t fd, const void *vectors, uint32_t count, const struct wasmnet_address *address, uint32_t port, uint32_t flags,
                    uint32_t *size) WASMNET_IMPORT(sock_send_to_v2);
uint32_t local_address_v2(int32_t fd, struct wasmnet_address *address, uint32_t *port) WASMNET_IMPORT(sock_getlocaladdr_v2);
uint32_t peer_address_v2(int32_t fd, struct wasmnet_address *address, uint32_t *port) WASMNET_IMPORT(sock_getpeeraddr_v2);

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  uint8_t loopback[128] = {1, 0, 127, 0, 0, 1}, found[128] = {0};
  struct wasmnet_address to = {loopback, sizeof loopback}, from = {found, sizeof found};
  uint32_t port = 0, own = 0, size, flags;
  int32_t fd, accepted;
  char text[64];
  struct iovec vector = {"second form", 11}, room = {text, sizeof text};

  must(open_v2(1, wasmnet_stream, &fd), "open");
  must(connect_v2(fd, &to, (uint32_t)atoi(argv[1])), "connect");
  must(peer_address_v2(fd, &from, &port), "peer");
  printf("peer %d %d.%d.%d.%d %s\n", found[0], found[2], found[3], found[4], found[5], port == (uint32_t)atoi(argv[1]) ? "same port" : "another port");
  must(send_v2(fd, &vector, 1, 0, &size), "send");
  must(recv_v2(fd, &room, 1, 0, &size, &flags), "recv");
  printf("%.*s\n", (int)size, text);

  must(open_v2(1, wasmnet_datagram, &fd), "open");
  must(bind_v2(fd, &to, 0), "bind");
  must(local_address_v2(fd, &from, &own), "local");
  must(send_to_v2(fd, &vector, 1, &to, own, 0, &size), "send_to");
  port = 0;
  must(recv_from_v2(fd, &room, 1, &from, 0, &port, &size, &flags), "recv_from");
  printf("%.*s from %d.%d.%d.%d %s\n", (int)size, text, found[2], found[3], found[4], found[5], port == own ? "myself" : "another");

  must(open_v2(1, wasmnet_stream, &fd), "open");
  must(bind_v2(fd, &to, (uint32_t)atoi(argv[2])), "bind");
  must(listen_v2(fd, 1), "listen");
  printf("listening\n");
  fflush(stdout);
  must(accept_v2(fd, 0, &accepted), "accept");
  for (;;) {
    must(recv_v2(accepted, &room, 1, 0, &size, &flags), "recv");
    if (size == 0) return 0;
    struct iovec back = {text, size};
    must(send_v2(accepted, &back, 1, 0, &size), "send");
  }
}
