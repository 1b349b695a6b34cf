/* getaddrinfo over the extension: the node resolves, so its policy knows which addresses belong to the name. */

#include "wasmnet.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { most = 16, room = 26 };

static int code_of(uint32_t error) {
  switch (error) {
    case 78: return EAI_AGAIN;
    case 79: return EAI_BADFLAGS;
    case 81: return EAI_FAMILY;
    case 82: return EAI_MEMORY;
    case 84: return EAI_NONAME;
    case 85: return EAI_SERVICE;
    case 86: return EAI_SOCKTYPE;
    case 80: return EAI_FAIL;
    default: errno = (int)error; return EAI_SYSTEM;
  }
}

/* One block an item: the addrinfo, then its sockaddr. */
static struct addrinfo *item_of(const struct wasmnet_addrinfo *found, const struct addrinfo *hints) {
  struct block { struct addrinfo info; struct sockaddr_in6 address; } *block = calloc(1, sizeof *block);
  if (block == NULL) return NULL;
  const uint8_t *data = found->address->data;
  if (found->address->family == AF_INET6) {
    block->address.sin6_family = AF_INET6;
    memcpy(&block->address.sin6_port, data, 2);
    memcpy(&block->address.sin6_addr, data + 6, 16);
    block->info.ai_addrlen = sizeof(struct sockaddr_in6);
  } else {
    struct sockaddr_in *in = (void *)&block->address;
    in->sin_family = AF_INET;
    memcpy(&in->sin_port, data, 2);
    memcpy(&in->sin_addr, data + 2, 4);
    block->info.ai_addrlen = sizeof *in;
  }
  block->info.ai_family = found->address->family;
  block->info.ai_socktype = hints != NULL && hints->ai_socktype ? hints->ai_socktype : SOCK_STREAM;
  block->info.ai_protocol = hints != NULL ? hints->ai_protocol : 0;
  block->info.ai_addr = (void *)&block->address;
  return &block->info;
}

int getaddrinfo(const char *restrict name, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict list) {
  struct wasmnet_addrinfo items[most] = {0};
  struct wasmnet_sockaddr addresses[most] = {0};
  uint8_t data[most][room] = {{0}};
  for (int i = 0; i < most; i++) {
    addresses[i] = (struct wasmnet_sockaddr){0, room, data[i]};
    items[i].address = &addresses[i];
    items[i].next = i + 1 < most ? &items[i + 1] : NULL;
  }
  struct wasmnet_addrinfo wanted = {0};
  if (hints != NULL) {
    wanted.flags = (uint16_t)hints->ai_flags;
    wanted.family = (uint8_t)hints->ai_family;
    wanted.type = hints->ai_socktype == SOCK_STREAM ? wasmnet_stream : hints->ai_socktype == SOCK_DGRAM ? wasmnet_datagram : 0;
  }
  if (name == NULL) name = "";
  if (service == NULL) service = "";
  struct wasmnet_addrinfo *first = items;
  uint32_t count = 0;
  uint32_t error = wasmnet_lookup(name, (uint32_t)strlen(name), service, (uint32_t)strlen(service), &wanted, &first, most, &count);
  if (error != 0) return code_of(error);

  struct addrinfo **end = list;
  *list = NULL;
  for (uint32_t i = 0; i < count; i++) {
    *end = item_of(&items[i], hints);
    if (*end == NULL) {
      freeaddrinfo(*list);
      return EAI_MEMORY;
    }
    end = &(*end)->ai_next;
  }
  return count > 0 ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list) {
  while (list != NULL) {
    struct addrinfo *next = list->ai_next;
    free(list);
    list = next;
  }
}

const char *gai_strerror(int code) {
  switch (code) {
    case EAI_BADFLAGS: return "Bad value for ai_flags";
    case EAI_NONAME: return "Name or service not known";
    case EAI_AGAIN: return "Temporary failure in name resolution";
    case EAI_FAIL: return "Non-recoverable failure in name resolution";
    case EAI_NODATA: return "No address associated with hostname";
    case EAI_FAMILY: return "ai_family not supported";
    case EAI_SOCKTYPE: return "ai_socktype not supported";
    case EAI_SERVICE: return "Servname not supported for ai_socktype";
    case EAI_ADDRFAMILY: return "Address family for hostname not supported";
    case EAI_MEMORY: return "Memory allocation failure";
    case EAI_OVERFLOW: return "Result too large for supplied buffer";
    /* More than native libraries say, who leave errno to the program: EACCES is the node's policy. */
    case EAI_SYSTEM: return strerror(errno);
    default: return "Unknown error";
  }
}
