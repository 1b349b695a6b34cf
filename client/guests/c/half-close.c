/* Sends a line, closes its sending half, and prints the remaining input: half-close HOST PORT TEXT */

#include "connect.h"

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  int fd = connect_to(argv[1], argv[2]);
  if (send(fd, argv[3], strlen(argv[3]), 0) != (ssize_t)strlen(argv[3])) fail("send");
  if (shutdown(fd, SHUT_WR) != 0) fail("shutdown");
  if (send(fd, "x", 1, 0) >= 0 || errno != EPIPE) fail("send after shutdown must be EPIPE");
  char buffer[512];
  ssize_t count;
  while ((count = recv(fd, buffer, sizeof buffer, 0)) > 0) fwrite(buffer, 1, (size_t)count, stdout);
  if (count < 0) fail("recv");
  if (recv(fd, buffer, sizeof buffer, 0) != 0) fail("the end must stay the end");
  puts("|end");
  return 0;
}
