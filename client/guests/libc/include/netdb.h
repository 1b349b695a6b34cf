/* <netdb.h>, which wasi-libc lacks. */
#ifndef WASMNET_NETDB_H
#define WASMNET_NETDB_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

struct addrinfo {
  int ai_flags;
  int ai_family;
  int ai_socktype;
  int ai_protocol;
  socklen_t ai_addrlen;
  struct sockaddr *ai_addr;
  char *ai_canonname;
  struct addrinfo *ai_next;
};

struct hostent {
  char *h_name;
  char **h_aliases;
  int h_addrtype;
  int h_length;
  char **h_addr_list;
};
#define h_addr h_addr_list[0]

struct servent {
  char *s_name;
  char **s_aliases;
  int s_port;
  char *s_proto;
};

struct protoent {
  char *p_name;
  char **p_aliases;
  int p_proto;
};

/* The extension's numbers. */
#define AI_PASSIVE 0x01
#define AI_CANONNAME 0x02
#define AI_NUMERICHOST 0x04
#define AI_NUMERICSERV 0x08
#define AI_V4MAPPED 0x10
#define AI_ALL 0x20
#define AI_ADDRCONFIG 0x40

#define EAI_BADFLAGS -1
#define EAI_NONAME -2
#define EAI_AGAIN -3
#define EAI_FAIL -4
#define EAI_NODATA -5
#define EAI_FAMILY -6
#define EAI_SOCKTYPE -7
#define EAI_SERVICE -8
#define EAI_ADDRFAMILY -9
#define EAI_MEMORY -10
#define EAI_SYSTEM -11
#define EAI_OVERFLOW -12

#define NI_NUMERICHOST 0x01
#define NI_NUMERICSERV 0x02
#define NI_NOFQDN 0x04
#define NI_NAMEREQD 0x08
#define NI_DGRAM 0x10

#define NI_MAXHOST 1025
#define NI_MAXSERV 32

#define HOST_NOT_FOUND 1
#define TRY_AGAIN 2
#define NO_RECOVERY 3
#define NO_DATA 4
#define NO_ADDRESS NO_DATA
#define NETDB_SUCCESS 0
#define NETDB_INTERNAL -1

extern int h_errno;

int getaddrinfo(const char *restrict name, const char *restrict service, const struct addrinfo *restrict hints, struct addrinfo **restrict list);
void freeaddrinfo(struct addrinfo *list);
const char *gai_strerror(int code);
int getnameinfo(const struct sockaddr *restrict address, socklen_t length, char *restrict host, socklen_t host_size, char *restrict service,
                socklen_t service_size, int flags);

struct hostent *gethostbyname(const char *name);
struct hostent *gethostbyname2(const char *name, int family);
int gethostbyname_r(const char *name, struct hostent *entry, char *buffer, size_t size, struct hostent **result, int *code);
int gethostbyname2_r(const char *name, int family, struct hostent *entry, char *buffer, size_t size, struct hostent **result, int *code);
struct hostent *gethostbyaddr(const void *address, socklen_t length, int family);
const char *hstrerror(int code);
void herror(const char *prefix);

struct servent *getservbyname(const char *name, const char *protocol);
struct servent *getservbyport(int port, const char *protocol);
void setservent(int stays_open);
struct servent *getservent(void);
void endservent(void);

struct protoent *getprotobyname(const char *name);
struct protoent *getprotobynumber(int number);

#ifdef __cplusplus
}
#endif
#endif
