/* A frame on the signer's socket, which comes in two parts: the first octet of the input says where it is cut. */
#include "tests/fuzz/fuzz.h"

#include <sys/socket.h>

#include "lib/signer/frame.h"

/* What must come of these bytes, from the form alone. */
static enum result expected(struct bytes sent, size_t *length)
{
    *length = sent.n >= 4 ? be32_get(sent.p) : 0;
    if (sent.n >= 4 && (*length == 0 || *length > LIMIT_FRAME))
        return R_BAD_FRAME;
    return sent.n >= 4 && sent.n - 4 >= *length ? R_OK : R_UNAVAILABLE;
}

FUZZ_TARGET(frame)
{
    struct frame_reader reader = {.have = 0};
    bool complete = false;
    size_t length;
    int ends[2];

    if (size < 1 || size > 65536)
        return 0;
    struct bytes sent = BYTES(data + 1, size - 1);
    size_t cut = data[0] < sent.n ? data[0] : sent.n;
    FUZZ_MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    FUZZ_MUST(write(ends[0], sent.p, cut) == (ssize_t)cut);
    enum result r = cut > 0 ? frame_reader_step(&reader, ends[1], &complete) : R_OK;
    if (r == R_OK && !complete) {
        FUZZ_MUST(write(ends[0], sent.p + cut, sent.n - cut) == (ssize_t)(sent.n - cut));
        close(ends[0]);
        ends[0] = -1;
        r = frame_reader_step(&reader, ends[1], &complete);
    }
    FUZZ_MUST(r == expected(sent, &length) && complete == (r == R_OK));
    if (complete)
        FUZZ_MUST(reader.body.n == length && memcmp(reader.body.p, sent.p + 4, length) == 0);
    frame_reader_free(&reader);
    if (ends[0] >= 0)
        close(ends[0]);
    close(ends[1]);
    return 0;
}
