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
    case 77: return EAI_ADDRFAMILY;
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

/* The socket types for an address: TCP, UDP, or one of them. */
static const struct kind { int type, protocol; const char *name; } kinds[] = {
  {SOCK_STREAM, IPPROTO_TCP, "tcp"}, {SOCK_DGRAM, IPPROTO_UDP, "udp"},
};
enum { kind_count = sizeof kinds / sizeof *kinds };

/* One block an item: the addrinfo, its sockaddr, and the canonical name of the first. */
static struct addrinfo *item_of(const struct wasmnet_addrinfo *found, const struct kind *kind, in_port_t port, const char *canonical) {
  struct block { struct addrinfo info; struct sockaddr_in6 address; char name[]; } *block;
  size_t size = canonical != NULL ? strlen(canonical) + 1 : 0;
  block = calloc(1, sizeof *block + size);
  if (block == NULL) return NULL;
  const uint8_t *data = found->address->data;
  if (found->address->family == AF_INET6) {
    block->address.sin6_family = AF_INET6;
    block->address.sin6_port = port;
    memcpy(&block->address.sin6_addr, data + 6, 16);
    block->info.ai_addrlen = sizeof(struct sockaddr_in6);
  } else {
    struct sockaddr_in *in = (void *)&block->address;
    in->sin_family = AF_INET;
    in->sin_port = port;
    memcpy(&in->sin_addr, data + 2, 4);
    block->info.ai_addrlen = sizeof *in;
  }
  block->info.ai_family = found->address->family;
  block->info.ai_socktype = kind->type;
  block->info.ai_protocol = kind->protocol;
  block->info.ai_addr = (void *)&block->address;
  if (canonical != NULL) block->info.ai_canonname = memcpy(block->name, canonical, size);
  return &block->info;
}

/* The port of `service` for each type, in network byte order, or -1; an error if there is none for any. */
static int ports_of(const char *service, const struct addrinfo *hints, int32_t ports[kind_count]) {
  char *end = NULL;
  long number = service != NULL ? strtol(service, &end, 10) : 0;
  int is_name = end != NULL && *end != 0, known = 0;
  if (is_name && hints->ai_flags & AI_NUMERICSERV) return EAI_NONAME;
  if (number < 0) return EAI_SERVICE;
  for (int i = 0; i < kind_count; i++) {
    ports[i] = -1;
    if (hints->ai_socktype != 0 && hints->ai_socktype != kinds[i].type) continue;
    if (hints->ai_protocol != 0 && hints->ai_protocol != kinds[i].protocol) continue;
    struct servent *entry = is_name ? getservbyname(service, kinds[i].name) : NULL;
    if (entry != NULL || !is_name) ports[i] = entry != NULL ? (in_port_t)entry->s_port : htons((uint16_t)number);
    known += ports[i] >= 0;
  }
  return known > 0 ? 0 : is_name || (service != NULL && hints->ai_socktype == 0) ? EAI_SERVICE : EAI_SOCKTYPE;
}

int getaddrinfo(const char *restrict name, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict list) {
  static const struct addrinfo no_hints = {.ai_flags = AI_V4MAPPED | AI_ADDRCONFIG};
  enum { known_flags = AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST | AI_NUMERICSERV | AI_V4MAPPED | AI_ALL | AI_ADDRCONFIG };
  if (hints == NULL) hints = &no_hints;
  if (name == NULL && service == NULL) return EAI_NONAME;
  if (hints->ai_flags & ~known_flags || (name == NULL && hints->ai_flags & AI_CANONNAME)) return EAI_BADFLAGS;
  if (hints->ai_family != AF_UNSPEC && hints->ai_family != AF_INET && hints->ai_family != AF_INET6) return EAI_FAMILY;
  if (hints->ai_socktype != 0 && hints->ai_socktype != SOCK_STREAM && hints->ai_socktype != SOCK_DGRAM) return EAI_SOCKTYPE;
  /* To the bridge this is no name, as NULL is. */
  if (name != NULL && *name == 0) return EAI_NONAME;
  int32_t ports[kind_count];
  int code = ports_of(service, hints, ports);
  if (code != 0) return code;

  struct wasmnet_addrinfo items[most] = {0};
  struct wasmnet_sockaddr addresses[most] = {0};
  uint8_t data[most][room] = {{0}};
  for (int i = 0; i < most; i++) {
    addresses[i] = (struct wasmnet_sockaddr){0, room, data[i]};
    items[i].address = &addresses[i];
    items[i].next = i + 1 < most ? &items[i + 1] : NULL;
  }
  struct wasmnet_addrinfo wanted = {.flags = (uint16_t)hints->ai_flags, .family = (uint8_t)hints->ai_family, .type = wasmnet_stream};
  struct wasmnet_addrinfo *first = items;
  const char *asked = name != NULL ? name : "";
  uint32_t count = 0;
  uint32_t error = wasmnet_lookup(asked, (uint32_t)strlen(asked), "0", 1, &wanted, &first, most, &count);
  if (error != 0) return code_of(error);

  /* The node returns addresses only: the requested name is used as the canonical one. */
  const char *canonical = hints->ai_flags & AI_CANONNAME ? name : NULL;
  struct addrinfo **end = list;
  *list = NULL;
  for (uint32_t i = 0; i < count; i++) {
    for (int kind = 0; kind < kind_count; kind++) {
      if (ports[kind] < 0) continue;
      *end = item_of(&items[i], &kinds[kind], (in_port_t)ports[kind], canonical);
      if (*end == NULL) {
        freeaddrinfo(*list);
        return EAI_MEMORY;
      }
      end = &(*end)->ai_next;
      canonical = NULL;
    }
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
    /* More than native libraries report, which leave errno to the program: EACCES is the node's policy. */
    case EAI_SYSTEM: return strerror(errno);
    default: return "Unknown error";
  }
}
