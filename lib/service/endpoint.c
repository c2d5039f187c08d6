#include "lib/service/endpoint.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/codec/pkey.h"

#define ARENA_LIMIT 8388608             /* bytes: certificates and encrypted keys of SCEP_GENERATIONS */
#define REFRESH_MS 1000                 /* that a request waits for the database where the endpoint is known already */
#define UNKNOWN_MOST 64                 /* ids remembered as unknown */
#define ID_SIZE 37

struct entry {
    struct endpoint endpoint;           /* first: an endpoint's address is its entry's */
    char ca[ID_SIZE];
    struct arena arena;                 /* certificates */
    int64_t read_ms;                    /* when it was last read or tried */
    int64_t due_ms;                     /* when it is to be read again */
    uint64_t used;
};

struct unknown { char ca[ID_SIZE]; uint32_t staged; int64_t until_ms; };

struct endpoints {
    struct endpoint_config config;
    struct entry *entries[ENDPOINT_MOST];
    uint32_t count;
    uint64_t uses;
    struct unknown unknown[UNKNOWN_MOST];
    uint32_t unknown_next;              /* the oldest, overwritten next */
    int64_t window_ms;                  /* when the reads of unknown ids were last counted from 0 */
    uint32_t window_reads;
    int64_t away_until_ms;              /* the database did not answer: no cold read before */
};

/* ---- one entry ---- */

static void generation_free(struct ra_generation *g)
{
    cms_key_free(g->sign);
    cms_key_free(g->encrypt);
    *g = (struct ra_generation){0};
}

static void entry_free(struct entry *e)
{
    if (!e)
        return;
    for (uint32_t i = 0; i < e->endpoint.generation_count; i++)
        generation_free(&e->endpoint.generations[i]);
    arena_free(&e->arena);
    free(e);
}

static enum result key_open(struct bytes encrypted, const char *passphrase, struct bytes certificate, struct cms_key **out)
{
    struct arena scratch;               /* wiped when it is freed */
    struct pkey *key = NULL;
    struct bytes pkcs8;

    arena_init(&scratch, 4 * LIMIT_PKCS8);
    enum result r = pkey_open(encrypted, passphrase, &key);
    if (r == R_OK)
        r = pkey_pkcs8(key, &scratch, &pkcs8);
    if (r == R_OK)
        r = cms_key_open(pkcs8, certificate, out);
    pkey_free(key);
    arena_free(&scratch);
    return r;
}

/* The first operation with a key costs twice a later one, and must not fall to a client; it also shows that the pair works. */
static enum result generation_warm(const struct ra_generation *g)
{
    static const char text[] = "warm";
    const struct cms_attributes none = {NULL, 0};
    struct arena scratch;
    struct bytes sealed, opened, signature;

    arena_init(&scratch, 262144);
    enum result r = cms_seal(bytes_of_text(text), g->encrypt_certificate, CIPHER_AES128, &scratch, &sealed);
    if (r == R_OK)
        r = cms_envelope_open(sealed, g->encrypt, &scratch, &opened);
    if (r == R_OK && !bytes_equal(opened, bytes_of_text(text)))
        r = R_BAD_KEY;
    if (r == R_OK)
        r = cms_sign(BYTES_NONE, &none, g->sign, HASH_SHA256, &g->sign_certificate, 1, &scratch, &signature);
    arena_free(&scratch);
    return r;
}

/* Takes the keys over from the entry as it was, where that has this generation with the same certificates. */
static bool generation_adopt(struct entry *before, struct ra_generation *g)
{
    for (uint32_t i = 0; before && i < before->endpoint.generation_count; i++) {
        struct ra_generation *old = &before->endpoint.generations[i];
        if (old->sign && old->number == g->number && bytes_equal(old->sign_certificate, g->sign_certificate) &&
            bytes_equal(old->encrypt_certificate, g->encrypt_certificate)) {
            g->sign = old->sign;
            g->encrypt = old->encrypt;
            old->sign = old->encrypt = NULL;        /* now of g */
            return true;
        }
    }
    return false;
}

static enum result generation_open(const struct scep_generation *row, const char *passphrase, struct ra_generation *g)
{
    enum result r = key_open(row->sign_key, passphrase, row->sign_certificate, &g->sign);

    if (r == R_OK)
        r = key_open(row->encrypt_key, passphrase, row->encrypt_certificate, &g->encrypt);
    if (r == R_OK)
        r = generation_warm(g);
    return r;
}

/* A generation whose keys do not open is left out: the others still answer. */
static enum result generations_open(struct entry *e, const struct scep_endpoint *row, const char *passphrase,
                                    struct entry *before)
{
    struct endpoint *p = &e->endpoint;

