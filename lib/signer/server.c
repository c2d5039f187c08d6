#include "lib/signer/server.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/signer/frame.h"

#define REPLY_MS 500            /* replies fit a socket's buffer; who does not read one loses it */
#define SETTLE_MS 1             /* a caller's frame follows its connection at once: worth a moment before taking the next */

enum { PEER_ROOT = 1, PEER_SCEP = 2, PEER_PUBLISHER = 4 };

union server_request {
    struct signer_enrol enrol;
    struct signer_renew renew;
    struct signer_poll poll;
    struct signer_get_cert get_cert;
    struct signer_next_ca next_ca;
    struct signer_challenge challenge;
    struct signer_ca_create ca_create;
    struct signer_ca_upload ca_upload;
    struct signer_ca_renew ca_renew;
    struct signer_ra_renew ra_renew;
    struct signer_keys_init keys_init;
    struct signer_crl_build crl_build;
    struct signer_audit_sign audit_sign;
};
union server_answer {
    struct signer_certificate certificate;
    struct signer_next_ca_answer next_ca;
    struct signer_challenges challenges;
    struct signer_ca_created ca_created;
    struct signer_ca_renewed ca_renewed;
    struct signer_ca_uploaded ca_uploaded;
    struct signer_crl_built crl_built;
    struct signer_done done;
};

#define ADAPT(name, member, out, function) \
    static enum result name(struct worker_call *c, const union server_request *q, union server_answer *a) { return function(c, &q->member, &a->out); }
ADAPT(serve_enrol, enrol, certificate, enrol_handle)
ADAPT(serve_renew, renew, certificate, renew_handle)
ADAPT(serve_poll, poll, certificate, poll_handle)
ADAPT(serve_get_cert, get_cert, certificate, get_cert_handle)
ADAPT(serve_next_ca, next_ca, next_ca, next_ca_handle)
ADAPT(serve_challenge, challenge, challenges, challenge_handle)
ADAPT(serve_ca_create, ca_create, ca_created, authority_handle_create)
ADAPT(serve_ca_upload, ca_upload, ca_uploaded, authority_handle_upload)
ADAPT(serve_ca_renew, ca_renew, ca_renewed, authority_handle_renew)
ADAPT(serve_ra_renew, ra_renew, done, registration_handle_renew)
ADAPT(serve_keys_init, keys_init, done, keys_handle_init)
ADAPT(serve_crl_build, crl_build, crl_built, crl_build_handle)
ADAPT(serve_audit_sign, audit_sign, done, audit_sign_handle)
#undef ADAPT

/* The whole policy of who may ask what. */
static const struct {
    unsigned peers;
    enum result (*serve)(struct worker_call *, const union server_request *, union server_answer *);
} server_verbs[SIGNER_VERBS] = {
    [SIGNER_ENROL] = {PEER_SCEP, serve_enrol},
    [SIGNER_RENEW] = {PEER_SCEP, serve_renew},
    [SIGNER_POLL] = {PEER_SCEP, serve_poll},
    [SIGNER_GET_CERT] = {PEER_SCEP, serve_get_cert},
    [SIGNER_NEXT_CA] = {PEER_SCEP, serve_next_ca},
    [SIGNER_CHALLENGE] = {PEER_ROOT, serve_challenge},
    [SIGNER_CA_CREATE] = {PEER_ROOT, serve_ca_create},
    [SIGNER_CA_UPLOAD] = {PEER_ROOT, serve_ca_upload},
    [SIGNER_CA_RENEW] = {PEER_ROOT, serve_ca_renew},
    [SIGNER_RA_RENEW] = {PEER_ROOT | PEER_PUBLISHER, serve_ra_renew},
    [SIGNER_KEYS_INIT] = {PEER_ROOT, serve_keys_init},
    [SIGNER_CRL_BUILD] = {PEER_PUBLISHER, serve_crl_build},
    [SIGNER_AUDIT_SIGN] = {PEER_PUBLISHER, serve_audit_sign},
};

struct connection {
    int fd;
    unsigned peer;
    uid_t uid;
    int64_t deadline_ms;
    struct frame_reader reader;
};

struct server {
    struct worker *worker;
    int listener;
    const struct server_peers *peers;
    struct connection pending[LIMIT_SIGNER_PENDING];
    int count;
};

static void connection_close(struct connection *c)
{
    close(c->fd);
    frame_reader_free(&c->reader);
}

static void server_drop(struct server *s, int i)
{
    connection_close(&s->pending[i]);
    s->pending[i] = s->pending[--s->count];
}

static unsigned server_peer(const struct server *s, int fd, uid_t *uid)
{
    struct ucred cred;
    socklen_t n = sizeof cred;
    *uid = (uid_t)-1;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) != 0)
        return 0;
    *uid = cred.uid;
    return (cred.uid == 0 ? PEER_ROOT : 0u) | (cred.uid == s->peers->scep ? PEER_SCEP : 0u) | (cred.uid == s->peers->publisher ? PEER_PUBLISHER : 0u);
}

static enum result server_serve(struct server *s, const struct connection *c, struct worker_call *call, struct bytes body, struct buf *answer_bytes)
{
    union server_request request;
    union server_answer answer;
    unsigned verb = body.p[0];
    memset(&answer, 0, sizeof answer);
    if (verb == 0 || verb >= SIGNER_VERBS || (signer_verbs[verb].lanes & s->worker->lane) == 0 || (server_verbs[verb].peers & c->peer) == 0) {
        log_event(LOG_LEVEL_WARNING, "signer-denied", LOG_NUM("verb", verb), LOG_NUM("lane", s->worker->lane), LOG_NUM("uid", c->uid));
        return R_DENIED;
    }
    enum result r = wire_decode(signer_verbs[verb].request, BYTES(body.p + 1, body.n - 1), call->arena, &request);
    if (r != R_OK) {
        log_event(LOG_LEVEL_WARNING, "signer-bad-frame", LOG_TEXT("verb", signer_verbs[verb].name), LOG_NUM("uid", c->uid), LOG_NUM("bytes", (int64_t)body.n));
        return r;
    }
    r = server_verbs[verb].serve(call, &request, &answer);
    if (r == R_OK)
        r = wire_encode(signer_verbs[verb].reply, &answer, answer_bytes);
    return r;
}

