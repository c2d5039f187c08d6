/*
 * signer_poke: says anything to a lane of chancery-signer, right or wrong, and tells what comes back.
 *
 *   signer_poke SOCKET TOKEN ...
 *       A frame of the tokens: v:VERB (one octet), u:NUMBER (32 bits), i:NUMBER (64 bits), b:0|1, t:TEXT (length and text), n
 *       (an absent text), l:COUNT (of a list), x:HEX (as it is), z:COUNT (zeros). The frame's length goes before it, or what
 *       length:NUMBER says. cut:COUNT sends so many octets of it and no more; half-close ends the sending side after it;
 *       slow:MS waits so long after each octet. Prints one line: "NAME DETAIL" of the result, "closed" where the signer closed
 *       without an answer, "nothing" where none came within 10 s.
 *   signer_poke SOCKET hold COUNT
 *       Opens so many connections, sends half of a frame's length on each second one, prints "holding", and keeps them until
 *       standard input ends.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/bytes.h"
#include "lib/base/limits.h"
#include "lib/base/result.h"
#include "lib/signer/message.h"

#define ANSWER_MS 10000
#define HOLD_MOST 1024

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(2);
}

static int connect_to(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || strlen(path) >= sizeof a.sun_path)
        die("socket");
    memcpy(a.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        die(path);
    return fd;
}

struct frame {
    struct buf body;
    long length, cut, slow_ms;      /* -1: as it is */
    bool half_close;
};

static void frame_hex(struct buf *b, const char *hex)
{
    for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2)
        buf_byte(b, (uint8_t)strtoul((char[]){hex[0], hex[1], '\0'}, NULL, 16));
}

static void frame_number(struct buf *b, unsigned long n)
{
    uint8_t p[4];
    be32_put(p, (uint32_t)n);
    buf_append(b, p, sizeof p);
}

static void frame_token(struct frame *f, const char *token)
{
    const char *value = strchr(token, ':') ? strchr(token, ':') + 1 : "";
    unsigned long n = strtoul(value, NULL, 10);
    uint8_t p[8];
    if (strncmp(token, "length:", 7) == 0)
        f->length = (long)n;
    else if (strncmp(token, "cut:", 4) == 0)
        f->cut = (long)n;
    else if (strncmp(token, "slow:", 5) == 0)
        f->slow_ms = (long)n;
    else if (strcmp(token, "half-close") == 0)
        f->half_close = true;
    else if (token[0] == 'v' || token[0] == 'b')
        buf_byte(&f->body, (uint8_t)n);
    else if (token[0] == 'u' || token[0] == 'l')
        frame_number(&f->body, n);
    else if (token[0] == 'n')
        frame_number(&f->body, UINT32_MAX);
    else if (token[0] == 'x')
        frame_hex(&f->body, value);
    else if (token[0] == 'i') {
        be64_put(p, n);
        buf_append(&f->body, p, sizeof p);
    } else if (token[0] == 't') {
        frame_number(&f->body, strlen(value));
        buf_append(&f->body, value, strlen(value));
    } else {
        for (unsigned long i = 0; i < n; i++)
            buf_byte(&f->body, 0);
    }
}

/* The signer may close before all is sent, which is an answer too. */
static void frame_send(const struct frame *f, int fd)
{
    struct buf out;
    buf_init(&out, f->body.n + 4);
    frame_number(&out, f->length >= 0 ? (unsigned long)f->length : f->body.n);
    buf_append(&out, f->body.p, f->body.n);
    size_t n = f->cut >= 0 && (size_t)f->cut < out.n ? (size_t)f->cut : out.n;
    for (size_t i = 0; i < n;) {
        ssize_t sent = send(fd, out.p + i, f->slow_ms > 0 ? 1 : n - i, MSG_NOSIGNAL);
        if (sent <= 0)
            break;
        i += (size_t)sent;
        if (f->slow_ms > 0)
            (void)poll(NULL, 0, (int)f->slow_ms);
    }
    if (f->half_close)
        shutdown(fd, SHUT_WR);
    buf_free(&out);
}

/* The whole answer until the signer closes; false where it does not in time. */
static bool answer_read(int fd, uint8_t *p, size_t most, size_t *n)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    *n = 0;
    while (*n < most) {
        if (poll(&waiting, 1, ANSWER_MS) <= 0)
            return false;
        ssize_t got = recv(fd, p + *n, most - *n, 0);
        if (got <= 0)
            return true;
        *n += (size_t)got;
    }
    return true;
}

static void answer_print(const uint8_t *p, size_t n)
{
    struct signer_reply reply;
    struct arena a;
    arena_init(&a, LIMIT_ARENA_REQUEST);
    if (n == 0)
        printf("closed\n");
    else if (n < 6 || be32_get(p) != n - 4 || (size_t)be16_get(p + 4) > n - 6 ||
             wire_decode(&signer_reply_type, BYTES(p + 6, be16_get(p + 4)), &a, &reply) != R_OK)
        printf("an answer of another form, %zu octets\n", n);
    else
        printf("%s%s%s\n", result_name(result_from_number(reply.number)), reply.detail && reply.detail[0] ? " " : "",
               reply.detail ? reply.detail : "");
    arena_free(&a);
}

static int hold(const char *path, int count)
{
    static int fds[HOLD_MOST];
    char c;
    for (int i = 0; i < count && i < HOLD_MOST; i++) {
        fds[i] = connect_to(path);
        if (i % 2 == 1)
            (void)send(fds[i], "\0\0", 2, MSG_NOSIGNAL);
    }
    printf("holding\n");
    fflush(stdout);
    while (read(0, &c, 1) > 0)
        continue;
    return 0;
}

int main(int argc, char **argv)
{
    static uint8_t answer[LIMIT_FRAME + 4];
    struct frame f = {.length = -1, .cut = -1};
    size_t n;
    if (argc < 3) {
        fprintf(stderr, "usage: signer_poke SOCKET TOKEN ... | hold COUNT\n");
        return 2;
    }
    if (strcmp(argv[2], "hold") == 0)
        return hold(argv[1], argc > 3 ? atoi(argv[3]) : 1);
    buf_init(&f.body, 2 * LIMIT_FRAME);
    for (int i = 2; i < argc; i++)
        frame_token(&f, argv[i]);
    int fd = connect_to(argv[1]);
    frame_send(&f, fd);
    if (answer_read(fd, answer, sizeof answer, &n))
        answer_print(answer, n);
    else
        printf("nothing\n");
    close(fd);
    buf_free(&f.body);
    return 0;
}
