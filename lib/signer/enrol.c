/* The signer's part of an enrolment: open the challenge, read once, decide the content, check, sign, record (DESIGN sections 2.2 to 2.4). */
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/codec/pkey.h"
#include "lib/policy/bounds.h"
#include "lib/signer/worker.h"

#define BACKDATE_SECONDS 600         /* devices whose clock is behind must accept what they just got (reference 5.52) */

struct enrolment {
    struct worker_call *call;
    const struct signer_enrol *q;
    struct challenge challenge;
    uint8_t spki_sha256[32];
    struct public_key key;
    struct issuing_facts facts;
    const struct keyring_ca *ca;
    struct name subject;
    struct sans sans;
    struct certificate made;
    uint32_t crl_shard;
};

static enum result refuse(struct enrolment *e, struct verdict *v, enum result r, const char *field, const char *found, const char *wanted)
{
    return verdict_refuse(v, e->call->arena, r, field, found, wanted);
}

static enum result enrol_open_challenge(struct enrolment *e)
{
    uint8_t token[CHALLENGE_SIZE], plain[CHALLENGE_PLAIN];
    uint16_t generation = 0;
    size_t n = sizeof plain;
    const struct keyring_challenge_key *key = NULL;
    if (e->q->challenge == NULL || e->q->challenge[0] == '\0')
        return R_CHALLENGE_MISSING;
    enum result r = challenge_from_text(e->q->challenge, token, &generation);
    if (r == R_OK && generation == 0)
        r = R_CHALLENGE_DECRYPTION;
    if (r == R_OK) {
        r = keyring_challenge(&e->call->worker->keyring, e->call->worker->db, generation, &key);
        if (r == R_NOT_FOUND)
            r = R_CHALLENGE_DECRYPTION;
    }
    if (r == R_OK)
        r = gcm_open(key->key, BYTES(token, CHALLENGE_HEADER), BYTES(token + CHALLENGE_HEADER, CHALLENGE_SIZE - CHALLENGE_HEADER), plain, &n);
    if (r == R_OK)
        r = n == CHALLENGE_PLAIN ? challenge_unpack(plain, &e->challenge) : R_CHALLENGE_DESERIALIZATION;
    return r;
}

/* The challenge and the URL name the same CA and version. */
static enum result enrol_check_address(struct enrolment *e, struct verdict *v)
{
    const struct issuing_facts *f = &e->facts;
    const struct challenge *c = &e->challenge;
    if (f->ca_uuid == NULL || strcasecmp(f->ca_uuid, e->q->ca) != 0)
        return refuse(e, v, R_WRONG_CA, "ca", e->q->ca, f->ca_uuid);
    if (c->staged != (e->q->version != 0) || (c->staged && e->q->version != f->ca_version_number))
        return refuse(e, v, R_WRONG_CA, "ca version", c->staged ? "a challenge for a staged version" : "a challenge for production", "the version of the URL");
    return R_OK;
}

