/* The older calls for names, over getaddrinfo, and those with only one possible answer in a page. */

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int h_errno;

in_addr_t inet_addr(const char *text) {
  struct in_addr address;
  return inet_aton(text, &address) ? address.s_addr : INADDR_NONE;
}

char *inet_ntoa(struct in_addr address) {
  static char text[INET_ADDRSTRLEN];
  return (char *)inet_ntop(AF_INET, &address, text, sizeof text);
}

/* As inet_addr, but every part is one byte, and the number is in the host's order. */
in_addr_t inet_network(const char *text) {
  in_addr_t address = 0;
  for (int parts = 1; parts <= 4; parts++) {
    char *end;
    unsigned long part = strtoul(text, &end, 0);
    if (end == text || *text < '0' || *text > '9' || part > 255) break;
    address = address << 8 | (in_addr_t)part;
    if (*end == 0) return address;
    if (*end != '.') break;
    text = end + 1;
  }
  return INADDR_NONE;
}

enum { most = 16 };
static char host_name[NI_MAXHOST], *no_aliases[1], *host_list[most + 1];
static struct in6_addr host_addresses[most];
static struct hostent host_entry;

/* The addresses of `list` in the one result that all of these calls share. */
static struct hostent *answer_of(const char *name, int family, const struct addrinfo *list) {
  size_t count = 0;
  for (; list != NULL && count < most; list = list->ai_next) {
    if (list->ai_family != family) continue;
    const void *from = family == AF_INET ? (void *)&((struct sockaddr_in *)list->ai_addr)->sin_addr : (void *)&((struct sockaddr_in6 *)list->ai_addr)->sin6_addr;
    memcpy(&host_addresses[count], from, family == AF_INET ? 4 : 16);
    host_list[count] = (char *)&host_addresses[count];
    count++;
  }
  host_list[count] = NULL;
  strlcpy(host_name, name, sizeof host_name);
  host_entry = (struct hostent){host_name, no_aliases, family, family == AF_INET ? 4 : 16, host_list};
  return &host_entry;
}

struct hostent *gethostbyname2(const char *name, int family) {
  struct sockaddr_in in = {.sin_family = AF_INET};
  if (family == AF_INET && inet_aton(name, &in.sin_addr)) {
    return answer_of(name, family, &(struct addrinfo){.ai_family = AF_INET, .ai_addr = (struct sockaddr *)&in});
  }
  struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME}, *list;
  int code = getaddrinfo(name, NULL, &hints, &list);
  if (code != 0) {
    h_errno = code == EAI_NONAME ? HOST_NOT_FOUND : code == EAI_AGAIN ? TRY_AGAIN : code == EAI_NODATA ? NO_DATA : code == EAI_SYSTEM ? NETDB_INTERNAL : NO_RECOVERY;
    return NULL;
  }
  struct hostent *entry = answer_of(list->ai_canonname != NULL ? list->ai_canonname : name, family, list);
  freeaddrinfo(list);
  return entry;
}

struct hostent *gethostbyname(const char *name) { return gethostbyname2(name, AF_INET); }

/* Copies an answer into the caller's buffer. */
int gethostbyname2_r(const char *name, int family, struct hostent *entry, char *buffer, size_t size, struct hostent **result, int *code) {
  *result = NULL;
  int kept = h_errno;
  struct hostent *found = gethostbyname2(name, family);
  *code = h_errno;
  h_errno = kept;
  if (found == NULL) return *code == TRY_AGAIN ? EAGAIN : 0;
  size_t count = 0, length = strlen(found->h_name) + 1;
  while (found->h_addr_list[count] != NULL) count++;
  size_t padding = -(uintptr_t)buffer % sizeof(char *), lists = (count + 2) * sizeof(char *), addresses = count * (size_t)found->h_length;
  if (size < padding + lists + addresses + length) return ERANGE;
  char **list = (void *)(buffer + padding), *data = buffer + padding + lists;
  list[count] = list[count + 1] = NULL;
  for (size_t i = 0; i < count; i++) list[i] = memcpy(data + i * (size_t)found->h_length, found->h_addr_list[i], (size_t)found->h_length);
  *entry = (struct hostent){memcpy(data + addresses, found->h_name, length), &list[count + 1], family, found->h_length, list};
  *result = entry;
  *code = NETDB_SUCCESS;
  return 0;
}

int gethostbyname_r(const char *name, struct hostent *entry, char *buffer, size_t size, struct hostent **result, int *code) {
  return gethostbyname2_r(name, AF_INET, entry, buffer, size, result, code);
}

