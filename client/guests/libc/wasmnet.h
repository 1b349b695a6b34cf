/* The WasmEdge socket extension's imports, second form, as this bridge provides them. All return a WASI errno. */
#ifndef WASMNET_H
#define WASMNET_H

#include <stdint.h>

#define WASMNET_IMPORT(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))

/* An address: 4 or 16 bytes, or 128 with the family in the first two. */
struct wasmnet_address {
  uint8_t *bytes;
  uint32_t length;
};

struct wasmnet_sockaddr {
  uint8_t family;
  uint32_t length;
  uint8_t *data; /* port, big-endian; then the address, an IPv6 one after 4 bytes more */
};

struct wasmnet_addrinfo {
  uint16_t flags;
  uint8_t family;
  uint8_t type;
  uint32_t protocol;
  uint32_t address_length;
  struct wasmnet_sockaddr *address;
  char *name;
  uint32_t name_length;
  struct wasmnet_addrinfo *next;
};

enum { wasmnet_datagram = 1, wasmnet_stream = 2 };

/* Ours: the level of IP's options, whose own number the extension uses for sockets; and event flags of poll_oneoff beside WASI's hangup. */
enum { wasmnet_level_ip = 0x100 };
enum { wasmnet_event_failed = 2, wasmnet_event_over = 4, wasmnet_event_only = 8, wasmnet_event_ended = 16 };

uint32_t wasmnet_open(uint32_t family, uint32_t type, int32_t *fd) WASMNET_IMPORT(sock_open);
uint32_t wasmnet_connect(int32_t fd, const struct wasmnet_address *address, uint32_t port) WASMNET_IMPORT(sock_connect);
uint32_t wasmnet_bind(int32_t fd, const struct wasmnet_address *address, uint32_t port) WASMNET_IMPORT(sock_bind);
uint32_t wasmnet_listen(int32_t fd, int32_t backlog) WASMNET_IMPORT(sock_listen);
uint32_t wasmnet_recv_from(int32_t fd, const void *vectors, uint32_t count, struct wasmnet_address *address, uint32_t flags,
                           uint32_t *port, uint32_t *size, uint32_t *flags_out) WASMNET_IMPORT(sock_recv_from);
uint32_t wasmnet_send_to(int32_t fd, const void *vectors, uint32_t count, const struct wasmnet_address *address, uint32_t port,
                         uint32_t flags, uint32_t *size) WASMNET_IMPORT(sock_send_to);
uint32_t wasmnet_local_address(int32_t fd, struct wasmnet_address *address, uint32_t *port) WASMNET_IMPORT(sock_getlocaladdr);
uint32_t wasmnet_peer_address(int32_t fd, struct wasmnet_address *address, uint32_t *port) WASMNET_IMPORT(sock_getpeeraddr);
uint32_t wasmnet_get_option(int32_t fd, int32_t level, int32_t name, void *value, uint32_t *length) WASMNET_IMPORT(sock_getsockopt);
uint32_t wasmnet_set_option(int32_t fd, int32_t level, int32_t name, const void *value, uint32_t length) WASMNET_IMPORT(sock_setsockopt);
uint32_t wasmnet_lookup(const char *name, uint32_t name_length, const char *service, uint32_t service_length,
                        const struct wasmnet_addrinfo *hints, struct wasmnet_addrinfo **list, uint32_t most, uint32_t *count)
    WASMNET_IMPORT(sock_getaddrinfo);
/* This bridge's own: two connected sockets inside the program. */
uint32_t wasmnet_pair(uint32_t type, int32_t *one, int32_t *other) WASMNET_IMPORT(sock_pair);
uint32_t wasmnet_accept(int32_t fd, uint32_t flags, int32_t *accepted) WASMNET_IMPORT(sock_accept);

/* Shared by the files here. */
struct sockaddr;

/* 0, or -1 with errno set. */
int wasmnet_answer(uint32_t error);
/* Points `address` into `value`; returns the port, or -1 with errno set. */
int32_t wasmnet_unpack(const struct sockaddr *value, unsigned length, struct wasmnet_address *address);
/* Fills `value` from `storage`: the family in two bytes, then the address. */
void wasmnet_pack(const uint8_t *storage, uint32_t port, struct sockaddr *value, unsigned *length);

#endif
