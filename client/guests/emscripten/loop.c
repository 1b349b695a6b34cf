/* A Redis client with a main loop, as in games and similar programs: select() once a turn, never a wait.
 *   loop HOST PORT KEY VALUE      PING, SET KEY VALUE, GET KEY on one socket, and an ECHO on a second one meanwhile; prints the answers */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>
#include <emscripten.h>

struct client {
  int fd;
  int is_up;
  char request[512];
  const char *last; /* the end of the whole answer */
  char answer[512];
  size_t length;
};

static struct client clients[2];

static void fail(const char *what) {
  fprintf(stderr, "%s: %s (errno %d)\n", what, strerror(errno), errno);
  exit(1);
}

static void open_client(struct client *client, const char *host, const char *port) {
  struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
  if (getaddrinfo(host, port, &hints, &found) != 0) exit(2);
  client->fd = socket(found->ai_family, SOCK_STREAM, IPPROTO_TCP);
  if (client->fd < 0) fail("socket");
  if (fcntl(client->fd, F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
  if (connect(client->fd, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS) fail("connect");
  freeaddrinfo(found);
}

static int is_done(const struct client *client) {
  size_t length = strlen(client->last);
  return client->length >= length && strcmp(client->answer + client->length - length, client->last) == 0;
}

static void step(struct client *client, int readable, int writable) {
  if (writable && !client->is_up) {
    client->is_up = 1;
    if (send(client->fd, client->request, strlen(client->request), 0) < 0) fail("send");
  }
  if (!readable) return;
  ssize_t count = recv(client->fd, client->answer + client->length, sizeof client->answer - 1 - client->length, 0);
  if (count > 0) client->length += (size_t)count;
  else if (count == 0 || errno != EAGAIN) {
    socklen_t length = sizeof errno;
    int error = 0;
    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    errno = error;
    fail("recv");
  }
}

static void turn(void) {
  fd_set reading, writing;
  int highest = 0;
  FD_ZERO(&reading);
  FD_ZERO(&writing);
  for (int i = 0; i < 2; i++) {
    if (is_done(&clients[i])) continue;
    FD_SET(clients[i].fd, &reading);
    FD_SET(clients[i].fd, &writing);
    if (clients[i].fd > highest) highest = clients[i].fd;
  }
  struct timeval now = {0};
  if (select(highest + 1, &reading, &writing, NULL, &now) < 0) fail("select");
  for (int i = 0; i < 2; i++) step(&clients[i], FD_ISSET(clients[i].fd, &reading), FD_ISSET(clients[i].fd, &writing));
  if (!is_done(&clients[0]) || !is_done(&clients[1])) return;
  for (int i = 0; i < 2; i++) {
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    if (getpeername(clients[i].fd, (struct sockaddr *)&peer, &length) != 0) fail("getpeername");
    printf("%s", clients[i].answer);
    close(clients[i].fd);
  }
  emscripten_cancel_main_loop();
  exit(0);
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  static char value[64];
  snprintf(value, sizeof value, "%s\r\n", argv[4]);
  snprintf(clients[0].request, sizeof clients[0].request, "PING\r\nSET %s %s\r\nGET %s\r\n", argv[3], argv[4], argv[3]);
  clients[0].last = value;
  snprintf(clients[1].request, sizeof clients[1].request, "ECHO second\r\n");
  clients[1].last = "second\r\n";
  for (int i = 0; i < 2; i++) open_client(&clients[i], argv[1], argv[2]);
  emscripten_set_main_loop(turn, 0, 0);
  return 0;
}