/* What the database says must hold before anything is computed. */
static enum result enrol_check_facts(struct enrolment *e, struct verdict *v)
{
    const struct issuing_facts *f = &e->facts;
    const struct challenge *c = &e->challenge;
    char expires[CLOCK_ISO_SIZE], now[CLOCK_ISO_SIZE];
    clock_to_iso(c->expires, expires);
    clock_to_iso(f->now, now);
    if (f->ca_deleted || strcmp(f->ca_state, "active") != 0) {
        enum result r = strcmp(f->ca_state, "paused") == 0 ? R_CA_PAUSED : strcmp(f->ca_state, "revoked") == 0 ? R_CA_REVOKED : R_CA_INACTIVE;
        return refuse(e, v, r, "ca", f->ca_deleted ? "deleted" : f->ca_state, "active");
    }
    if (c->expires <= f->now)
        return refuse(e, v, R_CHALLENGE_EXPIRED, "challenge", expires, now);
    if (c->expires > f->now + 91 * 86400)
        return refuse(e, v, R_CHALLENGE_TIMESTAMP, "challenge", expires, "within 90 days");
    if (f->device_state == NULL || strcmp(f->device_state, "enrolled") != 0)
        return refuse(e, v, R_BAD_DEVICE, "device", f->device_state ? f->device_state : "unknown", "enrolled");
    if (c->user != 0 && (f->user_state == NULL || strcmp(f->user_state, "active") != 0))
        return refuse(e, v, R_BAD_USER, "user", f->user_state ? f->user_state : "unknown", "active");
    if (f->profile_name == NULL || f->profile_deleted || !f->profile_of_ca)
        return refuse(e, v, R_NOT_TARGETED, "profile", f->profile_name ? "deleted or of another CA" : "unknown revision", "a current profile");
    if (f->delivery_state == NULL || strcmp(f->delivery_state, "current") != 0)
        return refuse(e, v, R_NOT_TARGETED, "assignment", f->delivery_state ? f->delivery_state : "none", "current");
    if (f->delivery_challenge != (int64_t)c->id)
        return refuse(e, v, R_BAD_REQUEST_ID, "challenge", "replaced by a newer one", "the newest challenge");
    if (f->key_device != 0 && f->key_device != (int64_t)c->device)
        return refuse(e, v, R_KEY_MISMATCH, "key", "certified for another device", "a key of this device");
    return R_OK;
}

/* Subject and names from the registry, compared with what the request says. */
static enum result enrol_match(struct enrolment *e, struct verdict *v)
{
    const struct profile *p = &e->facts.profile;
    struct arena *a = e->call->arena;
    const struct public_key *ca_key = &e->ca->chain[0].key;
    enum result r = subject_expand(p->subject_format, p->for_user, &e->facts.attributes, a, &e->subject, v);
    if (r == R_OK)
        r = sans_expand(&p->san_formats, p->for_user, &e->facts.attributes, a, &e->sans, v);
    if (r == R_BAD_INPUT)
        r = v->result = R_NOT_TARGETED;      /* an attribute went missing since the challenge was made */
    if (r == R_OK)
        r = profile_match(p, &e->subject, &e->sans, &e->q->claims, &e->key, ca_key->kind == KEY_RSA ? ca_key->size : 0, a, v);
    return r;
}

static enum result enrol_make(struct enrolment *e, struct verdict *v)
{
    const struct keyring_ca *ca = e->ca;
    const struct issuing_facts *f = &e->facts;
    struct arena *a = e->call->arena;
    struct certificate_content c = {.hash = ca->hash, .issuer = ca->chain[0].subject, .path_length = -1, .digital_ca_false = true,
        .key_usage = f->profile.key_usage, .ekus = f->profile.ekus, .sans = e->sans, .spki = e->key.spki, .aki = ca->chain[0].ski,
        .crl_url = ca->row.crl_url, .aia_url = ca->row.aia_url};
    uint8_t serial[SERIAL_SIZE], ski[20], random[2];
    struct buf subject;
    int64_t end = bounds_not_after(ca->chain, ca->chain_count);
    buf_init(&subject, LIMIT_NAME_DER);
    enum result r = R_CA_EXPIRED;
    if (end - f->now < BOUNDS_LAST_DAYS * 86400) {
        r = refuse(e, v, R_CA_EXPIRED, "ca", "ends within five days", "a CA with time left");
        goto out;
    }
    c.not_before = f->now - BACKDATE_SECONDS > ca->chain[0].not_before ? f->now - BACKDATE_SECONDS : ca->chain[0].not_before;
    c.not_after = profile_not_after(&f->profile, f->now);
    if (c.not_after > end)
        c.not_after = end;
    if (ca->row.ocsp_url != NULL && ca->row.ocsp_url[0] != '\0')
        c.ocsp_url = ca->row.ocsp_url;
    public_key_ski(&e->key, ski);
    c.ski = BYTES(ski, sizeof ski);
    r = serial_make(c.not_after, serial);
    c.serial = BYTES(serial, sizeof serial);
    if (r == R_OK)
        r = random_bytes(random, sizeof random);
    if (r == R_OK && ca->row.crl_shards > 0) {
        e->crl_shard = be16_get(random) % ca->row.crl_shards;
        c.crl_url = arena_printf(a, "%s/%u.crl", ca->row.crl_url, e->crl_shard);
        if (c.crl_url == NULL)
            r = R_NO_MEMORY;
    }
    if (r == R_OK)
        r = name_encode(&e->subject, &subject);
    c.subject = buf_bytes(&subject);
    if (r == R_OK)
        r = certificate_prepare(&c, ca->key, a, &e->made);
    if (r == R_OK)
        r = bounds_check_leaf(&e->made, CERTIFICATE_LEAF, ca->chain, ca->chain_count, a, v);
    if (r == R_OK)
        r = certificate_sign(ca->key, a, &e->made);
out:
    buf_free(&subject);
    return r;
}

