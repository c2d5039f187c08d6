#include "tests/flow/talk.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/flow/client.h"

#define SECONDS 30

void talk_close(struct talk *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

static void talk_connect(struct talk *t)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)t->port)};
    struct timeval wait = {.tv_sec = SECONDS};
    int yes = 1;
    t->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (t->fd < 0 || inet_pton(AF_INET, t->host, &to.sin_addr) != 1 ||
        setsockopt(t->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0 ||
        setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0 ||
        connect(t->fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("no connection");
}

void talk_send(struct talk *t, const char *path, struct octets body)
{
    char head[512];
    int n = snprintf(head, sizeof head, "POST %s?operation=PKIOperation HTTP/1.1\r\nHost: %s\r\n"
                     "Content-Type: application/x-pki-message\r\nContent-Length: %zu\r\n\r\n", path, t->host, body.n);
    struct octets all = JOIN(octets_of(head, (size_t)n), body);
    if (t->fd < 0)
        talk_connect(t);
    for (size_t at = 0; at < all.n;) {
        ssize_t sent = send(t->fd, all.p + at, all.n - at, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        at += (size_t)sent;
    }
}

/* The value of a header, or NULL. */
static const char *header(const char *head, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, n) == 0 && line[2 + n] == ':')
            return line + 2 + n + 1 + strspn(line + 2 + n + 1, " ");
    return NULL;
}

static bool receive_more(struct talk *t, unsigned char *room, size_t *n, size_t most)
{
    ssize_t got = *n < most ? recv(t->fd, room + *n, most - *n, 0) : -1;
    if (got <= 0)
        return false;
    *n += (size_t)got;
    return true;
}

void talk_receive(struct talk *t)
{
    static unsigned char room[TALK_REPLY + 4096];
    size_t n = 0;
    char *end = NULL;
    t->status = 0;
    t->n = 0;
    do {
        if (!receive_more(t, room, &n, sizeof room - 1)) {
            talk_close(t);
            return;
        }
        room[n] = '\0';
    } while (!(end = strstr((char *)room, "\r\n\r\n")));
    end[2] = '\0';
    size_t begin = (size_t)((unsigned char *)end + 4 - room);
    const char *length = header((char *)room, "Content-Length"), *type = header((char *)room, "Content-Type");
    const char *connection = header((char *)room, "Connection");
    size_t wanted = length ? strtoul(length, NULL, 10) : 0;
    while (n < begin + wanted)
        if (!receive_more(t, room, &n, sizeof room)) {
            talk_close(t);
            return;
        }
    t->status = atoi((char *)room + sizeof "HTTP/1.1");
    t->is_text = type && strncmp(type, "text/plain", 10) == 0;
    memcpy(t->body, room + begin, wanted);
    t->n = wanted;
    if (connection && strncasecmp(connection, "close", 5) == 0)
        talk_close(t);
}