    for (uint32_t i = 0; i < row->generation_count; i++) {
        const struct scep_generation *from = &row->generations[i];
        struct ra_generation *g = &p->generations[p->generation_count];
        enum result r = R_OK;

        *g = (struct ra_generation){from->number, from->sign_certificate, from->encrypt_certificate, NULL, NULL};
        if (!generation_adopt(before, g))
            r = generation_open(from, passphrase, g);
        if (r == R_OK) {
            p->generation_count++;
        } else {
            log_event(LOG_LEVEL_ERROR, "ra-key-not-opened", LOG_TEXT("ca", e->ca), LOG_NUM("generation", from->number),
                      LOG_RESULT(r));
            generation_free(g);
        }
    }
    return p->generation_count > 0 ? R_OK : R_BAD_KEY;
}

/* One answer to GetCACert, of the first count of list. */
static enum result ca_certificates_encode(struct entry *e, const struct bytes *list, uint32_t count, struct bytes *answer)
{
    size_t size = 256;
    struct buf out;

    for (uint32_t i = 0; i < count; i++)
        size += list[i].n;
    buf_init(&out, size);
    enum result r = cms_certificates(list, count, &out);
    if (r == R_OK) {
        *answer = arena_bytes(&e->arena, buf_bytes(&out));
        r = answer->p ? R_OK : R_NO_MEMORY;
    }
    buf_free(&out);
    return r;
}

static enum result ca_certificates_make(struct entry *e, const struct scep_endpoint *row)
{
    const struct ra_generation *newest = &e->endpoint.generations[0];
    struct bytes list[3 + LIMIT_CHAIN] = {newest->encrypt_certificate, newest->sign_certificate, row->certificate};
    const uint32_t counts[CA_CHAIN_COUNT] = {[CA_CHAIN_RA] = 2, [CA_CHAIN_ISSUER] = 3, [CA_CHAIN_FULL] = 3 + row->chain_count};
    enum result r = R_OK;

    if (row->chain_count > LIMIT_CHAIN)
        return R_TOO_LARGE;
    for (uint32_t i = 0; i < row->chain_count; i++)
        list[3 + i] = row->chain[i];
    for (uint32_t i = 0; r == R_OK && i < CA_CHAIN_COUNT; i++)
        r = ca_certificates_encode(e, list, counts[i], &e->endpoint.ca_certificates[i]);
    e->endpoint.certificate = row->certificate;
    e->endpoint.chain = row->chain;
    e->endpoint.chain_count = row->chain_count;
    e->endpoint.next_version = row->next_version;
    return r;
}

/* The entry as it was goes on serving: it gets the keys back that were taken over. */
static void generations_return(struct entry *before, struct entry *e)
{
    for (uint32_t i = 0; before && i < before->endpoint.generation_count; i++)
        if (!before->endpoint.generations[i].sign)
            generation_adopt(e, &before->endpoint.generations[i]);
}

/* A new entry from the database. On success the keys that before had open are its own; before may be NULL. */
static enum result entry_read(struct endpoints *all, const char *ca, uint32_t staged, struct entry *before, struct entry **out)
{
    struct scep_endpoint row;
    struct entry *e = calloc(1, sizeof *e);

    if (!e)
        return R_NO_MEMORY;
    arena_init(&e->arena, ARENA_LIMIT);
    memcpy(e->ca, ca, sizeof e->ca);
    e->endpoint.ca = e->ca;
    e->endpoint.staged = staged;
    enum result r = all->config.read(all->config.context, ca, staged, before ? REFRESH_MS : LIMIT_DB_MS, &e->arena, &row);
    if (r == R_OK)
        r = generations_open(e, &row, all->config.ra_passphrase, before);
    if (r == R_OK)
        r = ca_certificates_make(e, &row);
    if (r != R_OK) {
        generations_return(before, e);
        entry_free(e);
        return r;
    }
    *out = e;
    return R_OK;
}

/* ---- the cache ---- */

static int64_t now_ms(const struct endpoints *all)
{
    return all->config.now_ms ? all->config.now_ms() : clock_monotonic_ms();
}

enum result endpoints_open(const struct endpoint_config *c, struct endpoints **out)
{
    struct endpoints *all = calloc(1, sizeof *all);

    if (!all)
        return R_NO_MEMORY;
    all->config = *c;
    *out = all;
    return R_OK;
}

void endpoints_close(struct endpoints *all)
{
    if (!all)
        return;
    for (uint32_t i = 0; i < all->count; i++)
        entry_free(all->entries[i]);
    free(all);
}

static struct entry *entry_lookup(struct endpoints *all, const char *ca, uint32_t staged)
{
    for (uint32_t i = 0; i < all->count; i++)
        if (all->entries[i]->endpoint.staged == staged && strcmp(all->entries[i]->ca, ca) == 0)
            return all->entries[i];
    return NULL;
}

static void entry_drop(struct endpoints *all, struct entry *e)
{
    for (uint32_t i = 0; i < all->count; i++)
        if (all->entries[i] == e) {
            all->entries[i] = all->entries[--all->count];
            break;
        }
    entry_free(e);
}

