#include "lib/policy/byoca_path.h"

#include <stdlib.h>
#include <string.h>

#define EC_BITS_MIN 256
#define STEPS_MOST 1024              /* certificates tried on all ways together: a bag made to confuse keeps nobody busy */

struct search {
    const struct certificate *bag[LIMIT_UPLOAD_CERTIFICATES];
    uint32_t count;
    bool root[LIMIT_UPLOAD_CERTIFICATES];            /* self-signed, verified */
    byoca_path_take *take;
    void *context;
    struct arena *a;
    struct byoca_chain path;
    uint32_t steps, complete;
    uint32_t deepest;                                /* of the way that missing is about */
    struct verdict missing;
};

const char *byoca_key_fault(const struct public_key *k, struct arena *a)
{
    if (k->kind == KEY_RSA && (k->size < LIMIT_RSA_BITS_MIN || k->size > LIMIT_RSA_BITS_MAX))
        return arena_printf(a, "RSA of %u bits", k->size);
    if (k->kind == KEY_RSA && !k->exponent_ok)
        return "RSA with another exponent";
    if (k->kind == KEY_EC && k->size < EC_BITS_MIN)
        return k->size == 0 ? "EC on another curve" : arena_printf(a, "EC of %u bits", k->size);
    return k->kind == KEY_OTHER ? "another algorithm" : NULL;
}

static bool key_ids_agree(struct bytes authority, struct bytes subject)
{
    return authority.n == 0 || subject.n == 0 || bytes_equal(authority, subject);
}

static bool hash_is_strong(uint32_t hash)
{
    return hash == HASH_SHA256 || hash == HASH_SHA384 || hash == HASH_SHA512;
}

/* What is missing at the end of the way so far; the longest way's word counts. */
static void missing(struct search *s, const char *rule, const char *found, const char *wanted)
{
    if (s->path.count < s->deepest || (s->path.count == s->deepest && s->missing.result != R_OK))
        return;
    s->deepest = s->path.count;
    verdict_refuse(&s->missing, s->a, R_BAD_INPUT, rule, found, wanted);
}

static const char *subject_of(const struct search *s, const struct certificate *c) { return name_text(&c->subject_name, s->a); }

/* Nothing of the bag signed the last of the way: by name, by key, or by signature. */
static void missing_issuer(struct search *s, const struct certificate *c, uint32_t named, bool circle)
{
    const char *issuer = name_text(&c->issuer_name, s->a), *subject = subject_of(s, c);
    bool self_issued = bytes_equal(c->issuer, c->subject), root = self_issued && named == 0;
    if (root && (hash_is_strong(c->hash) || c->hash == HASH_SHA1))
        missing(s, "signature", arena_printf(s->a, "a signature of \"%s\" that its own key does not verify", subject),
                "a root that signed itself");
    else if (!hash_is_strong(c->hash))
        missing(s, "signature_hash",
                arena_printf(s->a, "%s in the certificate of \"%s\"",
                             c->hash == HASH_OTHER ? "another algorithm" : hash_name(c->hash), subject),
                "RSA PKCS#1 v1.5 or ECDSA with SHA-256, SHA-384 or SHA-512 (SHA-1 for the root alone)");
    else if (named > 0)
        missing(s, "signature",
                arena_printf(s->a, "a signature of \"%s\" that no key of \"%s\" in the files verifies", subject, issuer),
                "the certificate of the CA that signed it");
    else if (circle && !self_issued)
        missing(s, "chain", arena_printf(s->a, "a circle: \"%s\" above \"%s\" again", issuer, subject),
                "a chain that ends in a self-signed root");
    else
        missing(s, "chain", arena_printf(s->a, "no certificate of \"%s\", which issued \"%s\"", issuer, subject),
                "every CA up to the self-signed root");
}

/* The same name with the same key a second time leads nowhere. */
static bool on_path(const struct search *s, const struct certificate *c)
{
    for (uint32_t i = 0; i < s->path.count; i++)
        if (bytes_equal(s->path.items[i]->subject, c->subject) && bytes_equal(s->path.items[i]->key.spki, c->key.spki))
            return true;
    return false;
}

static bool step(struct search *s);