/* The names to search by: common names and SANs of the finished certificate. */
static enum result enrol_names(struct enrolment *e, const char ***kinds, const char ***names, uint32_t *count)
{
    static const char *const san_kinds[SAN_TYPES] = {[SAN_EMAIL] = "email", [SAN_UPN] = "upn", [SAN_DNS] = "dns", [SAN_URI] = "uri"};
    const struct certificate *m = &e->made;
    uint32_t n = 0;
    const char **k = arena_array(e->call->arena, m->subject_name.count + m->sans.count, sizeof *k);
    const char **v = arena_array(e->call->arena, m->subject_name.count + m->sans.count, sizeof *v);
    if (k == NULL || v == NULL)
        return R_NO_MEMORY;
    for (uint32_t i = 0; i < m->subject_name.count; i++)
        if (strcmp(m->subject_name.items[i].oid, OID_CN) == 0) {
            k[n] = "cn";
            v[n++] = m->subject_name.items[i].value;
        }
    for (uint32_t i = 0; i < m->sans.count; i++)
        if (m->sans.items[i].type < SAN_TYPES && san_kinds[m->sans.items[i].type] != NULL) {
            k[n] = san_kinds[m->sans.items[i].type];
            v[n++] = m->sans.items[i].value;
        }
    *kinds = k;
    *names = v;
    *count = n;
    return R_OK;
}

static enum result enrol_record(struct enrolment *e, struct bytes *previous)
{
    struct worker_call *c = e->call;
    uint8_t sha1[20], sha256[32];
    const char **kinds = NULL, **names = NULL;
    struct issuing_record rec = {.delivery = e->facts.delivery, .spki_sha256 = e->spki_sha256, .sha1 = sha1, .sha256 = sha256, .serial = e->made.serial,
        .der = e->made.der, .not_before = e->made.not_before, .not_after = e->made.not_after, .crl_shard = e->crl_shard,
        .subject = name_text(&e->made.subject_name, c->arena), .transaction = e->q->transaction};
    enum result r = enrol_names(e, &kinds, &names, &rec.name_count);
    if (r != R_OK)
        return r;
    rec.name_kinds = kinds;
    rec.names = names;
    digest_sha1(e->made.der, sha1);
    digest_sha256(e->made.der, sha256);
    r = issuing_enrol_write(c->worker->db, &e->challenge, &rec, c->arena, previous);
    if (r != R_OK)
        worker_detail_db(c);
    return r;
}

/* About to be refused: a challenge that was spent with this key gets its certificate again, whatever has become of the challenge, the device or the
 * CA since; with another key, that is the reason to name. Otherwise the refusal stays as it was. */
