/* The audit log: reading it, and proving that it is whole. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bin/cli.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/codec/x509.h"
#include "lib/store/audit_chain.h"

#define BATCHES_PAGE 500
#define ENTRIES_PAGE 2000
#define UNSEALED_SECONDS 60           /* what is younger may not have been sealed or signed yet */
#define KEPT_MOST 64                  /* heads given */
#define KEYS_MOST 64
#define FILE_MOST 65536

struct verification {
    struct cli *cli;
    struct audit_chain chain;
    struct bytes key_items[KEYS_MOST];
    struct audit_keys keys;
    struct audit_kept kept[KEPT_MOST];
    int kept_count, kept_met;
    struct db_rows *entries;          /* a page */
    int entries_at;
    int64_t entries_last;             /* of the batches read: no entry beyond is asked for */
    int64_t unsigned_batches;
};

static enum result broken(struct verification *v, const char *why) { return cli_refuse(v->cli, R_AUDIT_BROKEN, "%s", why); }

/* ---- what was kept elsewhere ---- */

static enum result text_read(struct cli *c, const char *path, char **text)
{
    FILE *f = fopen(path, "re");
    char *out = arena_alloc(&c->arena, FILE_MOST + 1);
    if (f == NULL)
        return cli_refuse(c, R_IO, "%s: %s", path, strerror(errno));
    size_t n = out != NULL ? fread(out, 1, FILE_MOST + 1, f) : 0;
    bool failed = ferror(f) != 0;
    fclose(f);
    if (out == NULL || failed || n > FILE_MOST)
        return cli_refuse(c, out == NULL ? R_NO_MEMORY : failed ? R_IO : R_TOO_LARGE, "%s", path);
    out[n] = '\0';
    *text = out;
    return R_OK;
}

static enum result key_add(struct verification *v, struct bytes spki)
{
    if (v->keys.count == KEYS_MOST)
        return cli_refuse(v->cli, R_TOO_LARGE, "There are more than %d audit keys.", KEYS_MOST);
    v->key_items[v->keys.count++] = spki;
    return R_OK;
}

/* The base64 between the lines of a PEM public key. */
static enum result key_file_add(struct verification *v, const char *path)
{
    static const char begin[] = "-----BEGIN PUBLIC KEY-----", end[] = "-----END PUBLIC KEY-----";
    char *text = NULL;
    enum result r = text_read(v->cli, path, &text);
    if (r != R_OK)
        return r;
    const char *from = strstr(text, begin), *to = from != NULL ? strstr(from, end) : NULL;
    size_t n = to != NULL ? (size_t)(to - from) - strlen(begin) : 0, size = 3 * (n / 4) + 3;
    uint8_t *spki = arena_alloc(&v->cli->arena, size);
    if (to == NULL || spki == NULL || base64_decode(from + strlen(begin), n, false, spki, &size) != R_OK)
        return cli_refuse(v->cli, R_BAD_INPUT, "%s: wanted a public key in PEM.", path);
    return key_add(v, BYTES(spki, size));
}

static enum result keys_read(struct verification *v)
{
    struct cli *c = v->cli;
    uint32_t count;
    const char **files = cli_texts(c, "key", &count);
    struct db_rows *rows = NULL;
    v->keys.items = v->key_items;
    enum result r = files != NULL ? R_OK : R_NO_MEMORY;
    for (uint32_t i = 0; r == R_OK && i < count; i++)
        r = key_file_add(v, files[i]);
    if (r == R_OK && count == 0)
        r = cli_call(c, OPERATOR_AUDIT_KEYS, NULL, 0, &rows);
    for (int i = 0; r == R_OK && i < db_count(rows); i++) {
        struct bytes spki = arena_bytes(&c->arena, db_bytes(rows, i, 2));
        r = spki.p != NULL ? key_add(v, spki) : R_NO_MEMORY;
    }
    db_rows_free(rows);
    return r;
}

static enum result kept_add(struct verification *v, const char *text)
{
    if (v->kept_count == KEPT_MOST)
        return cli_refuse(v->cli, R_TOO_LARGE, "There are more than %d heads.", KEPT_MOST);
    return audit_kept_read(text, &v->kept[v->kept_count]) == R_OK ? (v->kept_count++, R_OK) : R_BAD_INPUT;
}

/* A head on the command line, or a file with one a line. */
static enum result kept_read(struct verification *v)
{
    struct cli *c = v->cli;
    uint32_t count;
    const char **words = cli_texts(c, "head", &count);
    enum result r = words != NULL ? R_OK : R_NO_MEMORY;
    for (uint32_t i = 0; r == R_OK && i < count; i++) {
        char *text = NULL, *rest = NULL;
        r = kept_add(v, words[i]);
        if (r != R_BAD_INPUT)
            continue;
        r = text_read(c, words[i], &text);
        for (char *line = text; r == R_OK && (line = strtok_r(line, "\r\n", &rest)) != NULL; line = NULL)
            if (kept_add(v, line) != R_OK)
                r = cli_refuse(c, R_BAD_INPUT, "%s: wanted lines BATCH:HEAD:SIGNATURE, as \"audit head\" writes them.", words[i]);
    }
    return r;
}