static bool step_to(struct search *s, uint32_t i)
{
    s->path.items[s->path.count++] = s->bag[i];
    bool taken = false;
    if (s->root[i]) {
        s->complete++;
        taken = s->take(s->context, &s->path);
    } else {
        taken = step(s);
    }
    if (!taken)
        s->path.count--;
    return taken;
}

/* Goes up from the last of the way, depth first. */
static bool step(struct search *s)
{
    const struct certificate *c = s->path.items[s->path.count - 1];
    uint32_t named = 0, signers = 0;
    bool circle = false;
    if (s->path.count > LIMIT_CHAIN) {
        missing(s, "chain",
                arena_printf(s->a, "more than %d certificates above \"%s\"", LIMIT_CHAIN, subject_of(s, s->path.items[0])),
                "at most 16");
        return false;
    }
    for (uint32_t i = 0; i < s->count; i++) {
        if (!bytes_equal(c->issuer, s->bag[i]->subject))
            continue;
        if (on_path(s, s->bag[i])) {
            circle = true;
            continue;
        }
        named++;
        if (!key_ids_agree(c->aki, s->bag[i]->ski))
            continue;
        /* A key beyond the limits is no key to verify with. */
        const char *fault = byoca_key_fault(&s->bag[i]->key, s->a);
        if (fault != NULL) {
            missing(s, "key", arena_printf(s->a, "%s in the certificate of \"%s\"", fault, subject_of(s, s->bag[i])),
                    BYOCA_KEY_WANTED);
            continue;
        }
        if (++s->steps > STEPS_MOST)
            return false;
        if (!hash_is_strong(c->hash) || certificate_verify(c->der, s->bag[i]->key.spki) != R_OK)
            continue;
        signers++;
        if (step_to(s, i))
            return true;
    }
    if (signers == 0)
        missing_issuer(s, c, named, circle);
    return false;
}

/* An order that is the same whatever the files' was: roots first, later ends first, then by the bytes. */
static int compare(const void *x, const void *y)
{
    const struct certificate *a = *(const struct certificate *const *)x, *b = *(const struct certificate *const *)y;
    bool root_a = bytes_equal(a->issuer, a->subject), root_b = bytes_equal(b->issuer, b->subject);
    if (root_a != root_b)
        return root_a ? -1 : 1;
    if (a->not_after != b->not_after)
        return a->not_after > b->not_after ? -1 : 1;
    if (a->der.n != b->der.n)
        return a->der.n < b->der.n ? -1 : 1;
    return memcmp(a->der.p, b->der.p, a->der.n);
}

static void bag_fill(struct search *s, const struct certificate *bag, uint32_t count)
{
    const struct certificate *sorted[LIMIT_UPLOAD_CERTIFICATES];
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = &bag[i];
    qsort(sorted, count, sizeof sorted[0], compare);
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || !bytes_equal(sorted[i]->der, sorted[i - 1]->der))
            s->bag[s->count++] = sorted[i];
    for (uint32_t i = 0; i < s->count; i++)
        s->root[i] = bytes_equal(s->bag[i]->issuer, s->bag[i]->subject) && key_ids_agree(s->bag[i]->aki, s->bag[i]->ski)
                     && certificate_verify_self(s->bag[i]) == R_OK;
}

enum result byoca_path_find(const struct certificate *made, const struct certificate *bag, uint32_t count, byoca_path_take *take,
                            void *context, struct arena *a, struct byoca_chain *out, struct verdict *v)
{
    struct search s = {.take = take, .context = context, .a = a, .path = {{made}, 1}};
    if (count > LIMIT_UPLOAD_CERTIFICATES)
        return verdict_refuse(v, a, R_BAD_INPUT, "chain", arena_printf(a, "%u certificates", count), "at most 64");
    bag_fill(&s, bag, count);
    if (step(&s)) {
        *out = s.path;
        return R_OK;
    }
    if (s.steps > STEPS_MOST)
        return verdict_refuse(v, a, R_BAD_INPUT, "chain", "too many ways from one certificate to another",
                              "the certificates of one chain");
    if (s.complete == 0)
        *v = s.missing;
    return v->result;
}
