/* SCEP certificate profiles: settings, checked against the CA before they are stored. */
#include <stdlib.h>
#include <string.h>

#include "bin/purpose_words.h"
#include "lib/base/limits.h"
#include "lib/base/text.h"
#include "lib/policy/profile.h"
#include "lib/policy/purposes.h"

static const char *const san_words[] = {[SAN_EMAIL] = "email", [SAN_UPN] = "upn", [SAN_DNS] = "dns", [SAN_URI] = "uri"};
#define SAN_WORDS (sizeof san_words / sizeof san_words[0])
#define NONE "none"

struct settings {
    struct profile p;
    const char *ca;                        /* name or id */
    const char **san_types, **san_texts;   /* as the database has them; p.san_formats.count of each */
};

/* ---- the words ---- */

static enum result san_put(struct settings *s, struct cli *c, uint32_t i, const char *word, size_t n, const char *text)
{
    for (uint32_t type = 0; type < SAN_WORDS; type++) {
        if (strlen(san_words[type]) != n || memcmp(san_words[type], word, n) != 0)
            continue;
        s->san_types[i] = san_words[type];
        s->san_texts[i] = text;
        s->p.san_formats.items[i] = (struct san){type, text};
        return R_OK;
    }
    return cli_refuse(c, R_BAD_INPUT, "--san: found \"%s\", wanted email:TEXT, upn:TEXT, dns:TEXT or uri:TEXT.", word);
}

static enum result sans_room(struct settings *s, struct cli *c, uint32_t count)
{
    s->san_types = arena_array(&c->arena, count, sizeof *s->san_types);
    s->san_texts = arena_array(&c->arena, count, sizeof *s->san_texts);
    s->p.san_formats = (struct sans){arena_array(&c->arena, count, sizeof *s->p.san_formats.items), count};
    return s->san_types != NULL && s->san_texts != NULL && s->p.san_formats.items != NULL ? R_OK : R_NO_MEMORY;
}

static enum result take_sans(struct settings *s, struct cli *c)
{
    uint32_t count;
    const char **words = cli_texts(c, "san", &count);
    if (words == NULL || count == 0)
        return words == NULL ? R_NO_MEMORY : R_OK;
    if (count == 1 && strcmp(words[0], NONE) == 0)
        count = 0;
    enum result r = sans_room(s, c, count);
    for (uint32_t i = 0; r == R_OK && i < count; i++) {
        const char *sign = strchr(words[i], ':');
        size_t n = sign != NULL ? (size_t)(sign - words[i]) : 0;
        r = san_put(s, c, i, words[i], n, sign != NULL ? sign + 1 : "");
    }
    return r;
}

/* "1 year", "30 days", "6 months" */
static enum result take_validity(struct settings *s, struct cli *c)
{
    const char *word = cli_text(c, "validity");
    char number[8], unit[8];
    int64_t n;
    if (word == NULL)
        return R_OK;
    const char *blank = strchr(word, ' ');
    size_t digits = blank != NULL ? (size_t)(blank - word) : 0, letters = blank != NULL ? strlen(blank + 1) : 0;
    if (digits > 0 && digits < sizeof number && letters > 0 && letters + 2 < sizeof unit) {
        snprintf(number, sizeof number, "%.*s", (int)digits, word);
        snprintf(unit, sizeof unit, "%s%s", blank + 1, blank[letters] == 's' ? "" : "s");
        int known = validity_unit_from_name(unit);
        if (known >= 0 && text_to_number(number, 1, 1000, &n) == R_OK) {
            s->p.validity = (uint32_t)n;
            s->p.validity_unit = (uint32_t)known;
            return R_OK;
        }
    }
    return cli_refuse(c, R_BAD_INPUT,
                      "--validity: found \"%s\", wanted a number and days, months or years, as in \"1 year\".", word);
}

static enum result take_usage(struct settings *s, struct cli *c)
{
    const char *word = cli_text(c, "key-usage");
    uint32_t count;
    if (word != NULL && key_usage_from_text(word, &s->p.key_usage) != R_OK)
        return cli_refuse(c, R_BAD_INPUT, "--key-usage: found \"%s\", wanted digitalSignature, keyEncipherment or both.", word);
    const char **ekus = cli_texts(c, "eku", &count);
    if (ekus == NULL)
        return R_NO_MEMORY;
    return count == 0 ? R_OK : purpose_words(c, "eku", false, &s->p.ekus, NULL);
}

