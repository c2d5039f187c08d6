#include "lib/signer/client.h"

#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/signer/frame.h"

/* The reply's two parts: result with detail, then the verb's struct. */
static enum result client_read_reply(struct bytes body, const struct wire_type *type, struct arena *a, void *answer, const char **detail)
{
    struct signer_reply reply;
    if (body.n < 2)
        return R_BAD_FRAME;
    size_t n = be16_get(body.p);
    if (body.n - 2 < n)
        return R_BAD_FRAME;
    enum result r = wire_decode(&signer_reply_type, BYTES(body.p + 2, n), a, &reply);
    if (r != R_OK)
        return r;
    if (detail != NULL && reply.detail != NULL)
        *detail = reply.detail;
    r = result_from_number(reply.number);
    if (r != R_OK)
        return r;
    return wire_decode(type, BYTES(body.p + 2 + n, body.n - 2 - n), a, answer);
}

enum result signer_call(const char *socket, enum signer_verb verb, const void *request, int timeout_ms, struct arena *a, void *answer,
                        const char **detail)
{
    int64_t deadline = clock_monotonic_ms() + timeout_ms;
    const struct signer_verb_info *info = &signer_verbs[verb];
    struct buf out, in;
    int fd = -1;
    if (detail != NULL)
        *detail = "";
    buf_init(&out, LIMIT_FRAME);
    buf_init(&in, LIMIT_FRAME);
    buf_byte(&out, (uint8_t)verb);
    enum result r = wire_encode(info->request, request, &out);
    if (r == R_OK)
        r = buf_result(&out);
    if (r == R_OK)
        r = frame_connect(socket, deadline, &fd);
    if (r == R_OK) {
        r = frame_write(fd, buf_bytes(&out), deadline);
        if (r == R_OK) {
            r = frame_read(fd, &in, deadline);
            /* The request was with the signer: an end without an answer leaves open what it did. */
            if (r != R_OK)
                r = R_OUTCOME_UNKNOWN;
            else
                r = client_read_reply(buf_bytes(&in), info->reply, a, answer, detail);
        } else if (r == R_OUTCOME_UNKNOWN) {
            r = R_UNAVAILABLE;      /* never wholly sent, so never acted on */
        }
    }
    if (r == R_UNAVAILABLE || r == R_OUTCOME_UNKNOWN)
        log_event(LOG_LEVEL_WARNING, "signer-no-answer", LOG_TEXT("verb", info->name), LOG_TEXT("socket", socket), LOG_RESULT(r));
    if (fd >= 0)
        close(fd);
    buf_free(&out);
    buf_free(&in);
    return r;
}

bool signer_listens(const char *socket)
{
    int fd = -1;
    /* A full backlog is tried for a moment only: there is somebody, but no room for more. */
    if (frame_connect(socket, clock_monotonic_ms() + 50, &fd) != R_OK)
        return false;
    close(fd);
    return true;
}
