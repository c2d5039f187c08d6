#include "lib/store/issuing.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"

/* For so long a write that lost against another transaction (and was undone) is tried anew. */
#define WRITE_RETRY_MS 1000

static const struct db_statement ca_key_read = {"signer_ca_key", "SELECT * FROM chancery.signer_ca_key($1, $2)"};
static const struct db_statement enrol_read = {"signer_enrol_read",
    "SELECT * FROM chancery.signer_enrol_read($1, $2, $3, $4, $5, $6)"};
static const struct db_statement enrol_spent = {"signer_enrol_spent", "SELECT * FROM chancery.signer_enrol_spent($1, $2, $3, $4)"};
static const struct db_statement enrol_write = {"signer_enrol_write",
    "SELECT chancery.signer_enrol_write($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, "
    "$22, $23)"};
static const struct db_statement enrol_refused = {"signer_enrol_refused",
    "SELECT chancery.signer_enrol_refused($1, $2, $3, $4, $5, $6, $7, $8, $9)"};
static const struct db_statement challenge_read = {"signer_challenge_read", "SELECT * FROM chancery.signer_challenge_read($1, $2, $3, $4, $5)"};
static const struct db_statement challenge_write = {"signer_challenge_write", "SELECT chancery.signer_challenge_write($1, $2, $3, $4, $5)"};

enum result issuing_ca_read(struct db *db, uint32_t tenant, uint32_t ca_version, struct arena *a, struct issuing_ca *out)
{
    enum { CA_ID, UUID, KIND, HASH, BITS, NAMES, CERTIFICATE, CHAIN, CRL_URL, SHARDS, AIA_URL, OCSP_URL, PLATFORM, PRIVATE, PKCS11, WRAPPED, SPKI, NUMBER, SEAL };
    const struct db_param p[] = {DB_P_INT4(tenant), DB_P_INT4(ca_version)};
    struct db_rows *rows = NULL;
    struct issuing_ca c = {0};
    enum result r = db_exec(db, &ca_key_read, p, 2, LIMIT_DB_MS, &rows);
    if (r != R_OK)
        return r;
    if (db_count(rows) != 1) {
        log_event(LOG_LEVEL_WARNING, "ca-version-unknown", LOG_NUM("tenant", tenant), LOG_NUM("ca_version", ca_version));
        r = R_NOT_FOUND;
        goto out;
    }
    c.ca_id = db_number(rows, 0, CA_ID);
    c.uuid = db_copy_text(rows, 0, UUID, a);
    c.kind = db_copy_text(rows, 0, KIND, a);
    c.hash = db_copy_text(rows, 0, HASH, a);
    c.key_bits = (uint32_t)db_number(rows, 0, BITS);
    c.names_from_requests = db_bool(rows, 0, NAMES);
    c.certificate = db_copy_bytes(rows, 0, CERTIFICATE, a);
    c.crl_url = db_copy_text(rows, 0, CRL_URL, a);
    c.crl_shards = (uint32_t)db_number(rows, 0, SHARDS);
    c.aia_url = db_copy_text(rows, 0, AIA_URL, a);
    c.ocsp_url = db_copy_text(rows, 0, OCSP_URL, a);
    c.key.platform = db_copy_text(rows, 0, PLATFORM, a);
    c.key.private_key = db_copy_bytes(rows, 0, PRIVATE, a);
    c.key.pkcs11_uri = db_copy_text(rows, 0, PKCS11, a);
    c.key.wrapped_by = db_copy_text(rows, 0, WRAPPED, a);
    c.key.spki = db_copy_bytes(rows, 0, SPKI, a);
    c.number = (uint32_t)db_number(rows, 0, NUMBER);
    c.seal = db_copy_bytes(rows, 0, SEAL, a);
    r = db_byteas(rows, 0, CHAIN, a, &c.chain, &c.chain_count);
    if (r == R_OK && (c.uuid == NULL || c.certificate.p == NULL || c.key.platform == NULL))
        r = R_NO_MEMORY;
    if (r == R_OK)
        *out = c;
out:
    db_rows_free(rows);
    return r;
}

/* Two parallel arrays of one row as name and value pairs. */
static enum result attributes_read(const struct db_rows *rows, int row, int names_column, struct arena *a, struct attributes *out)
{
    const char **names = NULL, **values = NULL;
    uint32_t n = 0, m = 0;
    enum result r = db_texts(rows, row, names_column, a, &names, &n);
    if (r == R_OK)
        r = db_texts(rows, row, names_column + 1, a, &values, &m);
    if (r != R_OK)
        return r;
    struct attribute *items = arena_array(a, n, sizeof *items);
    if (n != m || items == NULL)
        return items == NULL ? R_NO_MEMORY : R_INTERNAL;
    for (uint32_t i = 0; i < n; i++)
        items[i] = (struct attribute){names[i], values[i]};
    *out = (struct attributes){items, n};
    return R_OK;
}