static enum result enrol_repeat(struct enrolment *e, enum result refusal, struct verdict *v, struct signer_certificate *out)
{
    struct issuing_spent spent;
    enum result r = issuing_enrol_spent(e->call->worker->db, &e->challenge, e->call->arena, &spent);
    if (r != R_OK)
        return r;
    if (spent.spki_sha256.p == NULL)
        return refusal;
    if (!bytes_equal(spent.spki_sha256, BYTES(e->spki_sha256, 32)))
        return refuse(e, v, R_BAD_REQUEST_ID, "challenge", "used with another key", "an unused challenge");
    if (!spent.valid)
        return refuse(e, v, R_CERT_REVOKED, "challenge", "its certificate is revoked or expired", "a new challenge");
    out->certificate = spent.certificate;
    out->repeated = true;
    return R_OK;
}

static enum result enrol_issue(struct enrolment *e, struct verdict *v, struct signer_certificate *out)
{
    struct bytes previous = BYTES_NONE;
    enum result r = enrol_match(e, v);
    if (r == R_OK)
        r = enrol_make(e, v);
    if (r == R_OK)
        r = enrol_record(e, &previous);
    if (r == R_OK) {
        out->repeated = previous.p != NULL;
        out->certificate = out->repeated ? previous : e->made.der;
    }
    return r;
}

static enum result enrol_decide(struct enrolment *e, struct verdict *v, struct signer_certificate *out)
{
    struct worker *w = e->call->worker;
    enum result r = issuing_enrol_read(w->db, &e->challenge, e->spki_sha256, e->call->arena, &e->facts);
    if (r == R_OK)
        r = worker_check_clock(e->facts.now);
    if (r == R_OK)
        r = enrol_check_address(e, v);
    if (r == R_OK)
        r = keyring_ca(&w->keyring, w->db, e->challenge.tenant, e->challenge.ca_version, &e->ca);
    if (r != R_OK)
        return r;
    out->issuer = e->ca->row.certificate;
    r = enrol_check_facts(e, v);
    if (r == R_OK)
        r = enrol_issue(e, v, out);
    return r == R_OK || result_is_retryable(r) ? r : enrol_repeat(e, r, v, out);
}

static void enrol_log_refusal(struct enrolment *e, const struct verdict *v)
{
    log_event(LOG_LEVEL_NOTICE, "enrol-refused", LOG_RESULT(v->result), LOG_NUM("device", (int64_t)e->challenge.device), LOG_NUM("challenge", (int64_t)e->challenge.id),
              LOG_TEXT("field", v->field), LOG_TEXT("found", v->found), LOG_TEXT("wanted", v->wanted));
}

enum result enrol_handle(struct worker_call *c, const struct signer_enrol *q, struct signer_certificate *out)
{
    struct enrolment e = {.call = c, .q = q};
    struct verdict v = {0};
    log_context("txn", bytes_of_text(q->transaction));
    enum result r = enrol_open_challenge(&e);
    if (r != R_OK) {
        log_event(LOG_LEVEL_NOTICE, "challenge-refused", LOG_RESULT(r));
        goto out;
    }
    r = public_key_decode(q->spki, &e.key);
    if (r == R_OK) {
        digest_sha256(q->spki, e.spki_sha256);
        r = enrol_decide(&e, &v, out);
    } else {
        r = verdict_refuse(&v, c->arena, R_KEY_LENGTH_MISMATCH, "key", "no SubjectPublicKeyInfo", "an RSA key");
    }
    if (r == R_OK) {
        log_event(LOG_LEVEL_INFO, out->repeated ? "certificate-repeated" : "certificate-issued", LOG_NUM("device", (int64_t)e.challenge.device),
                  LOG_NUM("challenge", (int64_t)e.challenge.id), LOG_HEX("serial", out->repeated ? BYTES_NONE : e.made.serial));
        goto out;
    }
    if (v.result == R_OK)
        v = (struct verdict){r, "enrolment", c->detail[0] ? c->detail : NULL, NULL};
    else
        worker_detail(c, &v);
    enrol_log_refusal(&e, &v);
    if (!result_is_retryable(r))
        issuing_refused(c->worker->db, &e.challenge, &v, q->transaction);
out:
    log_context(NULL, BYTES_NONE);
    return r;
}
