/* A CRL of any size: the revocations of one snapshot are encoded into a spool file, whose length known the whole is streamed into pieces in the database. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/codec/crl.h"
#include "lib/signer/worker.h"
#include "lib/store/authority.h"

#define CRL_VALIDITY_SECONDS (7 * 86400)
#define SPOOL_BUFFER 65536

struct build {
    struct worker_call *call;
    const struct signer_crl_build *q;
    struct authority_crl head;
    const struct keyring_ca *ca;
    int spool;
    struct buf entries;              /* not yet in the spool */
    size_t entries_size;
    int64_t count;
    /* the second pass */
    struct key_signing *signing;
    struct digest_stream *digest;
    struct buf piece;
    uint32_t pieces;
    int64_t size;
};

static enum result spool_fault(const char *what)
{
    log_event(LOG_LEVEL_ERROR, "crl-spool", LOG_TEXT("operation", what), LOG_TEXT("error", strerror(errno)));
    return R_IO;
}

static enum result spool_flush(struct build *b)
{
    const uint8_t *p = b->entries.p;
    size_t left = b->entries.n;
    while (left > 0) {
        ssize_t n = write(b->spool, p, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return spool_fault("write");
        p += n;
        left -= (size_t)n;
    }
    b->entries_size += b->entries.n;
    buf_reset(&b->entries);
    return R_OK;
}

static enum result build_entry(void *context, struct bytes serial, int64_t revoked_at, int reason, int64_t invalidity_date)
{
    struct build *b = context;
    crl_entry_encode(&(struct crl_entry){serial, revoked_at, reason, invalidity_date}, &b->entries);
    b->count++;
    if (b->entries.failed)
        return buf_result(&b->entries);
    return b->entries.n >= SPOOL_BUFFER ? spool_flush(b) : R_OK;
}

static enum result piece_flush(struct build *b)
{
    if (b->piece.n == 0)
        return R_OK;
    enum result r = authority_crl_piece(b->call->worker->db, b->q->ca_version, b->q->shard, b->head.number, b->pieces, buf_bytes(&b->piece));
    b->pieces++;
    buf_reset(&b->piece);
    return r;
}

/* The next bytes of the CRL: into the digest, the pieces, and, where they are of the TBSCertList, the signature. */
static enum result build_put(struct build *b, struct bytes data, bool signed_part)
{
    enum result r = signed_part ? key_sign_update(b->signing, data.p, data.n) : R_OK;
    if (r == R_OK)
        r = digest_update(b->digest, data.p, data.n);
    b->size += (int64_t)data.n;
    while (r == R_OK && data.n > 0) {
        size_t room = LIMIT_CRL_PIECE - b->piece.n;
        size_t n = data.n < room ? data.n : room;
        buf_append(&b->piece, data.p, n);
        data = BYTES(data.p + n, data.n - n);
        r = buf_result(&b->piece);
        if (r == R_OK && b->piece.n == LIMIT_CRL_PIECE)
            r = piece_flush(b);
    }
    return r;
}

static enum result build_put_spool(struct build *b)
{
    uint8_t chunk[SPOOL_BUFFER];
    enum result r = lseek(b->spool, 0, SEEK_SET) == 0 ? R_OK : spool_fault("seek");
    for (size_t left = b->entries_size; r == R_OK && left > 0;) {
        ssize_t n = read(b->spool, chunk, left < sizeof chunk ? left : sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return spool_fault("read");
        left -= (size_t)n;
        r = build_put(b, BYTES(chunk, (size_t)n), true);
    }
    return r;
}

/* First pass: everything that must be on the list, in the snapshot of this transaction. */
static enum result build_collect(struct build *b)
{
    struct worker *w = b->call->worker;
    enum result r = authority_crl_begin(w->db, b->q->ca_version, b->q->shard, CRL_VALIDITY_SECONDS, b->call->arena, &b->head);
    if (r == R_OK)
        r = worker_check_clock(b->head.this_update);
    if (r == R_OK)
        r = authority_crl_entries(w->db, b->q->ca_version, b->q->shard, b->head.drop_before, build_entry, b);
    return r == R_OK ? spool_flush(b) : r;
}

static enum result build_write(struct build *b, int64_t started_ms)
{
    struct arena *a = b->call->arena;
    const struct certificate *ca = &b->ca->chain[0];
    struct crl_content c = {.hash = b->ca->hash, .issuer = ca->subject, .this_update = b->head.this_update, .next_update = b->head.next_update,
        .number = b->head.number, .aki = ca->ski};
    struct bytes algorithm = hash_rsa_algorithm(b->ca->hash), signature = BYTES_NONE;
    struct buf wrap, head, tail;
    uint8_t sha256[32];
    enum result r = R_OK;
    buf_init(&wrap, 4096);
    buf_init(&head, LIMIT_NAME_DER * 2);
    buf_init(&tail, 4096);
    if (b->head.shards > 0) {
        c.idp_url = arena_printf(a, "%s/%u.crl", b->head.url, b->q->shard);
        r = c.idp_url == NULL ? R_NO_MEMORY : R_OK;
    }
    if (r == R_OK)
        r = crl_head(&c, b->entries_size, &head, &tail);
    if (r == R_OK)
        r = key_sign_begin(b->ca->key, b->ca->hash, &b->signing);
    if (r == R_OK)
        r = digest_sha256_begin(&b->digest);
    if (r == R_OK) {
        crl_wrap_head(head.n + b->entries_size + tail.n, algorithm, key_signature_size(b->ca->key), &wrap);
        r = build_put(b, buf_bytes(&wrap), false);
    }
    if (r == R_OK)
        r = build_put(b, buf_bytes(&head), true);
    if (r == R_OK)
        r = build_put_spool(b);
    if (r == R_OK)
        r = build_put(b, buf_bytes(&tail), true);
    if (r == R_OK) {
        r = key_sign_end(b->signing, a, &signature);
        b->signing = NULL;
    }
    if (r == R_OK) {
        buf_reset(&wrap);
        crl_wrap_tail(algorithm, signature, &wrap);
        r = build_put(b, buf_bytes(&wrap), false);
    }
    if (r == R_OK)
        r = piece_flush(b);
    if (r == R_OK)
        r = digest_sha256_end(b->digest, sha256);
    if (r == R_OK)
        r = authority_crl_finish(b->call->worker->db, b->q->ca_version, b->q->shard, &b->head, b->count, b->size, sha256, b->pieces,
                                 clock_monotonic_ms() - started_ms);
    buf_free(&wrap);
    buf_free(&head);
    buf_free(&tail);
    return r;
}

enum result crl_build_handle(struct worker_call *c, const struct signer_crl_build *q, struct signer_crl_built *out)
{
    struct worker *w = c->worker;
    struct build b = {.call = c, .q = q, .spool = -1};
    int64_t started = clock_monotonic_ms();
    buf_init(&b.entries, SPOOL_BUFFER + 4096);
    buf_init(&b.piece, LIMIT_CRL_PIECE);
    b.spool = open(w->spool_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    enum result r = b.spool < 0 ? spool_fault("open") : db_begin(w->db, true, LIMIT_DB_MS);
    if (r == R_OK)
        r = build_collect(&b);
    if (r == R_OK)
        r = keyring_ca(&w->keyring, w->db, b.head.tenant, q->ca_version, &b.ca);
    if (r == R_OK)
        r = build_write(&b, started);
    if (r == R_OK)
        r = db_commit(w->db, LIMIT_DB_BULK_MS);
    if (r == R_OK) {
        log_event(LOG_LEVEL_INFO, "crl-built", LOG_TEXT("ca", b.ca->row.uuid), LOG_NUM("shard", q->shard), LOG_NUM("number", b.head.number),
                  LOG_NUM("entries", b.count), LOG_NUM("bytes", b.size), LOG_NUM("ms", clock_monotonic_ms() - started));
        *out = (struct signer_crl_built){b.head.number, b.count, b.size};
    } else {
        worker_detail_db(c);
        log_event(LOG_LEVEL_WARNING, "crl-not-built", LOG_NUM("ca_version", q->ca_version), LOG_NUM("shard", q->shard), LOG_RESULT(r), LOG_TEXT("detail", c->detail));
        db_rollback(w->db);
    }
    key_sign_cancel(b.signing);
    digest_stream_free(b.digest);
    buf_free(&b.entries);
    buf_free(&b.piece);
    if (b.spool >= 0)
        close(b.spool);
    return r;
}