/* san_types and san_formats, the next column, as they are stored. */
static enum result sans_read(const struct db_rows *rows, int row, int types_column, struct arena *a, struct sans *out)
{
    static const struct { const char *name; enum san_type type; } types[] = {
        {"email", SAN_EMAIL}, {"upn", SAN_UPN}, {"dns", SAN_DNS}, {"uri", SAN_URI}};
    const char **names = NULL, **formats = NULL;
    uint32_t n = 0, m = 0;
    enum result r = db_texts(rows, row, types_column, a, &names, &n);
    if (r == R_OK)
        r = db_texts(rows, row, types_column + 1, a, &formats, &m);
    if (r != R_OK)
        return r;
    struct san *items = arena_array(a, n, sizeof *items);
    if (n != m || items == NULL)
        return items == NULL ? R_NO_MEMORY : R_INTERNAL;
    for (uint32_t i = 0; i < n; i++) {
        items[i] = (struct san){SAN_TYPES, formats[i]};
        for (size_t t = 0; t < sizeof types / sizeof *types; t++)
            if (strcmp(types[t].name, names[i]) == 0)
                items[i].type = types[t].type;
    }
    *out = (struct sans){items, n};
    return R_OK;
}

enum { E_NOW, E_UUID, E_VERSION, E_CA_STATE, E_CA_DELETED, E_DEVICE, E_USER, E_DELIVERY, E_DELIVERY_STATE, E_DELIVERY_CHALLENGE,
       E_PROFILE, E_PLATFORM, E_PROFILE_DELETED, E_PROFILE_CA, E_VERSION_CA, E_FOR_USER, E_SUBJECT, E_SAN_TYPES, E_SAN_FORMATS, E_VALIDITY,
       E_VALIDITY_UNIT, E_KEY_USAGE, E_KEY_SIZE, E_EKUS, E_STRICT, E_NAMES, E_VALUES, E_KEY_DEVICE, E_ALGORITHMS, E_RENEWAL, E_APPROVAL, E_THRESHOLD, E_VARIANT };

static enum result profile_read(const struct db_rows *rows, struct arena *a, struct issuing_facts *f)
{
    struct profile *p = &f->profile;
    f->profile_name = p->name = db_copy_text(rows, 0, E_PROFILE, a);
    if (p->name == NULL)
        return R_OK;
    f->profile_deleted = db_bool(rows, 0, E_PROFILE_DELETED);
    f->profile_of_ca = db_number(rows, 0, E_PROFILE_CA) == db_number(rows, 0, E_VERSION_CA);
    p->platform = db_copy_text(rows, 0, E_PLATFORM, a);
    p->for_user = db_bool(rows, 0, E_FOR_USER);
    p->subject_format = db_copy_text(rows, 0, E_SUBJECT, a);
    p->validity = (uint32_t)db_number(rows, 0, E_VALIDITY);
    int unit = validity_unit_from_name(db_text(rows, 0, E_VALIDITY_UNIT));
    p->validity_unit = unit < 0 ? VALIDITY_DAYS : (uint32_t)unit;
    p->key_usage = (uint32_t)db_number(rows, 0, E_KEY_USAGE);
    p->key_size_min = (uint32_t)db_number(rows, 0, E_KEY_SIZE);
    p->strict = db_bool(rows, 0, E_STRICT);
    p->renewal = db_bool(rows, 0, E_RENEWAL);
    p->manual = strcmp(db_text(rows, 0, E_APPROVAL), "manual") == 0;
    p->renewal_threshold = (uint32_t)db_number(rows, 0, E_THRESHOLD);
    p->variant = db_copy_text(rows, 0, E_VARIANT, a);
    int level = algorithm_level_from_name(db_text(rows, 0, E_ALGORITHMS));
    p->algorithms = level < 0 ? ALGORITHMS_MODERN : (uint32_t)level;
    enum result r = sans_read(rows, 0, E_SAN_TYPES, a, &p->san_formats);
    return r != R_OK ? r : db_texts(rows, 0, E_EKUS, a, &p->ekus.items, &p->ekus.count);
}

static const char *const kind_names[] = {[ISSUING_CHALLENGE] = "challenge", [ISSUING_PREDECESSOR] = "predecessor"};
#define KINDS (sizeof kind_names / sizeof kind_names[0])

const char *issuing_kind_name(uint32_t kind) { return kind < KINDS ? kind_names[kind] : NULL; }

int issuing_kind_from_name(const char *name)
{
    for (size_t i = 0; name != NULL && i < KINDS; i++)
        if (strcmp(kind_names[i], name) == 0)
            return (int)i;
    return -1;
}