/* ---- the chain ---- */

static enum result entry_next(struct verification *v, struct audit_entry *e)
{
    enum result r = R_OK;
    if (v->entries_at == db_count(v->entries)) {
        const struct db_param arguments[] = {DB_P_INT8(v->chain.entries), DB_P_INT8(v->entries_last), DB_P_INT4(ENTRIES_PAGE)};
        db_rows_free(v->entries);
        v->entries = NULL;
        v->entries_at = 0;
        r = cli_call(v->cli, OPERATOR_AUDIT_ENTRIES, arguments, 3, &v->entries);
    }
    if (r != R_OK)
        return r;
    if (db_count(v->entries) == 0)
        return R_NOT_FOUND;
    const struct db_rows *rows = v->entries;
    int i = v->entries_at++;
    *e = (struct audit_entry){
        .seq = db_number(rows, i, 0), .hash = db_bytes(rows, i, 1), .audit_id = db_number(rows, i, 2),
        .at_us = db_number(rows, i, 3),
        .tenant = db_number(rows, i, 4), .actor = db_text(rows, i, 5), .activity = db_text(rows, i, 6),
        .object_id = db_text(rows, i, 7),
        .object_name = db_text(rows, i, 8), .details = db_text(rows, i, 9), .present = db_bool(rows, i, 10),
    };
    return R_OK;
}

static enum result kept_check(struct verification *v, const struct audit_batch *b)
{
    const char *why = NULL;
    for (int i = 0; i < v->kept_count; i++) {
        if (v->kept[i].batch != b->batch)
            continue;
        v->kept_met++;
        if (audit_kept_check(&v->kept[i], b, &v->keys, &why) != R_OK)
            return cli_refuse(v->cli, R_AUDIT_BROKEN, "batch %lld (entries %lld to %lld): %s", (long long)b->batch,
                              (long long)b->first, (long long)b->last, why);
    }
    return R_OK;
}

/* The signer signs heads within seconds; one that stays without was made by somebody who cannot sign, or the signer is away. */
static enum result unsigned_check(struct verification *v, const struct audit_batch *b, int64_t sealed_at)
{
    int64_t age = clock_wall() - sealed_at;
    if (b->signature.p != NULL)
        return R_OK;
    v->unsigned_batches++;
    if (age <= UNSEALED_SECONDS && age >= -UNSEALED_SECONDS)
        return R_OK;
    return cli_refuse(v->cli, R_AUDIT_BROKEN, "batch %lld (entries %lld to %lld): its head is not signed", (long long)b->batch,
                      (long long)b->first, (long long)b->last);
}

static enum result batch_check(struct verification *v, const struct audit_batch *b, int64_t sealed_at)
{
    enum result r = audit_chain_batch(&v->chain, b);
    while (r == R_OK && v->chain.entries < b->last) {
        struct audit_entry e;
        r = entry_next(v, &e);
        if (r == R_OK)
            r = audit_chain_entry(&v->chain, &e);
    }
    if (r == R_OK || r == R_NOT_FOUND)
        r = audit_chain_close(&v->chain, &v->keys);
    if (r == R_AUDIT_BROKEN)
        return broken(v, v->chain.fault);
    if (r == R_OK)
        r = unsigned_check(v, b, sealed_at);
    return r == R_OK ? kept_check(v, b) : r;
}

static enum result batches_check(struct verification *v)
{
    enum result r = R_OK;
    for (int count = 1; r == R_OK && count > 0;) {
        const struct db_param arguments[] = {DB_P_INT8(v->chain.batches), DB_P_INT4(BATCHES_PAGE)};
        struct db_rows *rows = NULL;
        r = cli_call(v->cli, OPERATOR_AUDIT_BATCHES, arguments, 2, &rows);
        count = db_count(rows);
        if (r == R_OK && count > 0)
            v->entries_last = db_number(rows, count - 1, 2);
        for (int i = 0; r == R_OK && i < count; i++) {
            const struct audit_batch b = {db_number(rows, i, 0), db_number(rows, i, 1), db_number(rows, i, 2),
                                          db_bytes(rows, i, 3), db_bytes(rows, i, 6)};
            r = batch_check(v, &b, db_number(rows, i, 4));
        }
        db_rows_free(rows);
    }
    return r;
}

/* ---- beside the chain ---- */

static enum result loose_check(struct verification *v)
{
    const struct db_param arguments[] = {DB_P_INT4(UNSEALED_SECONDS)};
    struct db_rows *rows = NULL;
    enum result r = cli_call(v->cli, OPERATOR_AUDIT_LOOSE, arguments, 1, &rows);
    if (r == R_OK && db_count(rows) > 0) {
        const char *what = db_text(rows, 0, 0), *at = db_text(rows, 0, 2);
        long long id = (long long)db_number(rows, 0, 1);
        r = R_AUDIT_BROKEN;
        if (strcmp(what, "entry") == 0)
            cli_refuse(v->cli, r, "audit id %lld of %s is not sealed: it was inserted, or the publisher does not run", id,
                       at != NULL ? at : "no time");
        else
            cli_refuse(v->cli, r, "entry %lld stands behind the last batch: it was inserted, or batches were cut off", id);
    }
    db_rows_free(rows);
    return r;
}