static enum result take_rest(struct settings *s, struct cli *c)
{
    const char *type = cli_text(c, "type"), *subject = cli_text(c, "subject"), *ca = cli_text(c, "ca");
    if (cli_flag(c, "strict") && cli_flag(c, "no-strict"))
        return cli_refuse(c, R_BAD_INPUT, "Wanted --strict or --no-strict, not both.");
    if (cli_flag(c, "strict") || cli_flag(c, "no-strict"))
        s->p.strict = cli_flag(c, "strict");
    if (type != NULL)
        s->p.for_user = strcmp(type, "user") == 0;
    if (subject != NULL)
        s->p.subject_format = subject;
    if (ca != NULL)
        s->ca = ca;
    s->p.key_size_min = (uint32_t)cli_number(c, "key-size", s->p.key_size_min);
    s->p.renewal_threshold = (uint32_t)cli_number(c, "threshold", s->p.renewal_threshold);
    s->p.challenge_seconds = (uint32_t)cli_number(c, "challenge-lifetime", s->p.challenge_seconds);
    return R_OK;
}

static enum result take_messages(struct settings *s, struct cli *c)
{
    const char *level = cli_text(c, "algorithms"), *approval = cli_text(c, "approval"), *variant = cli_text(c, "variant");
    if (cli_flag(c, "renewal") && cli_flag(c, "no-renewal"))
        return cli_refuse(c, R_BAD_INPUT, "Wanted --renewal or --no-renewal, not both.");
    if (cli_flag(c, "renewal") || cli_flag(c, "no-renewal"))
        s->p.renewal = cli_flag(c, "renewal");
    if (level != NULL)
        s->p.algorithms = (uint32_t)algorithm_level_from_name(level);
    if (approval != NULL)
        s->p.manual = strcmp(approval, "manual") == 0;
    if (variant != NULL)
        s->p.variant = strcmp(variant, NONE) == 0 ? "" : variant;
    return R_OK;
}

static enum result take_words(struct settings *s, struct cli *c)
{
    enum result r = take_rest(s, c);
    if (r == R_OK)
        r = take_messages(s, c);
    if (r == R_OK)
        r = take_sans(s, c);
    if (r == R_OK)
        r = take_validity(s, c);
    return r == R_OK ? take_usage(s, c) : r;
}

/* ---- against the CA ---- */

static enum result chain_decode(struct cli *c, const struct db_rows *rows, struct certificate **chain, uint32_t *count)
{
    struct bytes *above;
    uint32_t n;
    enum result r = db_byteas(rows, 0, 3, &c->arena, &above, &n);
    struct certificate *list = r == R_OK ? arena_array(&c->arena, n + 1, sizeof *list) : NULL;
    if (r == R_OK)
        r = list != NULL ? certificate_decode(db_bytes(rows, 0, 2), &c->arena, &list[0]) : R_NO_MEMORY;
    for (uint32_t i = 0; r == R_OK && i < n; i++)
        r = certificate_decode(above[i], &c->arena, &list[i + 1]);
    *chain = list;
    *count = n + 1;
    return r;
}

static enum result settings_check(const struct settings *s, struct cli *c)
{
    const struct db_param arguments[] = {DB_P_TEXT(s->ca)};
    struct db_rows *rows = NULL;
    struct certificate *chain = NULL;
    struct verdict v = {0};
    uint32_t count = 0;
    enum result r = cli_call(c, OPERATOR_PROFILE_CA, arguments, 1, &rows);
    if (r == R_OK)
        r = chain_decode(c, rows, &chain, &count);
    db_rows_free(rows);
    if (r != R_OK)
        return r;
    r = profile_check(&s->p, chain, count, &c->arena, &v);
    if (r != R_OK)
        cli_refuse(c, r, "%s: found %s, wanted %s", v.field != NULL ? v.field : "profile", v.found != NULL ? v.found : "nothing",
                   v.wanted != NULL ? v.wanted : "another");
    return r;
}

#define SETTINGS 16
static void settings_params(const struct settings *s, struct db_param *out)
{
    const struct profile *p = &s->p;
    const struct db_param params[SETTINGS] = {
        DB_P_BOOL(p->for_user), DB_P_TEXT(p->subject_format != NULL ? p->subject_format : ""),
        DB_P_TEXTS(s->san_types, p->san_formats.count), DB_P_TEXTS(s->san_texts, p->san_formats.count),
        DB_P_INT4(p->validity), DB_P_TEXT(validity_unit_name(p->validity_unit)),
        DB_P_INT4(p->key_usage), DB_P_INT4(p->key_size_min), DB_P_TEXTS(p->ekus.items, p->ekus.count), DB_P_BOOL(p->strict),
        DB_P_INT4(p->renewal_threshold), DB_P_INT4(p->challenge_seconds), DB_P_TEXT(algorithm_level_name(p->algorithms)),
        DB_P_BOOL(p->renewal), DB_P_TEXT(p->manual ? "manual" : "automatic"), DB_P_TEXT(p->variant != NULL ? p->variant : ""),
    };
    memcpy(out, params, sizeof params);
}

