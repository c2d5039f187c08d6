#include "lib/signer/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"

/* R_OK when the descriptor is ready, R_OUTCOME_UNKNOWN when the deadline has passed. */
static enum result frame_wait(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        int left = clock_left_ms(deadline_ms);
        int n = poll(&p, 1, left);
        if (n > 0)
            return R_OK;
        if (n == 0)
            return R_OUTCOME_UNKNOWN;
        if (errno != EINTR)
            return R_IO;
    }
}

static enum result frame_send(int fd, const uint8_t *p, size_t n, int64_t deadline_ms)
{
    while (n > 0) {
        ssize_t done = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done > 0) {
            p += done;
            n -= (size_t)done;
        } else if (done < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            enum result r = frame_wait(fd, POLLOUT, deadline_ms);
            if (r != R_OK)
                return r;
        } else if (done >= 0 || errno != EINTR) {
            return R_UNAVAILABLE;
        }
    }
    return R_OK;
}

enum result frame_write(int fd, struct bytes body, int64_t deadline_ms)
{
    uint8_t header[4];
    if (body.n == 0 || body.n > LIMIT_FRAME)
        return R_TOO_LARGE;
    be32_put(header, (uint32_t)body.n);
    enum result r = frame_send(fd, header, sizeof header, deadline_ms);
    return r == R_OK ? frame_send(fd, body.p, body.n, deadline_ms) : r;
}

enum result frame_reader_step(struct frame_reader *r, int fd, bool *complete)
{
    *complete = false;
    for (;;) {
        uint8_t *to = r->header + r->have;
        size_t want = sizeof r->header - r->have;
        if (r->have == sizeof r->header) {
            want = be32_get(r->header) - r->body.n;
            /* Room grows with what has come, not with what a length claims. */
            if (want > 16384)
                want = 16384;
            to = buf_space(&r->body, want);
            if (to == NULL)
                return R_NO_MEMORY;
            r->body.n -= want;
        }
        ssize_t n = recv(fd, to, want, MSG_DONTWAIT);
        if (n == 0)
            return R_UNAVAILABLE;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? R_OK : R_UNAVAILABLE;
        if (r->have < sizeof r->header) {
            r->have += (size_t)n;
            if (r->have < sizeof r->header)
                continue;
            uint32_t length = be32_get(r->header);
            if (length == 0 || length > LIMIT_FRAME)
                return R_BAD_FRAME;
            if (r->body.limit == 0)
                buf_init(&r->body, LIMIT_FRAME + 16384);
            continue;
        }
        r->body.n += (size_t)n;
        if (r->body.n == be32_get(r->header)) {
            *complete = true;
            return R_OK;
        }
    }
}

void frame_reader_free(struct frame_reader *r)
{
    buf_free(&r->body);
    memset(r, 0, sizeof *r);
}

enum result frame_read(int fd, struct buf *body, int64_t deadline_ms)
{
    struct frame_reader reader = {0};
    bool complete = false;
    enum result r;
    do {
        r = frame_wait(fd, POLLIN, deadline_ms);
        if (r == R_OK)
            r = frame_reader_step(&reader, fd, &complete);
    } while (r == R_OK && !complete);
    if (r == R_OK) {
        buf_append(body, reader.body.p, reader.body.n);
        r = buf_result(body);
    }
    frame_reader_free(&reader);
    return r;
}

static enum result frame_address(const char *path, struct sockaddr_un *a)
{
    memset(a, 0, sizeof *a);
    a->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof a->sun_path) {
        log_event(LOG_LEVEL_ERROR, "socket-path-too-long", LOG_TEXT("path", path), LOG_NUM("limit", sizeof a->sun_path - 1));
        return R_CONFIG;
    }
    memcpy(a->sun_path, path, strlen(path));
    return R_OK;
}

enum result frame_listen(const char *path, int backlog, int *out)
{
    struct sockaddr_un a;
    struct stat st;
    enum result r = frame_address(path, &a);
    if (r != R_OK)
        return r;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return R_IO;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        (void)unlink(path);
    mode_t mask = umask(0117);
    int bound = bind(fd, (struct sockaddr *)&a, sizeof a);
    umask(mask);
    if (bound != 0 || listen(fd, backlog) != 0) {
        log_event(LOG_LEVEL_ERROR, "socket-not-opened", LOG_TEXT("path", path), LOG_TEXT("error", strerror(errno)));
        close(fd);
        return R_IO;
    }
    *out = fd;
    return R_OK;
}

enum result frame_connect(const char *path, int64_t deadline_ms, int *out)
{
    struct sockaddr_un a;
    enum result r = frame_address(path, &a);
    if (r != R_OK)
        return r;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return R_IO;
    for (;;) {
        if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) {
            *out = fd;
            return R_OK;
        }
        /* EAGAIN on a Unix socket means that the backlog is full: the signer is busy, not away. */
        if (errno != EAGAIN && errno != EINTR)
            break;
        if (clock_left_ms(deadline_ms) == 0)
            break;
        (void)poll(NULL, 0, 2);
    }
    close(fd);
    return R_UNAVAILABLE;
}