static enum result cut_check(struct verification *v)
{
    for (int i = 0; i < v->kept_count; i++)
        if (v->kept[i].batch > v->chain.batches)
            return cli_refuse(v->cli, R_AUDIT_BROKEN,
                              "entries were cut off: the log ends with batch %lld, and the head kept is of batch %lld",
                              (long long)v->chain.batches, (long long)v->kept[i].batch);
    return R_OK;
}

static enum result audit_verify(struct cli *c)
{
    struct verification *v = arena_alloc(&c->arena, sizeof *v);
    if (v == NULL)
        return R_NO_MEMORY;
    v->cli = c;
    audit_chain_init(&v->chain);
    enum result r = keys_read(v);
    if (r == R_OK)
        r = kept_read(v);
    if (r == R_OK && v->keys.count == 0)
        r = cli_refuse(c, R_STATE, "There is no audit key; run chancery keys init.");
    if (r == R_OK)
        r = batches_check(v);
    if (r == R_OK)
        r = cut_check(v);
    if (r == R_OK)
        r = loose_check(v);
    if (r == R_OK)
        printf(c->json ? "{\"entries\":%lld,\"batches\":%lld,\"unsigned\":%lld,\"heads\":%d}\n"
                       : "the audit log verifies: %lld entries, %lld batches, %lld heads not signed yet, %d kept heads found\n",
               (long long)v->chain.entries, (long long)v->chain.batches, (long long)v->unsigned_batches, v->kept_met);
    db_rows_free(v->entries);
    audit_chain_free(&v->chain);
    return r;
}

/* ---- the other verbs ---- */

static enum result audit_list(struct cli *c)
{
    int64_t before = cli_number(c, "before", 0);
    const struct db_param arguments[] = {DB_P_TEXT(cli_text(c, "activity")), DB_P_TEXT(cli_text(c, "actor")),
                                         before == 0 ? DB_P_NULL(DB_INT8) : DB_P_INT8(before),
                                         DB_P_INT4(cli_number(c, "limit", 100))};
    return cli_list(c, OPERATOR_AUDIT_LIST, arguments, 4);
}

static enum result audit_head(struct cli *c)
{
    struct db_rows *rows = NULL;
    enum result r = cli_call(c, OPERATOR_AUDIT_HEAD, NULL, 0, &rows);
    if (r == R_OK) {
        struct bytes digest = db_bytes(rows, 0, 1), signature = db_bytes(rows, 0, 2);
        char *hex = arena_alloc(&c->arena, 2 * (digest.n + signature.n) + 2);
        r = hex != NULL ? R_OK : R_NO_MEMORY;
        if (r == R_OK) {
            hex_encode(hex, digest.p, digest.n);
            printf("%lld:%s:", (long long)db_number(rows, 0, 0), hex);
            hex_encode(hex, signature.p, signature.n);
            puts(hex);
        }
    }
    db_rows_free(rows);
    return r;
}

static enum result audit_key(struct cli *c)
{
    struct db_rows *rows = NULL;
    enum result r = cli_call(c, OPERATOR_AUDIT_KEYS, NULL, 0, &rows);
    if (r == R_OK && db_count(rows) == 0)
        r = cli_refuse(c, R_NOT_FOUND, "There is no audit key; run chancery keys init.");
    if (r == R_OK)
        r = output_der(db_bytes(rows, 0, 2), true, "PUBLIC KEY");
    db_rows_free(rows);
    return r;
}

static const struct option list_options[] = {
    {"limit", "N", OPTION_NUMBER, 0, "how many (default 100; 0: all)", 0, INT32_MAX},
    {"activity", "TEXT", OPTION_TEXT, 0, "only this activity", 0, 0},
    {"actor", "TEXT", OPTION_TEXT, 0, "only of this actor, as in operator:root", 0, 0},
    {"before", "ID", OPTION_NUMBER, 0, "go on with those older than this id", 1, INT64_MAX},
    OPTION_END,
};
static const struct option verify_options[] = {
    {"head", "FILE|BATCH:HEAD:SIGNATURE", OPTION_TEXT, OPTION_REPEATED, "a signed head kept elsewhere", 0, 0},
    {"key", "FILE", OPTION_TEXT, OPTION_REPEATED, "the audit key's public half kept elsewhere, PEM (default the database's)",
     0, 0},
    OPTION_END,
};

const struct command commands_audit[] = {
    {"audit", "list", NULL, OPTION_FLAG, list_options, false, "entries, newest first", audit_list},
    {"audit", "verify", NULL, OPTION_FLAG, verify_options, false, "prove that nothing was changed, left out or put in",
     audit_verify},
    {"audit", "head", NULL, OPTION_FLAG, NULL, false, "the newest signed head, to be kept elsewhere", audit_head},
    {"audit", "key", NULL, OPTION_FLAG, NULL, false, "the audit key's public half, PEM", audit_key},
    {0},
};