enum result issuing_enrol_read(struct db *db, const struct issuing_grant *c, const uint8_t spki_sha256[32], struct arena *a, struct issuing_facts *out)
{
    const struct db_param p[] = {DB_P_INT4(c->tenant), DB_P_INT8((int64_t)c->device),
        c->user == 0 ? DB_P_NULL(DB_INT8) : DB_P_INT8((int64_t)c->user), DB_P_INT8((int64_t)c->profile_revision), DB_P_INT4(c->ca_version),
        DB_P_BYTES(BYTES(spki_sha256, 32))};
    struct db_rows *rows = NULL;
    struct issuing_facts f = {0};
    enum result r = db_exec(db, &enrol_read, p, 6, LIMIT_DB_MS, &rows);
    if (r != R_OK)
        return r;
    if (db_count(rows) != 1) {
        r = R_INTERNAL;
        goto out;
    }
    f.now = db_number(rows, 0, E_NOW);
    f.ca_uuid = db_copy_text(rows, 0, E_UUID, a);
    f.ca_state = db_copy_text(rows, 0, E_CA_STATE, a);
    f.ca_version_number = db_null(rows, 0, E_VERSION) ? 0 : (uint32_t)db_number(rows, 0, E_VERSION);
    f.ca_deleted = !db_null(rows, 0, E_CA_DELETED) && db_bool(rows, 0, E_CA_DELETED);
    f.device_state = db_copy_text(rows, 0, E_DEVICE, a);
    f.user_state = db_copy_text(rows, 0, E_USER, a);
    f.delivery_state = db_copy_text(rows, 0, E_DELIVERY_STATE, a);
    f.delivery = db_null(rows, 0, E_DELIVERY) ? 0 : db_number(rows, 0, E_DELIVERY);
    f.delivery_challenge = db_null(rows, 0, E_DELIVERY_CHALLENGE) ? 0 : db_number(rows, 0, E_DELIVERY_CHALLENGE);
    f.key_device = db_null(rows, 0, E_KEY_DEVICE) ? 0 : db_number(rows, 0, E_KEY_DEVICE);
    r = profile_read(rows, a, &f);
    if (r == R_OK)
        r = attributes_read(rows, 0, E_NAMES, a, &f.attributes);
    if (r == R_OK)
        *out = f;
out:
    db_rows_free(rows);
    return r;
}

enum result issuing_enrol_spent(struct db *db, const struct issuing_grant *c, struct arena *a, struct issuing_spent *out)
{
    const struct db_param p[] = {DB_P_INT4(c->tenant), DB_P_TEXT(issuing_kind_name(c->kind)), DB_P_INT8((int64_t)c->id), DB_P_TIME(c->expires)};
    struct db_rows *rows = NULL;
    struct issuing_spent s = {0};
    enum result r = db_exec(db, &enrol_spent, p, 4, LIMIT_DB_MS, &rows);
    if (r != R_OK)
        return r;
    if (db_count(rows) > 0) {
        s.spki_sha256 = db_copy_bytes(rows, 0, 0, a);
        s.certificate = db_copy_bytes(rows, 0, 1, a);
        s.valid = db_bool(rows, 0, 2);
        s.issuer = db_copy_bytes(rows, 0, 3, a);
        if (s.spki_sha256.p == NULL || s.certificate.p == NULL || s.issuer.p == NULL)
            r = R_NO_MEMORY;
    }
    if (r == R_OK)
        *out = s;
    db_rows_free(rows);
    return r;
}