static void server_answer(struct server *s, struct connection *c)
{
    struct arena arena;
    struct worker_call call = {.worker = s->worker, .arena = &arena, .detail = ""};
    struct buf answer, head, out;
    uint8_t length[2];
    arena_init(&arena, LIMIT_ARENA_REQUEST);
    buf_init(&answer, LIMIT_FRAME);
    buf_init(&head, LIMIT_DETAIL + 64);
    buf_init(&out, LIMIT_FRAME);
    enum result r = server_serve(s, c, &call, buf_bytes(&c->reader.body), &answer);
    const char *detail = arena_text(&arena, call.detail, strnlen(call.detail, LIMIT_DETAIL - 1));
    struct signer_reply reply = {(uint32_t)r, detail};
    if (wire_encode(&signer_reply_type, &reply, &head) != R_OK) {
        /* A detail cut inside a character is no text: the result alone goes out. */
        buf_reset(&head);
        reply.detail = NULL;
        (void)wire_encode(&signer_reply_type, &reply, &head);
    }
    be16_put(length, (uint16_t)head.n);
    buf_append(&out, length, sizeof length);
    buf_append(&out, head.p, head.n);
    if (r == R_OK)
        buf_append(&out, answer.p, answer.n);
    if (buf_result(&out) == R_OK)
        (void)frame_write(c->fd, buf_bytes(&out), clock_monotonic_ms() + REPLY_MS);
    buf_free(&answer);
    buf_free(&head);
    buf_free(&out);
    arena_free(&arena);
}

/* Reads what has come; serves and closes where the frame is complete. */
static void server_step(struct server *s, int i)
{
    struct connection *c = &s->pending[i];
    bool complete = false;
    enum result r = frame_reader_step(&c->reader, c->fd, &complete);
    if (r == R_OK && !complete)
        return;
    if (r == R_OK)
        server_answer(s, c);
    else if (r == R_BAD_FRAME)
        log_event(LOG_LEVEL_WARNING, "signer-bad-frame", LOG_NUM("uid", c->uid), LOG_NUM("length", be32_get(c->reader.header)));
    server_drop(s, i);
}

/* Everybody who has a verb in this lane. */
static unsigned server_lane_peers(enum signer_lane lane)
{
    unsigned peers = 0;
    for (int v = 1; v < SIGNER_VERBS; v++)
        if (signer_verbs[v].lanes & lane)
            peers |= server_verbs[v].peers;
    return peers;
}

static void server_accept(struct server *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;                  /* another worker was quicker */
    uid_t uid;
    unsigned peer = server_peer(s, fd, &uid);
    if ((peer & server_lane_peers(s->worker->lane)) == 0) {
        /* Nobody who may say anything here, so no place for them either. */
        log_event(LOG_LEVEL_WARNING, "signer-denied", LOG_NUM("lane", s->worker->lane), LOG_NUM("uid", uid));
        close(fd);
        return;
    }
    if (s->count == LIMIT_SIGNER_PENDING) {
        int oldest = 0;
        for (int i = 1; i < s->count; i++)
            if (s->pending[i].deadline_ms < s->pending[oldest].deadline_ms)
                oldest = i;
        server_drop(s, oldest);
    }
    struct connection *c = &s->pending[s->count++];
    memset(c, 0, sizeof *c);
    c->fd = fd;
    c->peer = peer;
    c->uid = uid;
    c->deadline_ms = clock_monotonic_ms() + LIMIT_FRAME_READ_MS;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, SETTLE_MS) > 0)
        server_step(s, s->count - 1);
}

static int server_expire(struct server *s)
{
    int wait = 1000;
    for (int i = s->count - 1; i >= 0; i--) {
        int left = clock_left_ms(s->pending[i].deadline_ms);
        if (left == 0)
            server_drop(s, i);
        else if (left < wait)
            wait = left;
    }
    return wait;
}

enum result server_run(struct worker *w, int listener, const struct server_peers *peers, const volatile sig_atomic_t *stop)
{
    struct server s = {.worker = w, .listener = listener, .peers = peers};
    enum result r = R_OK;
    while (!*stop && r == R_OK) {
        struct pollfd p[LIMIT_SIGNER_PENDING + 1];
        int wait = server_expire(&s);
        p[0] = (struct pollfd){.fd = listener, .events = POLLIN};
        for (int i = 0; i < s.count; i++)
            p[i + 1] = (struct pollfd){.fd = s.pending[i].fd, .events = POLLIN};
        int n = poll(p, (nfds_t)s.count + 1, wait);
        if (n < 0 && errno != EINTR)
            r = R_IO;
        if (n <= 0)
            continue;
        /* From the end: a served connection's place is taken by the last one, which has been looked at. */
        for (int i = s.count - 1; i >= 0; i--)
            if (p[i + 1].revents != 0)
                server_step(&s, i);
        if (p[0].revents & POLLIN)
            server_accept(&s);
        else if (p[0].revents != 0)
            r = R_IO;
    }
    while (s.count > 0)
        server_drop(&s, s.count - 1);
    return r;
}
