#include "lib/policy/ca.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/text.h"
#include "lib/policy/bounds.h"
#include "lib/policy/purposes.h"

#define DAY 86400

static const struct kind { const char *name, *label; } kinds[] = {
    [CA_ROOT] = {"root", "Root"}, [CA_ISSUING] = {"issuing", "Issuing"}, [CA_BYOCA] = {"byoca", "Issuing"},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

const char *ca_kind_name(uint32_t kind) { return kind < KINDS ? kinds[kind].name : NULL; }
const char *ca_kind_label(uint32_t kind) { return kind < KINDS ? kinds[kind].label : NULL; }

static const struct state { const char *name, *word; } states[CA_STATES] = {
    [CA_SIGNING_REQUIRED] = {"signing_required", "Signing required"},
    [CA_STAGED] = {"staged", "Staged"},
    [CA_ACTIVE] = {"active", "Active"},
    [CA_PAUSED] = {"paused", "Paused"},
    [CA_RETIRED] = {"retired", "Retired"},
    [CA_REVOKED] = {"revoked", "Revoked"},
    [CA_DECOMMISSIONED] = {"decommissioned", "Decommissioned"},
};

const char *ca_state_name(uint32_t state) { return state < CA_STATES ? states[state].name : NULL; }

int ca_state_from_name(const char *name)
{
    for (int i = 0; i < CA_STATES; i++)
        if (strcmp(states[i].name, name) == 0)
            return i;
    return -1;
}

const char *ca_status_word(uint32_t state, int64_t not_after, int64_t now)
{
    if (state >= CA_STATES)
        return NULL;
    bool can_expire = state != CA_REVOKED && state != CA_SIGNING_REQUIRED;
    return can_expire && now > not_after ? "Expired" : states[state].word;
}

const struct key_pair_choice key_pair_choices[] = {
    {"RSA-2048 and SHA-256", 2048, HASH_SHA256},
    {"RSA-3072 and SHA-384", 3072, HASH_SHA384},
    {"RSA-4096 and SHA-512", 4096, HASH_SHA512},
    {NULL, 0, HASH_OTHER},
};

/* "RSA-2048", the beginning of each name; "2048" is its end. */
#define KEY_NAME_SIZE 8
#define KEY_BITS_AT 4

const struct key_pair_choice *key_pair_choice_find(const char *text)
{
    for (const struct key_pair_choice *c = key_pair_choices; c->name; c++) {
        char key[KEY_NAME_SIZE + 1] = {0};
        memcpy(key, c->name, KEY_NAME_SIZE);
        if (text_equal_nocase(text, c->name) || text_equal_nocase(text, key) || strcmp(text, key + KEY_BITS_AT) == 0)
            return c;
    }
    return NULL;
}

const int root_years[] = {5, 10, 15, 20, 25, 0}, issuing_years[] = {2, 4, 6, 8, 10, 0};

struct ca_case {
    const struct ca_request *q;
    const struct certificate *parent;
    struct arena *a;
    struct verdict *v;
};

static enum result refuse(const struct ca_case *c, const char *field, const char *found, const char *wanted)
{
    return verdict_refuse(c->v, c->a, R_BAD_INPUT, field, found, wanted);
}

static bool is_empty(const char *s)
{
    return !s || *s == '\0';
}

/* Printable, not blanks only, at most max characters. */
static bool is_text(const char *s, size_t max)
{
    return text_is_printable(s, strlen(s)) && text_length(s) <= max && s[strspn(s, " ")] != '\0';
}

static enum result check_kind(const struct ca_case *c)
{
    if (c->q->kind >= KINDS)
        return refuse(c, "kind", arena_printf(c->a, "%u", c->q->kind), "root, issuing or byoca");
    if (c->q->kind == CA_ISSUING && (!c->parent || !c->parent->ca))
        return refuse(c, "parent", NULL, "a root CA");
    return R_OK;
}

static enum result check_texts(const struct ca_case *c)
{
    const char *name = c->q->name, *description = c->q->description;
    if (is_empty(name) || !is_text(name, LIMIT_DISPLAY_NAME) || name[0] == '.' || strpbrk(name, "/\\"))
        return refuse(c, "name", name, "1 to 128 printable characters, no / or \\, no dot at the beginning");
    if (!is_empty(description) && !is_text(description, LIMIT_DESCRIPTION))
        return refuse(c, "description", description, "at most 1024 printable characters");
    return R_OK;
}

static bool is_country(const char *s)
{
    return s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z' && s[2] == '\0';
}

static enum result check_subject(const struct ca_case *c)
{
    const struct ca_subject *s = &c->q->subject;
    const struct { const char *field, *value; } fields[] = {
        {"common_name", s->cn}, {"organization", s->o}, {"organizational_unit", s->ou}, {"state", s->st}, {"locality", s->l},
    };
    if (is_empty(s->cn))
        return refuse(c, "common_name", s->cn, "a common name");
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (!is_empty(fields[i].value) && !is_text(fields[i].value, LIMIT_SUBJECT_FIELD))
            return refuse(c, fields[i].field, fields[i].value, "at most 64 printable characters");
    if (!is_empty(s->c) && !is_country(s->c))
        return refuse(c, "country", s->c, "two letters A to Z");
    return R_OK;
}

static bool is_choice(unsigned bits)
{
    for (const struct key_pair_choice *k = key_pair_choices; k->name; k++)
        if (k->bits == bits)
            return true;
    return false;
}

static enum result check_key(const struct ca_case *c)
{
    unsigned bits = c->q->key_bits;
    bool inherits = c->q->kind == CA_ISSUING;
    if (inherits ? bits == 0 || bits == c->parent->key.size : is_choice(bits))
        return R_OK;
    return refuse(c, "key_size", arena_printf(c->a, "%u", bits), inherits ? "the root's key size" : "2048, 3072 or 4096");
}

static enum result check_years(const struct ca_case *c)
{
    uint32_t years = c->q->years;
    bool fixed = c->q->kind != CA_BYOCA;
    if (fixed ? years >= 1 && years <= LIMIT_CA_YEARS : years == 0)
        return R_OK;
    return refuse(c, "validity", arena_printf(c->a, "%u", years),
                  fixed ? "1 to 100 whole years" : "none: the signing CA decides");
}

/* OIDs, each once, no Any Purpose. */
static enum result check_oids(const struct ca_case *c, const char *field, const struct oids *oids)
{
    if (oids->count > LIMIT_EKUS)
        return refuse(c, field, arena_printf(c->a, "%u", oids->count), "at most 500 key purposes");
    for (uint32_t i = 0; i < oids->count; i++) {
        const char *oid = oids->items[i];
        struct oids before = {oids->items, i};
        if (!oid || !text_is_oid(oid))
            return refuse(c, field, oid, "an OID");
        if (strcmp(oid, EKU_ANY) == 0)
            return refuse(c, field, oid, "named purposes: Any Purpose would lift every limit on use");
        if (purposes_contain(&before, oid))
            return refuse(c, field, oid, "each purpose once");
    }
    return R_OK;
}

static enum result check_ekus(const struct ca_case *c)
{
    const struct oids *ekus = &c->q->ekus;
    if (ekus->count == 0)
        return refuse(c, "eku", "none", "at least one key purpose");
    enum result r = check_oids(c, "eku", ekus);
    const char *lacking = r == R_OK && c->q->kind == CA_ISSUING ? bounds_purpose_lacking(ekus, c->parent, 1) : NULL;
    return lacking ? refuse(c, "eku", lacking, "a key purpose that the root has") : r;
}

static enum result check_eku_names(const struct ca_case *c)
{
    const struct oids *ekus = &c->q->ekus, *names = &c->q->eku_names;
    if (names->count != ekus->count)
        return refuse(c, "eku_name", arena_printf(c->a, "%u", names->count), "as many names as key purposes");
    for (uint32_t i = 0; i < ekus->count; i++) {
        const char *name = names->items[i];
        if (is_empty(name) ? !purpose_name(ekus->items[i]) : !is_text(name, LIMIT_DISPLAY_NAME))
            return refuse(c, "eku_name", is_empty(name) ? ekus->items[i] : name, "a name of at most 128 printable characters");
    }
    return R_OK;
}

static enum result check_ra_ekus(const struct ca_case *c)
{
    const struct oids *ra = &c->q->ra_ekus;
    if (c->q->kind == CA_ROOT && ra->count > 0)
        return refuse(c, "ra_eku", purposes_text(ra, c->a), "none: a root has no RA certificates");
    enum result r = check_oids(c, "ra_eku", ra);
    const char *lacking = r == R_OK ? purposes_lacking(ra, &c->q->ekus) : NULL;
    return lacking ? refuse(c, "ra_eku", lacking, "a key purpose that the CA has") : r;
}

enum result ca_request_check(const struct ca_request *q, const struct certificate *parent, struct arena *a,
                             struct verdict *v)
{
    static enum result (*const checks[])(const struct ca_case *) = {
        check_kind, check_texts, check_subject, check_key, check_years, check_ekus, check_eku_names, check_ra_ekus,
    };
    struct ca_case c = {q, parent, a, v};
    enum result r = R_OK;
    for (size_t i = 0; r == R_OK && i < sizeof checks / sizeof checks[0]; i++)
        r = checks[i](&c);
    return r;
}

enum result ca_subject_name(const struct ca_subject *s, struct arena *a, struct name *out)
{
    const struct name_attribute fields[] = {
        {OID_C, s->c, 0}, {OID_ST, s->st, 0}, {OID_L, s->l, 0}, {OID_OU, s->ou, 0}, {OID_O, s->o, 0}, {OID_CN, s->cn, 0},
    };
    const size_t count = sizeof fields / sizeof fields[0];
    struct name name = {arena_array(a, count, sizeof *name.items), 0};
    if (!name.items)
        return R_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (!is_empty(fields[i].value)) {
            name.items[name.count] = fields[i];
            name.items[name.count].rdn = name.count;
            name.count++;
        }
    *out = name;
    return R_OK;
}

enum result ca_validity(int64_t now, uint32_t years, const struct certificate *parent, int64_t *not_after, bool *clamped)
{
    if (years < 1 || years > LIMIT_CA_YEARS)
        return R_BAD_INPUT;
    if (parent && parent->not_after - now < DAY)
        return R_STATE;
    int64_t end = clock_add_years(now, (int)years);
    *clamped = parent && parent->not_after < end;
    *not_after = *clamped ? parent->not_after : end;
    return R_OK;
}

#define IN(state) (1u << (state))

/* From which states, by kind of CA; none: never. */
static const struct action { unsigned from[KINDS]; const char *wanted; } actions[] = {
    [CA_ACTION_PAUSE] = {{[CA_ISSUING] = IN(CA_ACTIVE), [CA_BYOCA] = IN(CA_ACTIVE)}, "an issuing CA that is Active"},
    [CA_ACTION_RESUME] = {{[CA_ISSUING] = IN(CA_PAUSED), [CA_BYOCA] = IN(CA_PAUSED)}, "an issuing CA that is Paused"},
    [CA_ACTION_REVOKE] = {{[CA_ISSUING] = IN(CA_PAUSED), [CA_BYOCA] = IN(CA_PAUSED)}, "an issuing CA that is Paused"},
    [CA_ACTION_DELETE] = {{[CA_ROOT] = IN(CA_ACTIVE), [CA_ISSUING] = IN(CA_REVOKED),
                           [CA_BYOCA] = IN(CA_REVOKED) | IN(CA_SIGNING_REQUIRED)},
                          "a root without issuing CAs, or an issuing CA that is Revoked or never was signed"},
};

enum result ca_action_check(enum ca_action action, uint32_t kind, uint32_t state, uint64_t active_leaves,
                            uint64_t live_children, struct arena *a, struct verdict *v)
{
    if ((unsigned)action >= sizeof actions / sizeof actions[0] || kind >= KINDS || state >= CA_STATES)
        return verdict_refuse(v, a, R_STATE, "state", NULL, "a known action, kind and state");
    const struct action *row = &actions[action];
    if (!(row->from[kind] & IN(state)))
        return verdict_refuse(v, a, R_STATE, "state", kind == CA_ROOT && row->from[kind] == 0 ? "Root" : states[state].word,
                              row->wanted);
    if (action == CA_ACTION_REVOKE && active_leaves > 0)
        return verdict_refuse(v, a, R_STATE, "certificates",
                              arena_printf(a, "%llu active", (unsigned long long)active_leaves),
                              "all certificates of the CA revoked or expired");
    if (action == CA_ACTION_DELETE && kind == CA_ROOT && live_children > 0)
        return verdict_refuse(v, a, R_STATE, "children", arena_printf(a, "%llu", (unsigned long long)live_children),
                              "all issuing CAs below deleted");
    return R_OK;
}