enum result issuing_enrol_write(struct db *db, const struct issuing_grant *c, const struct issuing_record *q, struct arena *a, struct bytes *previous)
{
    const struct db_param p[] = {DB_P_INT4(c->tenant), DB_P_TEXT(issuing_kind_name(c->kind)), DB_P_INT8((int64_t)c->id), DB_P_TIME(c->expires),
        DB_P_INT8((int64_t)c->device), c->user == 0 ? DB_P_NULL(DB_INT8) : DB_P_INT8((int64_t)c->user), DB_P_INT8((int64_t)c->profile_revision), DB_P_INT8(q->delivery),
        DB_P_INT4(c->ca_version), DB_P_BYTES(BYTES(q->spki_sha256, 32)), DB_P_BYTES(q->serial), DB_P_TIME(q->not_before), DB_P_TIME(q->not_after),
        DB_P_INT4(q->crl_shard), DB_P_TEXT(q->subject), DB_P_TEXTS(q->name_kinds, q->name_count), DB_P_TEXTS(q->names, q->name_count),
        DB_P_BYTES(BYTES(q->sha1, 20)), DB_P_BYTES(BYTES(q->sha256, 32)), DB_P_BYTES(q->der), DB_P_TEXT(q->transaction),
        q->request == 0 ? DB_P_NULL(DB_INT8) : DB_P_INT8(q->request),
        q->content_sha256 == NULL ? DB_P_NULL(DB_BYTEA) : DB_P_BYTES(BYTES(q->content_sha256, 32))};
    struct db_rows *rows = NULL;
    *previous = BYTES_NONE;
    int64_t patience = clock_monotonic_ms() + WRITE_RETRY_MS;
    enum result r;
    do
        r = db_exec(db, &enrol_write, p, 23, LIMIT_DB_MS, &rows);
    while (r == R_BUSY && clock_monotonic_ms() < patience);
    /* A deadlock or a lock that is held for long is nobody's fault who enrols: not a refusal, but "later". */
    if (r == R_BUSY)
        r = R_UNAVAILABLE;
    if (r != R_OK)
        return r;
    if (db_count(rows) == 1)
        *previous = db_copy_bytes(rows, 0, 0, a);
    else
        r = R_INTERNAL;
    db_rows_free(rows);
    return r;
}

void issuing_refused(struct db *db, const struct issuing_grant *c, const struct verdict *v, const char *transaction)
{
    const struct db_param p[] = {DB_P_INT4(c->tenant), DB_P_INT8((int64_t)c->device), DB_P_TEXT(result_name(v->result)), DB_P_TEXT(v->field),
        DB_P_TEXT(v->found), DB_P_TEXT(v->wanted), DB_P_TEXT(issuing_kind_name(c->kind)), DB_P_INT8((int64_t)c->id),
        DB_P_TEXT(transaction)};
    enum result r = db_exec(db, &enrol_refused, p, 9, LIMIT_DB_MS, NULL);
    if (r != R_OK)
        log_event(LOG_LEVEL_WARNING, "refusal-not-recorded", LOG_RESULT(r));
}

enum result issuing_challenge_read(struct db *db, uint32_t tenant, const char *profile, const char *device, int64_t after, uint32_t limit, struct arena *a,
                                   struct issuing_target **out, uint32_t *count)
{
    enum { NOW, CHALLENGE, DELIVERY, DEVICE, DEVICE_NAME, USER, REVISION, CA_VERSION, FOR_USER, SUBJECT, SAN_TYPES_, SAN_FORMATS, SECONDS, NAMES };
    const struct db_param p[] = {DB_P_INT4(tenant), DB_P_TEXT(profile), DB_P_TEXT(device), DB_P_INT8(after), DB_P_INT4(limit)};
    struct db_rows *rows = NULL;
    enum result r = db_exec(db, &challenge_read, p, 5, LIMIT_DB_MS, &rows);
    if (r != R_OK)
        return r;
    uint32_t n = (uint32_t)db_count(rows);
    struct issuing_target *items = arena_array(a, n, sizeof *items);
    if (items == NULL)
        r = R_NO_MEMORY;
    for (uint32_t i = 0; r == R_OK && i < n; i++) {
        int row = (int)i;
        struct issuing_target *t = &items[i];
        t->now = db_number(rows, row, NOW);
        t->challenge = db_number(rows, row, CHALLENGE);
        t->delivery = db_number(rows, row, DELIVERY);
        t->device = db_number(rows, row, DEVICE);
        t->device_name = db_copy_text(rows, row, DEVICE_NAME, a);
        t->user = db_null(rows, row, USER) ? 0 : db_number(rows, row, USER);
        t->profile_revision = db_number(rows, row, REVISION);
        t->ca_version = (uint32_t)db_number(rows, row, CA_VERSION);
        t->for_user = db_bool(rows, row, FOR_USER);
        t->subject_format = db_copy_text(rows, row, SUBJECT, a);
        t->challenge_seconds = (uint32_t)db_number(rows, row, SECONDS);
        r = sans_read(rows, row, SAN_TYPES_, a, &t->san_formats);
        if (r == R_OK)
            r = attributes_read(rows, row, NAMES, a, &t->attributes);
    }
    if (r == R_OK) {
        *out = items;
        *count = n;
    }
    db_rows_free(rows);
    return r;
}

enum result issuing_challenge_write(struct db *db, uint32_t tenant, const char *actor, const int64_t *deliveries, const int64_t *challenges,
                                    const int64_t *expires, uint32_t count)
{
    const struct db_param p[] = {DB_P_INT4(tenant), DB_P_TEXT(actor), DB_P_INT8S(deliveries, count), DB_P_INT8S(challenges, count),
        DB_P_INT8S(expires, count)};
    return db_exec(db, &challenge_write, p, 5, LIMIT_DB_MS, NULL);
}