/* ---- commands ---- */

static enum result profile_add(struct cli *c)
{
    struct db_param arguments[3 + SETTINGS] = {DB_P_TEXT(cli_text(c, "name")), DB_P_TEXT(cli_text(c, "platform")),
                                               DB_P_TEXT(cli_text(c, "ca"))};
    struct settings s = {.p = {.name = cli_text(c, "name"), .platform = cli_text(c, "platform"), .validity = 1,
                               .validity_unit = VALIDITY_YEARS, .key_usage = KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT,
                               .key_size_min = 2048, .renewal_threshold = 20, .challenge_seconds = 604800,
                               .algorithms = ALGORITHMS_COMPATIBLE}};
    s.p.variant = platform_variant_default(s.p.platform);
    s.p.strict = platform_strict_default(s.p.platform);
    enum result r = sans_room(&s, c, 0);
    if (r == R_OK)
        r = take_words(&s, c);
    if (r == R_OK)
        r = settings_check(&s, c);
    if (r != R_OK)
        return r;
    settings_params(&s, arguments + 3);
    return cli_made(c, OPERATOR_PROFILE_ADD, arguments, 3 + SETTINGS, "id");
}

/* The settings of the current revision; *row_version is what the next one is made from. */
static enum result settings_read(struct settings *s, struct cli *c, struct db_rows *rows, int64_t *id, int64_t *row_version)
{
    struct profile *p = &s->p;
    const char **types, **texts;
    uint32_t count, same;
    int unit = validity_unit_from_name(db_text(rows, 0, 10));
    *id = db_number(rows, 0, 0);
    *row_version = db_number(rows, 0, 4);
    p->name = db_text(rows, 0, 1);
    p->platform = db_text(rows, 0, 2);
    s->ca = db_text(rows, 0, 3);
    p->for_user = db_bool(rows, 0, 5);
    p->subject_format = db_text(rows, 0, 6);
    p->validity = (uint32_t)db_number(rows, 0, 9);
    p->validity_unit = unit >= 0 ? (uint32_t)unit : VALIDITY_DAYS;
    p->key_usage = (uint32_t)db_number(rows, 0, 11);
    p->key_size_min = (uint32_t)db_number(rows, 0, 12);
    p->strict = db_bool(rows, 0, 14);
    p->renewal_threshold = (uint32_t)db_number(rows, 0, 15);
    p->challenge_seconds = (uint32_t)db_number(rows, 0, 16);
    p->algorithms = (uint32_t)algorithm_level_from_name(db_text(rows, 0, 17));
    p->renewal = db_bool(rows, 0, 18);
    p->manual = strcmp(db_text(rows, 0, 19), "manual") == 0;
    p->variant = db_text(rows, 0, 20);
    enum result r = db_texts(rows, 0, 13, &c->arena, &p->ekus.items, &p->ekus.count);
    if (r == R_OK)
        r = db_texts(rows, 0, 7, &c->arena, &types, &count);
    if (r == R_OK)
        r = db_texts(rows, 0, 8, &c->arena, &texts, &same);
    if (r == R_OK)
        r = count == same ? sans_room(s, c, count) : R_INTERNAL;
    for (uint32_t i = 0; r == R_OK && i < count; i++)
        r = san_put(s, c, i, types[i], strlen(types[i]), texts[i]);
    return r;
}

static enum result profile_update(struct cli *c)
{
    const struct db_param which[] = {DB_P_TEXT(c->argument)};
    struct db_param arguments[3 + SETTINGS];
    struct settings s = {0};
    struct db_rows *rows = NULL;
    int64_t id = 0, row_version = 0;
    if (c->given_count == 0)
        return cli_refuse(c, R_BAD_INPUT, "Wanted a setting to change.");
    enum result r = cli_call(c, OPERATOR_PROFILE_READ, which, 1, &rows);
    if (r == R_OK)
        r = settings_read(&s, c, rows, &id, &row_version);
    if (r == R_OK)
        r = take_words(&s, c);
    if (r == R_OK)
        r = settings_check(&s, c);
    if (r == R_OK) {
        arguments[0] = DB_P_INT8(id);
        arguments[1] = DB_P_INT4(cli_number(c, "row-version", row_version));
        arguments[2] = DB_P_TEXT(s.ca);
        settings_params(&s, arguments + 3);
        r = cli_made(c, OPERATOR_PROFILE_REVISE, arguments, 3 + SETTINGS, "revision");
    }
    db_rows_free(rows);
    return r;
}

