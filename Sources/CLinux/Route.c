#include "CLinux.h"
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct question {
    struct nlmsghdr header;
    struct rtmsg route;
    char attributes[RTA_SPACE(16)];
};

// There is no route, or one that rejects: nothing that is sent there arrives anywhere.
static int is_no_way(int error) {
    return error == ENETUNREACH || error == EHOSTUNREACH || error == EACCES || error == EINVAL;
}

static int read_answer(const struct nlmsghdr *header, size_t length) {
    if (!NLMSG_OK(header, length)) return -1;
    if (header->nlmsg_type == NLMSG_ERROR) {
        if (header->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr))) return -1;
        return is_no_way(-((const struct nlmsgerr *)NLMSG_DATA(header))->error) ? 0 : -1;
    }
    if (header->nlmsg_type != RTM_NEWROUTE || header->nlmsg_len < NLMSG_LENGTH(sizeof(struct rtmsg))) return -1;
    int type = ((const struct rtmsg *)NLMSG_DATA(header))->rtm_type;
    // An anycast address of this machine is one of its own as well: the subnet router's, if it forwards IPv6.
    return type == RTN_LOCAL || type == RTN_ANYCAST;
}

static int ask(int file, int family, const void *address) {
    size_t size = family == AF_INET ? 4 : 16;
    struct question question = {0};
    question.header.nlmsg_type = RTM_GETROUTE;
    question.header.nlmsg_flags = NLM_F_REQUEST;
    question.route.rtm_family = (unsigned char)family;
    question.route.rtm_dst_len = (unsigned char)(size * 8);
    struct rtattr *destination = (struct rtattr *)question.attributes;
    destination->rta_type = RTA_DST;
    destination->rta_len = RTA_LENGTH(size);
    memcpy(RTA_DATA(destination), address, size);
    question.header.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)) + RTA_SPACE(size);
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (sendto(file, &question, question.header.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) return -1;
    // The kernel has answered by the time sendto returns.
    union {
        struct nlmsghdr header;
        char bytes[4096];
    } answer;
    struct sockaddr_nl sender = {0};
    socklen_t length = sizeof sender;
    ssize_t count =
        recvfrom(file, &answer, sizeof answer, MSG_DONTWAIT, (struct sockaddr *)&sender, &length);
    if (count < 0 || sender.nl_pid != 0) return -1;
    return read_answer(&answer.header, (size_t)count);
}

int wasmnet_route_is_local(int family, const void *address) {
    int file = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (file < 0) return -1;
    int result = ask(file, family, address);
    close(file);
    return result;
}
