#include "lib/store/audit_chain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/codec/pkey.h"

#define CANONICAL_MOST 262144        /* bytes: details have 65,536 at most */

void audit_chain_init(struct audit_chain *c)
{
    memset(c, 0, sizeof *c);
    buf_init(&c->hashes, AUDIT_BATCH_MOST * AUDIT_HEAD + 256);
}

void audit_chain_free(struct audit_chain *c) { buf_free(&c->hashes); }

static enum result broken(struct audit_chain *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static enum result broken(struct audit_chain *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(c->fault, sizeof c->fault, fmt, args);
    va_end(args);
    return R_AUDIT_BROKEN;
}

static void put_be64(struct buf *b, int64_t v)
{
    uint8_t octets[8];
    be64_put(octets, (uint64_t)v);
    buf_append(b, octets, sizeof octets);
}

/* ---- entries ---- */

static void part_put(struct buf *b, const char *s)
{
    uint8_t size[4];
    be32_put(size, (uint32_t)strlen(s));
    buf_append(b, size, sizeof size);
    buf_text(b, s);
}

static void part_put_number(struct buf *b, int64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)n);
    part_put(b, text);
}

static enum result entry_hash(const struct audit_entry *e, uint8_t out[AUDIT_HEAD])
{
    const int64_t numbers[] = {e->audit_id, e->at_us, e->tenant};
    const char *const texts[] = {e->actor, e->activity, e->object_id, e->object_name, e->details};
    struct buf b;
    buf_init(&b, CANONICAL_MOST);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        part_put_number(&b, numbers[i]);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        part_put(&b, texts[i] != NULL ? texts[i] : "");
    enum result r = buf_result(&b);
    if (r == R_OK)
        digest_sha256(buf_bytes(&b), out);
    buf_free(&b);
    return r;
}

enum result audit_chain_entry(struct audit_chain *c, const struct audit_entry *e)
{
    uint8_t hash[AUDIT_HEAD];
    int64_t wanted = c->entries + 1;
    if (e->seq != wanted)
        return broken(c, "entry %lld is missing: its number is gone", (long long)wanted);
    if (!e->present)
        return broken(c, "entry %lld is missing: audit id %lld is gone", (long long)e->seq, (long long)e->audit_id);
    if (entry_hash(e, hash) != R_OK || !bytes_equal(BYTES(hash, AUDIT_HEAD), e->hash))
        return broken(c, "entry %lld (audit id %lld) was changed", (long long)e->seq, (long long)e->audit_id);
    if (e->seq > c->open.last)
        return broken(c, "entry %lld stands behind the end of batch %lld", (long long)e->seq, (long long)c->open.batch);
    buf_append(&c->hashes, hash, sizeof hash);
    c->entries++;
    return R_OK;
}

/* ---- batches ---- */

enum result audit_chain_batch(struct audit_chain *c, const struct audit_batch *b)
{
    int64_t wanted = c->batches + 1;
    if (b->batch != wanted)
        return broken(c, "batch %lld is missing", (long long)wanted);
    if (b->first != c->entries + 1)
        return broken(c, "batch %lld begins with entry %lld, wanted %lld", (long long)b->batch, (long long)b->first,
                      (long long)(c->entries + 1));
    if (b->last < b->first || b->last - b->first >= AUDIT_BATCH_MOST || b->head.n != AUDIT_HEAD)
        return broken(c, "batch %lld has an impossible extent", (long long)b->batch);
    c->open = *b;
    buf_reset(&c->hashes);
    buf_text(&c->hashes, "chancery audit 1");
    if (c->batches > 0)
        buf_append(&c->hashes, c->head, sizeof c->head);
    put_be64(&c->hashes, b->batch);
    put_be64(&c->hashes, b->first);
    put_be64(&c->hashes, b->last);
    return R_OK;
}

static enum result signature_check(const struct audit_keys *keys, int64_t batch, int64_t last, struct bytes head,
                                   struct bytes signature)
{
    enum result r = R_SIGNATURE_FAILED;
    struct buf data;
    buf_init(&data, 128);
    buf_text(&data, "chancery audit head 1");
    put_be64(&data, batch);
    put_be64(&data, last);
    buf_append(&data, head.p, head.n);
    for (uint32_t i = 0; r != R_OK && buf_result(&data) == R_OK && i < keys->count; i++)
        r = pkey_verify(keys->items[i], HASH_SHA256, buf_bytes(&data), signature);
    buf_free(&data);
    return r;
}

enum result audit_chain_close(struct audit_chain *c, const struct audit_keys *keys)
{
    const struct audit_batch *b = &c->open;
    if (c->entries != b->last)
        return broken(c, "entry %lld is missing: its number is gone", (long long)(c->entries + 1));
    if (buf_result(&c->hashes) != R_OK)
        return R_TOO_LARGE;
    digest_sha256(buf_bytes(&c->hashes), c->head);
    if (!bytes_equal(BYTES(c->head, AUDIT_HEAD), b->head))
        return broken(c, "batch %lld (entries %lld to %lld) has another head than its entries give", (long long)b->batch,
                      (long long)b->first, (long long)b->last);
    if (b->signature.p != NULL && signature_check(keys, b->batch, b->last, b->head, b->signature) != R_OK)
        return broken(c, "batch %lld (entries %lld to %lld): the signature of its head is wrong", (long long)b->batch,
                      (long long)b->first, (long long)b->last);
    c->batches++;
    return R_OK;
}

/* ---- a head kept elsewhere ---- */

static enum result hex_part(const char *s, size_t n, uint8_t *out, size_t *size)
{
    char text[2 * sizeof ((struct audit_kept *)NULL)->signature + 1];
    if (n >= sizeof text)
        return R_BAD_INPUT;
    memcpy(text, s, n);
    text[n] = '\0';
    return hex_decode(text, out, size);
}

enum result audit_kept_read(const char *text, struct audit_kept *out)
{
    char number[20];
    const char *first = strchr(text, ':'), *second = first != NULL ? strchr(first + 1, ':') : NULL;
    size_t digits = first != NULL ? (size_t)(first - text) : 0, head = AUDIT_HEAD;
    out->signature_size = sizeof out->signature;
    if (second == NULL || digits == 0 || digits >= sizeof number)
        return R_BAD_INPUT;
    memcpy(number, text, digits);
    number[digits] = '\0';
    enum result r = text_to_number(number, 1, INT64_MAX, &out->batch);
    if (r == R_OK)
        r = hex_part(first + 1, (size_t)(second - first - 1), out->head, &head);
    if (r == R_OK)
        r = hex_part(second + 1, strlen(second + 1), out->signature, &out->signature_size);
    return r == R_OK && head == AUDIT_HEAD && out->signature_size > 0 ? R_OK : R_BAD_INPUT;
}

enum result audit_kept_check(const struct audit_kept *k, const struct audit_batch *b, const struct audit_keys *keys,
                             const char **why)
{
    *why = NULL;
    if (!bytes_equal(BYTES(k->head, AUDIT_HEAD), b->head))
        *why = "it is another head than the one kept: the log was rewritten";
    else if (signature_check(keys, b->batch, b->last, b->head, BYTES(k->signature, k->signature_size)) != R_OK)
        *why = "the kept signature does not verify";
    return *why == NULL ? R_OK : R_AUDIT_BROKEN;
}