static enum result profile_list(struct cli *c) { return cli_list(c, OPERATOR_PROFILE_LIST, NULL, 0); }

static enum result profile_show(struct cli *c)
{
    const struct db_param arguments[] = {DB_P_TEXT(c->argument)};
    return cli_show(c, OPERATOR_PROFILE_SHOW, arguments, 1);
}

static enum result profile_delete(struct cli *c)
{
    const struct db_param arguments[] = {DB_P_TEXT(c->argument), cli_expected(c)};
    return cli_call(c, OPERATOR_PROFILE_DELETE, arguments, 2, NULL);
}

#define SETTING_OPTIONS(needed) \
    {"ca", "NAME|ID", OPTION_TEXT, needed, "the issuing CA", 0, 0}, \
    {"validity", "PERIOD", OPTION_TEXT, needed, "\"N days\", \"N months\" or \"N years\", to 24 months", 0, 0}, \
    {"eku", "NAME|OID", OPTION_TEXT, (needed) | OPTION_REPEATED, "extended key usage, one of the CA's", 0, 0}, \
    {"subject", "FORMAT", OPTION_TEXT, OPTION_EMPTY, "subject, as in CN={{DeviceName}},O=Contoso", 0, 0}, \
    {"san", "TYPE:TEXT", OPTION_TEXT, OPTION_REPEATED, "alternative name: email, upn, dns or uri; or " NONE, 0, 0}, \
    {"key-usage", "LIST", OPTION_TEXT, 0, "digitalSignature,keyEncipherment (default) or one of them", 0, 0}, \
    {"key-size", "BITS", OPTION_NUMBER, 0, "least size of the device's key: 2048 (default), 3072, 4096", 2048, 4096}, \
    {"type", "device|user", OPTION_CHOICE, 0, "whom the certificate is for (default device)", 0, 0}, \
    {"strict", NULL, OPTION_FLAG, 0, "SANs, key usage and EKU must stand in the request", 0, 0}, \
    {"no-strict", NULL, OPTION_FLAG, 0, "they need only agree where they stand", 0, 0}, \
    {"algorithms", "modern|compatible|legacy", OPTION_CHOICE, 0, "what the messages may use (default compatible)", 0, 0}, \
    {"approval", "automatic|manual", OPTION_CHOICE, 0, "manual: each certificate waits for approval", 0, 0}, \
    {"renewal", NULL, OPTION_FLAG, 0, "a certificate may be renewed by itself alone", 0, 0}, \
    {"no-renewal", NULL, OPTION_FLAG, 0, "it needs a new challenge (default)", 0, 0}, \
    {"variant", "WORDS", OPTION_TEXT, 0, "what the SCEP URI says of the client; or " NONE, 0, 0}, \
    {"threshold", "PERCENT", OPTION_NUMBER, 0, "life left at which renewal begins (default 20)", 1, 99}, \
    {"challenge-lifetime", "SECONDS", OPTION_NUMBER, 0, "life of a challenge (default 604800)", 60, 7776000}

static const struct option add_options[] = {
    {"name", "NAME", OPTION_TEXT, OPTION_REQUIRED, "name", 0, 0},
    {"platform", "windows|ios|macos|android|linux|other", OPTION_CHOICE, OPTION_REQUIRED,
     "platform of the devices it reaches", 0, 0},
    SETTING_OPTIONS(OPTION_REQUIRED), OPTION_END,
};
static const struct option update_options[] = {
    SETTING_OPTIONS(0), {"row-version", "N", OPTION_NUMBER, 0, "refuse where show tells another", 1, INT32_MAX}, OPTION_END,
};
static const struct option delete_options[] = {
    {"row-version", "N", OPTION_NUMBER, 0, "refuse where show tells another", 1, INT32_MAX}, OPTION_END,
};

const struct command commands_profile[] = {
    {"profile", "add", NULL, OPTION_FLAG, add_options, false, "make a SCEP profile; prints its id", profile_add},
    {"profile", "update", "PROFILE", OPTION_TEXT, update_options, false,
     "a new revision with some settings changed; prints its number", profile_update},
    {"profile", "list", NULL, OPTION_FLAG, NULL, false, "the profiles", profile_list},
    {"profile", "show", "PROFILE", OPTION_TEXT, NULL, false, "a profile's settings and assignments", profile_show},
    {"profile", "delete", "PROFILE", OPTION_TEXT, delete_options, false, "end a profile", profile_delete},
    {0},
};
