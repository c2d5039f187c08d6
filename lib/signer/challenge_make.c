/* Challenges for the deliveries of a profile: the subject is computed as it will be at enrolment, so that what cannot work is said now. */
#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/codec/pkey.h"
#include "lib/signer/worker.h"

#define REPLY_MOST (LIMIT_FRAME - 65536)         /* a single row is far smaller than what is kept free */

static enum result challenge_seal(const struct keyring_challenge_key *key, const struct challenge *c, struct arena *a, const char **text)
{
    uint8_t plain[CHALLENGE_PLAIN], header[CHALLENGE_HEADER] = {CHALLENGE_VERSION};
    struct buf token;
    char *out = arena_alloc(a, base64_size(CHALLENGE_SIZE));
    if (out == NULL)
        return R_NO_MEMORY;
    be16_put(header + 1, key->generation);
    challenge_pack(c, plain);
    buf_init(&token, CHALLENGE_SIZE);
    buf_append(&token, header, sizeof header);
    enum result r = gcm_seal(key->key, BYTES(header, sizeof header), BYTES(plain, sizeof plain), &token);
    if (r == R_OK)
        r = buf_result(&token);
    if (r == R_OK) {
        base64_encode(out, token.p, token.n);
        *text = out;
    }
    buf_free(&token);
    return r;
}

/* One delivery: a challenge, or why there can be none. */
static enum result challenge_target(struct worker_call *c, const struct keyring_challenge_key *key, uint32_t tenant, const struct issuing_target *t,
                                    struct signer_challenge_row *row)
{
    struct verdict v = {0};
    struct name subject;
    struct sans sans;
    enum result r = subject_expand(t->subject_format, t->for_user, &t->attributes, c->arena, &subject, &v);
    if (r == R_OK)
        r = sans_expand(&t->san_formats, t->for_user, &t->attributes, c->arena, &sans, &v);
    row->device = t->device;
    row->device_name = t->device_name;
    if (r == R_BAD_INPUT) {
        row->missing = arena_printf(c->arena, "%s: found %.200s, wanted %.200s", v.field, v.found ? v.found : "none", v.wanted ? v.wanted : "a value");
        return row->missing == NULL ? R_NO_MEMORY : R_OK;
    }
    if (r != R_OK)
        return r;
    row->subject = name_text(&subject, c->arena);
    struct challenge ch = {.tenant = tenant, .device = (uint64_t)t->device, .user = (uint64_t)t->user, .profile_revision = (uint64_t)t->profile_revision,
        .ca_version = t->ca_version, .id = (uint64_t)t->challenge, .expires = t->now + t->challenge_seconds};
    return row->subject == NULL ? R_NO_MEMORY : challenge_seal(key, &ch, c->arena, &row->challenge);
}

/* What a row takes of the reply, with room for lengths. */
static uint32_t row_size(const struct signer_challenge_row *row)
{
    const char *const texts[] = {row->device_name, row->subject, row->challenge, row->missing};
    size_t size = 32;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        size += texts[i] != NULL ? strlen(texts[i]) : 0;
    return (uint32_t)size;
}

enum result challenge_handle(struct worker_call *c, const struct signer_challenge *q, struct signer_challenges *out)
{
    struct worker *w = c->worker;
    const struct keyring_challenge_key *key = NULL;
    struct issuing_target *targets = NULL;
    uint32_t n = 0, made = 0;
    uint32_t limit = q->limit == 0 || q->limit > LIMIT_CHALLENGE_BATCH ? LIMIT_CHALLENGE_BATCH : q->limit;
    const char *actor = arena_printf(c->arena, "operator:%s", q->actor);
    enum result r = actor == NULL ? R_NO_MEMORY : keyring_challenge(&w->keyring, w->db, 0, &key);
    if (r == R_NOT_FOUND) {
        c->detail = "challenge key: none yet; chancery keys init makes one";
        return R_STATE;
    }
    if (r == R_OK)
        r = issuing_challenge_read(w->db, q->tenant, q->profile, q->device, q->after, limit, c->arena, &targets, &n);
    if (r != R_OK) {
        worker_detail_db(c);
        return r;
    }
    r = n > 0 ? worker_check_clock(targets[0].now) : R_OK;
    if (r != R_OK)
        return r;
    struct signer_challenge_row *rows = arena_array(c->arena, n, sizeof *rows);
    int64_t *numbers = arena_array(c->arena, n, 3 * sizeof *numbers);
    if (rows == NULL || numbers == NULL)
        return R_NO_MEMORY;
    int64_t *deliveries = numbers, *challenges = numbers + n, *expires = numbers + 2 * n;
    for (uint32_t i = 0, size = 0; r == R_OK && i < n; i++) {
        r = challenge_target(c, key, q->tenant, &targets[i], &rows[i]);
        size += row_size(&rows[i]);
        if (r == R_OK && size > REPLY_MOST) {
            n = i;               /* before anything is recorded; the caller goes on after the last device it was told of */
            break;
        }
        if (r == R_OK && rows[i].challenge != NULL) {
            deliveries[made] = targets[i].delivery;
            challenges[made] = targets[i].challenge;
            expires[made++] = targets[i].now + targets[i].challenge_seconds;
        }
    }
    if (r == R_OK && made > 0)
        r = issuing_challenge_write(w->db, q->tenant, actor, deliveries, challenges, expires, made);
    if (r != R_OK) {
        worker_detail_db(c);
        return r;
    }
    log_event(LOG_LEVEL_INFO, "challenges-made", LOG_TEXT("actor", actor), LOG_TEXT("profile", q->profile), LOG_NUM("made", made), LOG_NUM("without", n - made));
    out->rows = (struct signer_challenge_rows){rows, n};
    return R_OK;
}