/* The node returns addresses for names, but no names for addresses. */
struct hostent *gethostbyaddr(const void *address, socklen_t length, int family) {
  (void)address;
  (void)length;
  (void)family;
  h_errno = HOST_NOT_FOUND;
  return NULL;
}

const char *hstrerror(int code) {
  switch (code) {
    case NETDB_SUCCESS: return "Resolver Error 0 (no error)";
    case HOST_NOT_FOUND: return "Unknown host";
    case TRY_AGAIN: return "Host name lookup failure";
    case NO_RECOVERY: return "Unknown server error";
    case NO_DATA: return "No address associated with name";
    default: return code < 0 ? "Resolver internal error" : "Unknown resolver error";
  }
}

void herror(const char *prefix) {
  if (prefix != NULL && *prefix) fprintf(stderr, "%s: ", prefix);
  fprintf(stderr, "%s\n", hstrerror(h_errno));
}

/* 0, or EAI_OVERFLOW if `text` does not fit. */
static int copy(char *to, socklen_t size, const char *text) { return strlcpy(to, text, size) < size ? 0 : EAI_OVERFLOW; }

int getnameinfo(const struct sockaddr *restrict address, socklen_t length, char *restrict host, socklen_t host_size, char *restrict service,
                socklen_t service_size, int flags) {
  if (flags & ~(NI_NUMERICHOST | NI_NUMERICSERV | NI_NOFQDN | NI_NAMEREQD | NI_DGRAM)) return EAI_BADFLAGS;
  const struct sockaddr_in *in = (const void *)address;
  const struct sockaddr_in6 *in6 = (const void *)address;
  int is6 = address->sa_family == AF_INET6;
  if ((!is6 && address->sa_family != AF_INET) || length < (is6 ? sizeof *in6 : sizeof *in)) return EAI_FAMILY;
  int wants_host = host != NULL && host_size > 0, wants_service = service != NULL && service_size > 0, code = 0;
  /* An address has no name here, see gethostbyaddr. */
  if (flags & NI_NAMEREQD && wants_host) return EAI_NONAME;
  if (wants_host) {
    char text[INET6_ADDRSTRLEN + 12];
    inet_ntop(address->sa_family, is6 ? (const void *)&in6->sin6_addr : (const void *)&in->sin_addr, text, sizeof text);
    if (is6 && in6->sin6_scope_id != 0) sprintf(text + strlen(text), "%%%u", (unsigned)in6->sin6_scope_id);
    code = copy(host, host_size, text);
  }
  if (code == 0 && wants_service) {
    int port = is6 ? in6->sin6_port : in->sin_port;
    struct servent *entry = flags & NI_NUMERICSERV ? NULL : getservbyport(port, flags & NI_DGRAM ? "udp" : "tcp");
    char text[8];
    sprintf(text, "%u", (unsigned)ntohs((uint16_t)port));
    code = copy(service, service_size, entry != NULL ? entry->s_name : text);
  }
  return code;
}

static struct { const char *name; int number; } protocols[] = {{"ip", 0}, {"icmp", 1}, {"tcp", 6}, {"udp", 17}, {"ipv6", 41}, {"ipv6-icmp", 58}};

static struct protoent *protocol_of(size_t index) {
  static struct protoent entry;
  entry = (struct protoent){(char *)protocols[index].name, no_aliases, protocols[index].number};
  return &entry;
}

struct protoent *getprotobyname(const char *name) {
  for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
    if (strcmp(name, protocols[i].name) == 0) return protocol_of(i);
  }
  return NULL;
}

struct protoent *getprotobynumber(int number) {
  for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
    if (number == protocols[i].number) return protocol_of(i);
  }
  return NULL;
}

int gethostname(char *name, size_t size) {
  if (strlcpy(name, "localhost", size) < size) return 0;
  errno = ENAMETOOLONG;
  return -1;
}

unsigned if_nametoindex(const char *name) {
  (void)name;
  errno = ENODEV;
  return 0;
}

char *if_indextoname(unsigned index, char *name) {
  (void)index;
  (void)name;
  errno = ENXIO;
  return NULL;
}

struct if_nameindex *if_nameindex(void) { return calloc(1, sizeof(struct if_nameindex)); }

void if_freenameindex(struct if_nameindex *list) { free(list); }

int getifaddrs(struct ifaddrs **list) {
  *list = NULL;
  return 0;
}

void freeifaddrs(struct ifaddrs *list) { (void)list; }