static void entry_add(struct endpoints *all, struct entry *e)
{
    struct entry *oldest = all->count > 0 ? all->entries[0] : NULL;

    for (uint32_t i = 1; i < all->count; i++)
        if (all->entries[i]->used < oldest->used)
            oldest = all->entries[i];
    if (all->count == ENDPOINT_MOST)
        entry_drop(all, oldest);
    all->entries[all->count++] = e;
}

/* Puts what was read into the entry that others point at; what was there ends. */
static void entry_replace(struct entry *e, struct entry *fresh)
{
    struct entry old = *e;

    *e = *fresh;
    e->endpoint.ca = e->ca;
    e->used = old.used;
    *fresh = old;
    entry_free(fresh);
}

/* R_NOT_FOUND where the endpoint ended (and the entry with it, if drop is set); otherwise it serves, read again or not. */
static enum result entry_refresh(struct endpoints *all, struct entry *e, int64_t now, bool drop)
{
    struct entry *fresh = NULL;
    enum result r = entry_read(all, e->ca, e->endpoint.staged, e, &fresh);

    if (r == R_OK)
        entry_replace(e, fresh);
    e->read_ms = now;
    e->due_ms = r == R_NOT_FOUND ? now : now + (r == R_OK ? ENDPOINT_FRESH_MS : ENDPOINT_AWAY_MS);
    if (r == R_NOT_FOUND && drop)
        entry_drop(all, e);
    else if (r != R_OK)
        log_event(LOG_LEVEL_WARNING, "endpoint-not-refreshed", LOG_TEXT("ca", e->ca), LOG_RESULT(r));
    return r == R_NOT_FOUND ? r : R_OK;
}

static bool is_unknown(const struct endpoints *all, const char *ca, uint32_t staged, int64_t now)
{
    for (uint32_t i = 0; i < UNKNOWN_MOST; i++)
        if (all->unknown[i].until_ms > now && all->unknown[i].staged == staged && strcmp(all->unknown[i].ca, ca) == 0)
            return true;
    return false;
}

static void unknown_add(struct endpoints *all, const char *ca, uint32_t staged, int64_t now)
{
    struct unknown *u = &all->unknown[all->unknown_next++ % UNKNOWN_MOST];

    memcpy(u->ca, ca, sizeof u->ca);
    u->staged = staged;
    u->until_ms = now + ENDPOINT_AGAIN_MS;
}

static bool read_allowed(struct endpoints *all, int64_t now)
{
    if (now < all->away_until_ms)
        return false;
    if (now - all->window_ms >= ENDPOINT_AGAIN_MS) {
        all->window_ms = now;
        all->window_reads = 0;
    }
    return all->window_reads++ < ENDPOINT_UNKNOWN_READS;
}

static enum result entry_load(struct endpoints *all, const char *ca, uint32_t staged, int64_t now, struct entry **out)
{
    struct entry *e = NULL;
    enum result r;

    if (is_unknown(all, ca, staged, now))
        return R_NOT_FOUND;
    if (!read_allowed(all, now))
        return R_UNAVAILABLE;
    r = entry_read(all, ca, staged, NULL, &e);
    if (r == R_NOT_FOUND) {
        unknown_add(all, ca, staged, now);
    } else if (r == R_OK) {
        e->read_ms = now;
        e->due_ms = now + ENDPOINT_FRESH_MS;
        entry_add(all, e);
        *out = e;
    } else if (result_is_retryable(r)) {
        /* Each request would wait for the deadline; those of the next second are told at once. */
        all->away_until_ms = now_ms(all) + ENDPOINT_AGAIN_MS;
    }
    return r;
}

enum result endpoint_find(struct endpoints *all, const char *ca, uint32_t staged, struct endpoint **out)
{
    int64_t now = now_ms(all);
    struct entry *e = entry_lookup(all, ca, staged);
    enum result r = R_OK;

    if (!e)
        r = entry_load(all, ca, staged, now, &e);
    else if (now >= e->due_ms)
        r = entry_refresh(all, e, now, true);
    if (r != R_OK)
        return r;
    e->used = ++all->uses;
    *out = &e->endpoint;
    return R_OK;
}

void endpoint_reload(struct endpoints *all, struct endpoint *endpoint)
{
    struct entry *e = (struct entry *)endpoint;
    int64_t now = now_ms(all);

    if (now - e->read_ms >= ENDPOINT_AGAIN_MS)
        (void)entry_refresh(all, e, now, false);
}

enum result endpoint_keep_next(struct endpoint *endpoint, struct bytes answer)
{
    struct entry *e = (struct entry *)endpoint;

    endpoint->next = arena_bytes(&e->arena, answer);
    return endpoint->next.p ? R_OK : R_NO_MEMORY;
}
