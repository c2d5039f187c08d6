#include "lib/signer/worker.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/codec/pkey.h"

#define DETAIL_VALUE 400             /* bytes of each of the two values */

/* What is cut inside a character is no text: neither the database nor who asked would take it. */
void worker_detail(struct worker_call *c, const struct verdict *v)
{
    const char *found = v->found ? v->found : "none", *wanted = v->wanted ? v->wanted : "another";
    const char *text = arena_printf(c->arena, "%s: found %.*s, wanted %.*s", v->field ? v->field : "request", (int)text_cut(found, DETAIL_VALUE),
                                    found, (int)text_cut(wanted, DETAIL_VALUE), wanted);
    if (text != NULL)
        c->detail = text;
}

void worker_detail_db(struct worker_call *c)
{
    const char *d = db_detail(c->worker->db);
    size_t n = text_cut(d, LIMIT_DETAIL - 1);
    const char *text = n > 0 ? arena_text(c->arena, d, n) : NULL;
    if (text != NULL)
        c->detail = text;
}

enum result worker_check_clock(int64_t database_now)
{
    int64_t difference = database_now - clock_wall();
    if (difference <= LIMIT_CLOCK_SECONDS && difference >= -LIMIT_CLOCK_SECONDS)
        return R_OK;
    log_event(LOG_LEVEL_ERROR, "clock-differs", LOG_NUM("seconds", difference), LOG_NUM("limit", LIMIT_CLOCK_SECONDS));
    return R_CLOCK;
}

enum result serial_make(int64_t not_after, uint8_t out[SERIAL_SIZE])
{
    out[0] = 0x10;
    be16_put(out + 1, clock_month_number(not_after));
    return random_bytes(out + 3, SERIAL_SIZE - 3);
}

static enum result certificate_wrap(struct bytes tbs, uint32_t hash, struct bytes signature, struct arena *a, struct certificate *out)
{
    struct buf whole;
    buf_init(&whole, LIMIT_CERTIFICATE);
    signed_wrap(tbs, hash_rsa_algorithm(hash), signature, &whole);
    enum result r = buf_result(&whole);
    if (r == R_OK)
        r = certificate_decode(buf_bytes(&whole), a, out);
    buf_free(&whole);
    return r;
}

enum result certificate_prepare(const struct certificate_content *content, const struct key *issuer, struct arena *a, struct certificate *out)
{
    struct buf tbs;
    size_t size = key_signature_size(issuer);
    uint8_t *zeros = arena_alloc(a, size);
    if (zeros == NULL)
        return R_NO_MEMORY;
    buf_init(&tbs, LIMIT_CERTIFICATE);
    enum result r = certificate_encode_tbs(content, &tbs);
    if (r == R_OK)
        r = certificate_wrap(buf_bytes(&tbs), content->hash, BYTES(zeros, size), a, out);
    buf_free(&tbs);
    return r;
}

enum result certificate_sign(const struct key *issuer, struct arena *a, struct certificate *made)
{
    struct bytes signature, judged = made->tbs;
    enum result r = key_sign(issuer, made->hash, judged, a, &signature);
    if (r == R_OK)
        r = certificate_wrap(judged, made->hash, signature, a, made);
    return r;
}
