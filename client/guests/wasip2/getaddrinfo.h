/* Included before every source for wasip2: this libc's getaddrinfo omits the port from its results. */
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>

static inline int getaddrinfo_with_port(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **list) {
  int code = getaddrinfo(host, port, hints, list);
  /* The port is at the same place in sockaddr_in6. */
  for (struct addrinfo *each = code == 0 ? *list : NULL; each; each = each->ai_next) ((struct sockaddr_in *)(void *)each->ai_addr)->sin_port = htons((unsigned short)atoi(port));
  return code;
}
#define getaddrinfo getaddrinfo_with_port
