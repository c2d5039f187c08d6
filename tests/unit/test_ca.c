#include <criterion/criterion.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/policy/ca.h"
#include "lib/policy/purposes.h"

#define COUNT(x) (sizeof (x) / sizeof (x)[0])
#define DAY 86400

static bool same(const char *x, const char *y)
{
    return x && y ? strcmp(x, y) == 0 : x == y;
}

static int64_t at(const char *iso)
{
    int64_t t = 0;
    cr_assert_eq(clock_from_iso(iso, &t), R_OK, "%s", iso);
    return t;
}

Test(ca, words)
{
    static const struct { uint32_t state; const char *name, *word, *late; } cases[] = {
        {CA_SIGNING_REQUIRED, "signing_required", "Signing required", "Signing required"},
        {CA_STAGED, "staged", "Staged", "Expired"},
        {CA_ACTIVE, "active", "Active", "Expired"},
        {CA_PAUSED, "paused", "Paused", "Expired"},
        {CA_RETIRED, "retired", "Retired", "Expired"},
        {CA_REVOKED, "revoked", "Revoked", "Revoked"},
        {CA_DECOMMISSIONED, "decommissioned", "Decommissioned", "Expired"},
    };
    cr_assert_eq(COUNT(cases), (size_t)CA_STATES);
    for (size_t i = 0; i < COUNT(cases); i++) {
        cr_expect_str_eq(ca_state_name(cases[i].state), cases[i].name);
        cr_expect_eq(ca_state_from_name(cases[i].name), (int)cases[i].state);
        cr_expect_str_eq(ca_status_word(cases[i].state, 1000, 999), cases[i].word, "a second before the end");
        cr_expect_str_eq(ca_status_word(cases[i].state, 1000, 1000), cases[i].word, "the last second still counts");
        cr_expect_str_eq(ca_status_word(cases[i].state, 1000, 1001), cases[i].late, "a second after");
    }
    cr_expect_eq(ca_state_from_name("Active"), -1, "stored names are exact");
    cr_expect_eq(ca_state_from_name("expired"), -1, "not stored");
    cr_expect_null(ca_state_name(CA_STATES));
    cr_expect_null(ca_status_word(CA_STATES, 1, 0));
    cr_expect_str_eq(ca_kind_name(CA_ROOT), "root");
    cr_expect_str_eq(ca_kind_name(CA_ISSUING), "issuing");
    cr_expect_str_eq(ca_kind_name(CA_BYOCA), "byoca");
    cr_expect_str_eq(ca_kind_label(CA_ROOT), "Root");
    cr_expect_str_eq(ca_kind_label(CA_ISSUING), "Issuing");
    cr_expect_str_eq(ca_kind_label(CA_BYOCA), "Issuing", "row 2.E10");
    cr_expect_null(ca_kind_name(3));
    cr_expect_null(ca_kind_label(3));
}

Test(ca, key_pairs)
{
    static const struct { const char *text; unsigned bits; uint32_t hash; const char *why; } cases[] = {
        {"2048", 2048, HASH_SHA256, "bits"},
        {"RSA-3072", 3072, HASH_SHA384, "the key"},
        {"rsa-4096", 4096, HASH_SHA512, "without regard to case"},
        {"RSA-4096 and SHA-512", 4096, HASH_SHA512, "the words of the form"},
        {"RSA-3096", 0, 0, "the misprint of row 6.51"},
        {"1024", 0, 0, "too small"},
        {"8192", 0, 0, "too large"},
        {"RSA-2048 and SHA-512", 0, 0, "pairs are fixed"},
        {"048", 0, 0, "an end of a choice"},
        {"", 0, 0, "nothing"},
        {"RSA-", 0, 0, "a beginning"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct key_pair_choice *c = key_pair_choice_find(cases[i].text);
        cr_expect_eq(c ? c->bits : 0, cases[i].bits, "%s: %s", cases[i].text, cases[i].why);
        if (c)
            cr_expect_eq(c->hash, cases[i].hash, "%s", cases[i].why);
    }
    for (int i = 0; i < 6; i++) {
        cr_expect_eq(root_years[i], ((const int[]){5, 10, 15, 20, 25, 0})[i], "row 2.C05");
        cr_expect_eq(issuing_years[i], ((const int[]){2, 4, 6, 8, 10, 0})[i], "row 2.D04");
    }
}

/* ---- requests ---- */

#define X8(s) s s s s s s s s
#define X64(s) X8(X8(s))
#define X128(s) X64(s) X64(s)
#define X1024(s) X8(X128(s))

static const char *two[] = {EKU_CLIENT_AUTH, EKU_SERVER_AUTH}, *client[] = {EKU_CLIENT_AUTH}, *any[] = {EKU_CLIENT_AUTH, EKU_ANY};
static const char *custom[] = {"1.3.6.1.4.1.99999.1"}, *doubled[] = {EKU_CLIENT_AUTH, EKU_CLIENT_AUTH}, *broken[] = {"1.3.6."};
static const char *ocsp[] = {"1.3.6.1.5.5.7.3.9"}, *absent[] = {NULL}, *many[LIMIT_EKUS + 1];
static const char *none_names[] = {"", NULL}, *names[] = {"My purpose"}, *long_names[] = {X128("n") "n"}, *bad_names[] = {"a\nb"};
static struct certificate root = {.ca = true, .path_length = 1, .key = {.kind = KEY_RSA, .size = 4096}, .has_ekus = true,
                                  .ekus = {two, 2}};
static struct certificate open_root = {.ca = true, .key = {.kind = KEY_RSA, .size = 2048}};
static struct certificate no_root = {.key = {.kind = KEY_RSA, .size = 2048}};

/* A good request of each kind; a case changes some of it. */
static struct ca_request request(uint32_t kind)
{
    return (struct ca_request){
        .kind = kind, .name = "Contoso C-PKI Root CA", .subject = {.cn = "Contoso"}, .key_bits = kind == CA_ISSUING ? 0 : 4096,
        .years = kind == CA_BYOCA ? 0 : 10, .ekus = {two, 2}, .eku_names = {none_names, 2},
    };
}

/* One field of the request set to a value: by its place, so that a table can name it. */
enum what { NAME, DESCRIPTION, CN, O, OU, C, ST, L, TEXTS, KIND, BITS, YEARS, NUMBERS, EKUS, EKU_NAMES, RA_EKUS };

static void set(struct ca_request *q, enum what what, const char *text, uint32_t number, struct oids oids)
{
    const char **texts[TEXTS] = {&q->name, &q->description, &q->subject.cn, &q->subject.o, &q->subject.ou, &q->subject.c,
                                 &q->subject.st, &q->subject.l};
    uint32_t *numbers[] = {&q->kind, &q->key_bits, &q->years};
    struct oids *lists[] = {&q->ekus, &q->eku_names, &q->ra_ekus};
    if (what < TEXTS)
        *texts[what] = text;
    else if (what < NUMBERS)
        *numbers[what - TEXTS - 1] = number;
    else
        *lists[what - NUMBERS - 1] = oids;
}

Test(ca, request_texts)
{
    static const struct { enum what what; const char *text, *field, *why; } cases[] = {
        {NAME, "a", NULL, "one character"},
        {NAME, X128("é"), NULL, "128 characters, 256 bytes"},
        {NAME, X128("é") "x", "name", "129 characters"},
        {NAME, "", "name", "empty"},
        {NAME, NULL, "name", "none"},
        {NAME, "   ", "name", "blanks"},
        {NAME, "a/b", "name", "a path"},
        {NAME, "a\\b", "name", "a path of Windows"},
        {NAME, ".a", "name", "a hidden file"},
        {NAME, "..", "name", "the folder above"},
        {NAME, "a.b", NULL, "a dot within"},
        {NAME, "a\nb", "name", "a line feed"},
        {NAME, "a\xff", "name", "not UTF-8"},
        {NAME, "\"<b>CA\" & 🦊 שלום", NULL, "markup, emoji, right-to-left: text"},
        {DESCRIPTION, NULL, NULL, "optional"},
        {DESCRIPTION, "", NULL, "optional"},
        {DESCRIPTION, X1024("d"), NULL, "1024 characters"},
        {DESCRIPTION, X1024("d") "d", "description", "1025 characters"},
        {DESCRIPTION, "a\x1b", "description", "a control character"},
        {CN, NULL, "common_name", "required"},
        {CN, "", "common_name", "required"},
        {CN, " ", "common_name", "blanks"},
        {CN, X64("é"), NULL, "64 characters"},
        {CN, X64("é") "x", "common_name", "65 characters"},
        {CN, "a,O=b", NULL, "DN syntax is text"},
        {CN, "a\tb", "common_name", "a tab"},
        {O, NULL, NULL, "optional"},
        {O, X64("o"), NULL, "64 characters"},
        {O, X64("o") "x", "organization", "65 characters"},
        {O, "  ", "organization", "blanks"},
        {OU, X64("o"), NULL, "64 characters"},
        {OU, X64("o") "x", "organizational_unit", "65 characters"},
        {OU, "a\xc0\x80", "organizational_unit", "an overlong NUL"},
        {ST, X64("o"), NULL, "64 characters"},
        {ST, X64("o") "x", "state", "65 characters"},
        {L, X64("o"), NULL, "64 characters"},
        {L, X64("o") "x", "locality", "65 characters"},
        {C, "DE", NULL, "two letters"},
        {C, "AZ", NULL, "the first and the last"},
        {C, "ZA", NULL, "the last and the first"},
        {C, "", NULL, "optional"},
        {C, NULL, NULL, "optional"},
        {C, "D", "country", "one letter"},
        {C, "DEU", "country", "three letters"},
        {C, "de", "country", "small letters"},
        {C, "D1", "country", "a digit"},
        {C, "ÄÖ", "country", "letters beyond Z"},
        {C, "  ", "country", "blanks"},
    };
    static const uint32_t kinds[] = {CA_ROOT, CA_ISSUING, CA_BYOCA};
    for (size_t i = 0; i < COUNT(cases) * COUNT(kinds); i++) {
        size_t n = i / COUNT(kinds);
        struct arena a;
        struct verdict v = {0};
        struct ca_request q = request(kinds[i % COUNT(kinds)]);
        arena_init(&a, 65536);
        set(&q, cases[n].what, cases[n].text, 0, (struct oids){0});
        cr_expect_eq(ca_request_check(&q, &root, &a, &v), cases[n].field ? R_BAD_INPUT : R_OK, "%s", cases[n].why);
        cr_expect(same(v.field, cases[n].field), "%s: field %s", cases[n].why, v.field);
        arena_free(&a);
    }
}

Test(ca, request_numbers)
{
    static const struct {
        uint32_t kind; enum what what; uint32_t number; const struct certificate *parent; const char *field, *why;
    } cases[] = {
        {CA_ROOT, BITS, 2048, NULL, NULL, "a choice"},
        {CA_ROOT, BITS, 3072, NULL, NULL, "a choice"},
        {CA_ROOT, BITS, 4096, NULL, NULL, "a choice"},
        {CA_ROOT, BITS, 1024, NULL, "key_size", "row 1.11"},
        {CA_ROOT, BITS, 3096, NULL, "key_size", "the misprint of row 6.51"},
        {CA_ROOT, BITS, 8192, NULL, "key_size", "too large"},
        {CA_ROOT, BITS, 0, NULL, "key_size", "a root has nothing to inherit"},
        {CA_BYOCA, BITS, 3072, NULL, NULL, "row 2.E02"},
        {CA_BYOCA, BITS, 0, NULL, "key_size", "nothing to inherit"},
        {CA_ISSUING, BITS, 0, &root, NULL, "inherits (2.D07)"},
        {CA_ISSUING, BITS, 4096, &root, NULL, "the root's, said"},
        {CA_ISSUING, BITS, 2048, &root, "key_size", "another than the root's"},
        {CA_ROOT, YEARS, 0, NULL, "validity", "none"},
        {CA_ROOT, YEARS, 1, NULL, NULL, "the least"},
        {CA_ROOT, YEARS, 7, NULL, NULL, "any whole year"},
        {CA_ROOT, YEARS, 100, NULL, NULL, "the most"},
        {CA_ROOT, YEARS, 101, NULL, "validity", "too many"},
        {CA_ROOT, YEARS, UINT32_MAX, NULL, "validity", "far too many"},
        {CA_ISSUING, YEARS, 0, &root, "validity", "none"},
        {CA_ISSUING, YEARS, 100, &root, NULL, "longer than the root: clamped, not refused"},
        {CA_BYOCA, YEARS, 0, NULL, NULL, "the signing CA decides (2.E01)"},
        {CA_BYOCA, YEARS, 5, NULL, "validity", "the signing CA decides"},
        {CA_ISSUING, KIND, CA_ISSUING, NULL, "parent", "row 2.D01"},
        {CA_ISSUING, KIND, CA_ISSUING, &no_root, "parent", "a parent that is no CA"},
        {CA_ROOT, KIND, 3, NULL, "kind", "no kind"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena a;
        struct verdict v = {0};
        struct ca_request q = request(cases[i].kind);
        arena_init(&a, 65536);
        set(&q, cases[i].what, NULL, cases[i].number, (struct oids){0});
        cr_expect_eq(ca_request_check(&q, cases[i].parent, &a, &v), cases[i].field ? R_BAD_INPUT : R_OK, "%s", cases[i].why);
        cr_expect(same(v.field, cases[i].field), "%s: field %s", cases[i].why, v.field);
        arena_free(&a);
    }
}

Test(ca, request_purposes)
{
    static const struct {
        uint32_t kind;
        struct oids ekus, names, ra;
        const struct certificate *parent;
        const char *field, *found, *why;
    } cases[] = {
        {CA_ROOT, {two, 2}, {none_names, 2}, {NULL, 0}, NULL, NULL, NULL, "well-known ones need no name"},
        {CA_ROOT, {NULL, 0}, {NULL, 0}, {NULL, 0}, NULL, "eku", "none", "at least one"},
        {CA_ROOT, {any, 2}, {none_names, 2}, {NULL, 0}, NULL, "eku", EKU_ANY, "Any Purpose (2.C08)"},
        {CA_BYOCA, {any, 2}, {none_names, 2}, {NULL, 0}, NULL, "eku", EKU_ANY, "Any Purpose, BYOCA"},
        {CA_ISSUING, {any, 2}, {none_names, 2}, {NULL, 0}, &open_root, "eku", EKU_ANY, "Any Purpose below a root without limits"},
        {CA_ROOT, {doubled, 2}, {none_names, 2}, {NULL, 0}, NULL, "eku", EKU_CLIENT_AUTH, "doubled"},
        {CA_ROOT, {broken, 1}, {none_names, 1}, {NULL, 0}, NULL, "eku", "1.3.6.", "no OID"},
        {CA_ROOT, {absent, 1}, {none_names, 1}, {NULL, 0}, NULL, "eku", NULL, "no text"},
        {CA_ROOT, {many, LIMIT_EKUS}, {many, LIMIT_EKUS}, {NULL, 0}, NULL, NULL, NULL, "500"},
        {CA_ROOT, {many, LIMIT_EKUS + 1}, {many, LIMIT_EKUS + 1}, {NULL, 0}, NULL, "eku", "501", "501"},
        {CA_ROOT, {custom, 1}, {names, 1}, {NULL, 0}, NULL, NULL, NULL, "a custom one with its name (2.C07)"},
        {CA_ROOT, {custom, 1}, {none_names, 1}, {NULL, 0}, NULL, "eku_name", "1.3.6.1.4.1.99999.1", "a custom one without"},
        {CA_ROOT, {custom, 1}, {long_names, 1}, {NULL, 0}, NULL, "eku_name", X128("n") "n", "a name of 129 characters"},
        {CA_ROOT, {custom, 1}, {bad_names, 1}, {NULL, 0}, NULL, "eku_name", "a\nb", "a name with a line feed"},
        {CA_ROOT, {client, 1}, {NULL, 0}, {NULL, 0}, NULL, "eku_name", "0", "names are counted"},
        {CA_ISSUING, {two, 2}, {none_names, 2}, {NULL, 0}, &root, NULL, NULL, "all of the root's"},
        {CA_ISSUING, {client, 1}, {none_names, 1}, {NULL, 0}, &root, NULL, NULL, "some of the root's"},
        {CA_ISSUING, {ocsp, 1}, {none_names, 1}, {NULL, 0}, &root, "eku", "1.3.6.1.5.5.7.3.9", "not the root's (2.D05)"},
        {CA_ISSUING, {ocsp, 1}, {none_names, 1}, {NULL, 0}, &open_root, NULL, NULL, "a root without EKU has all"},
        {CA_BYOCA, {ocsp, 1}, {none_names, 1}, {NULL, 0}, NULL, NULL, NULL, "no parent here"},
        {CA_ISSUING, {two, 2}, {none_names, 2}, {client, 1}, &root, NULL, NULL, "an RA EKU of the CA's"},
        {CA_ISSUING, {client, 1}, {none_names, 1}, {two, 2}, &root, "ra_eku", EKU_SERVER_AUTH, "one that the CA has not"},
        {CA_ISSUING, {two, 2}, {none_names, 2}, {any, 2}, &root, "ra_eku", EKU_ANY, "Any Purpose for the RA"},
        {CA_ISSUING, {two, 2}, {none_names, 2}, {doubled, 2}, &root, "ra_eku", EKU_CLIENT_AUTH, "doubled for the RA"},
        {CA_ROOT, {two, 2}, {none_names, 2}, {client, 1}, NULL, "ra_eku", EKU_CLIENT_AUTH, "a root has no RA"},
    };
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = arena_printf(&a, "1.3.6.1.4.1.99999.2.%zu", i);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct verdict v = {0};
        struct ca_request q = request(cases[i].kind);
        set(&q, EKUS, NULL, 0, cases[i].ekus);
        set(&q, EKU_NAMES, NULL, 0, cases[i].names);
        set(&q, RA_EKUS, NULL, 0, cases[i].ra);
        cr_expect_eq(ca_request_check(&q, cases[i].parent, &a, &v), cases[i].field ? R_BAD_INPUT : R_OK, "%s", cases[i].why);
        cr_expect(same(v.field, cases[i].field), "%s: field %s", cases[i].why, v.field);
        cr_expect(same(v.found, cases[i].found), "%s: found %s", cases[i].why, v.found);
    }
    arena_free(&a);
}

Test(ca, subject_order)
{
    static const struct { struct ca_subject s; const char *text, *why; } cases[] = {
        {{"My CA", "Org", "Unit", "DE", "BE", "Berlin"}, "C=DE,ST=BE,L=Berlin,OU=Unit,O=Org,CN=My CA", "row 2.C32"},
        {{"My CA", NULL, "", NULL, NULL, NULL}, "CN=My CA", "what is empty is left out"},
        {{"a,b", "O=x", NULL, NULL, NULL, NULL}, "O=O\\=x,CN=a\\,b", "DN syntax is text"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena a;
        struct name n;
        arena_init(&a, 65536);
        cr_assert_eq(ca_subject_name(&cases[i].s, &a, &n), R_OK);
        for (uint32_t j = 0; j < n.count; j++)
            cr_expect_eq(n.items[j].rdn, j, "an RDN each");
        const char *text = name_text(&n, &a);
        cr_expect(same(text, cases[i].text), "%s: %s", cases[i].why, text);
        arena_free(&a);
    }
}

Test(ca, validity)
{
    static const struct {
        const char *now; uint32_t years; const char *parent_end, *end; bool clamped; enum result r; const char *why;
    } cases[] = {
        {"2026-11-22T15:04:05Z", 25, NULL, "2051-11-22T15:04:05Z", false, R_OK, "a root, to the second (2.C33)"},
        {"2028-02-29T00:00:00Z", 1, NULL, "2029-02-28T00:00:00Z", false, R_OK, "a leap day"},
        {"2026-01-01T00:00:00Z", 100, NULL, "2126-01-01T00:00:00Z", false, R_OK, "the most"},
        {"2026-01-01T00:00:00Z", 10, "2051-01-01T00:00:00Z", "2036-01-01T00:00:00Z", false, R_OK, "within the root"},
        {"2026-01-01T00:00:00Z", 10, "2036-01-01T00:00:00Z", "2036-01-01T00:00:00Z", false, R_OK, "exactly the root's end"},
        {"2026-01-01T00:00:00Z", 10, "2035-12-31T23:59:59Z", "2035-12-31T23:59:59Z", true, R_OK, "a second over: clamped"},
        {"2026-01-01T00:00:00Z", 10, "2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", true, R_OK, "a root with a day left"},
        {"2026-01-01T00:00:00Z", 10, "2026-01-01T23:59:59Z", NULL, false, R_STATE, "a root that ends within a day"},
        {"2026-01-01T00:00:00Z", 10, "2020-01-01T00:00:00Z", NULL, false, R_STATE, "an expired root"},
        {"2026-01-01T00:00:00Z", 0, NULL, NULL, false, R_BAD_INPUT, "no years"},
        {"2026-01-01T00:00:00Z", 101, NULL, NULL, false, R_BAD_INPUT, "too many"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct certificate parent = {.not_after = cases[i].parent_end ? at(cases[i].parent_end) : 0};
        int64_t end = -7;
        bool clamped = false;
        enum result r = ca_validity(at(cases[i].now), cases[i].years, cases[i].parent_end ? &parent : NULL, &end, &clamped);
        cr_expect_eq(r, cases[i].r, "%s", cases[i].why);
        cr_expect_eq(end, cases[i].end ? at(cases[i].end) : -7, "%s", cases[i].why);
        cr_expect_eq(clamped, cases[i].clamped, "%s", cases[i].why);
    }
}

/* ---- actions ---- */

/* The whole table: a column for each state, in the order of enum ca_state. */
Test(ca, actions)
{
    static const struct { enum ca_action action; uint32_t kind; const char *allowed, *why; } cases[] = {
        /* signing required, staged, active, paused, retired, revoked, decommissioned */
        {CA_ACTION_PAUSE, CA_ROOT,      "- - - - - - -", "roots are not paused"},
        {CA_ACTION_PAUSE, CA_ISSUING,   "- - + - - - -", "row 2.F01"},
        {CA_ACTION_PAUSE, CA_BYOCA,     "- - + - - - -", "row 2.F01"},
        {CA_ACTION_RESUME, CA_ROOT,     "- - - - - - -", "roots are never paused"},
        {CA_ACTION_RESUME, CA_ISSUING,  "- - - + - - -", "row 2.F02"},
        {CA_ACTION_RESUME, CA_BYOCA,    "- - - + - - -", "row 2.F02"},
        {CA_ACTION_REVOKE, CA_ROOT,     "- - - - - - -", "roots are not revoked"},
        {CA_ACTION_REVOKE, CA_ISSUING,  "- - - + - - -", "row 2.F03"},
        {CA_ACTION_REVOKE, CA_BYOCA,    "- - - + - - -", "row 2.F03"},
        {CA_ACTION_DELETE, CA_ROOT,     "- - + - - - -", "row 2.F05"},
        {CA_ACTION_DELETE, CA_ISSUING,  "- - - - - + -", "row 2.F04"},
        {CA_ACTION_DELETE, CA_BYOCA,    "+ - - - - + -", "row 2.F04, and one that was never signed"},
    };
    cr_assert_eq(COUNT(cases), 12u, "four actions by three kinds");
    for (size_t i = 0; i < COUNT(cases) * CA_STATES; i++) {
        size_t n = i / CA_STATES;
        uint32_t state = (uint32_t)(i % CA_STATES);
        bool allowed = cases[n].allowed[2 * state] == '+', root_never = cases[n].kind == CA_ROOT && n != 9;
        struct arena a;
        struct verdict v = {0};
        arena_init(&a, 65536);
        cr_expect_eq(ca_action_check(cases[n].action, cases[n].kind, state, 0, 0, &a, &v), allowed ? R_OK : R_STATE,
                     "%s: %s, %s", cases[n].why, ca_kind_name(cases[n].kind), ca_state_name(state));
        if (!allowed) {
            cr_expect_str_eq(v.field, "state");
            cr_expect_str_eq(v.found, root_never ? "Root" : ca_status_word(state, 1, 0), "%s", cases[n].why);
            cr_expect(v.wanted && *v.wanted);
        }
        arena_free(&a);
    }
}

Test(ca, actions_by_what_hangs_on_the_ca)
{
    static const struct {
        enum ca_action action; uint32_t kind, state; uint64_t leaves, children; const char *field, *found, *why;
    } cases[] = {
        {CA_ACTION_REVOKE, CA_ISSUING, CA_PAUSED, 1, 0, "certificates", "1 active", "one certificate is left (2.F03, 6.56)"},
        {CA_ACTION_REVOKE, CA_BYOCA, CA_PAUSED, 5000000000, 0, "certificates", "5000000000 active", "many are left"},
        {CA_ACTION_REVOKE, CA_ISSUING, CA_ACTIVE, 1, 0, "state", "Active", "the state comes first"},
        {CA_ACTION_PAUSE, CA_ISSUING, CA_ACTIVE, 9, 0, NULL, NULL, "pausing does not ask"},
        {CA_ACTION_RESUME, CA_ISSUING, CA_PAUSED, 9, 0, NULL, NULL, "nor does resuming"},
        {CA_ACTION_DELETE, CA_ROOT, CA_ACTIVE, 0, 1, "children", "1", "an issuing CA is left (2.F05)"},
        {CA_ACTION_DELETE, CA_ROOT, CA_ACTIVE, 0, 0, NULL, NULL, "none is left"},
        {CA_ACTION_DELETE, CA_ISSUING, CA_REVOKED, 0, 0, NULL, NULL, "a revoked one goes"},
        {CA_ACTION_DELETE, CA_BYOCA, CA_SIGNING_REQUIRED, 0, 0, NULL, NULL, "one that was never signed goes"},
        {CA_ACTION_DELETE, 3, CA_REVOKED, 0, 0, "state", NULL, "no kind"},
        {CA_ACTION_DELETE, CA_ISSUING, CA_STATES, 0, 0, "state", NULL, "no state"},
        {(enum ca_action)4, CA_ISSUING, CA_REVOKED, 0, 0, "state", NULL, "no action"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena a;
        struct verdict v = {0};
        arena_init(&a, 65536);
        enum result r = ca_action_check(cases[i].action, cases[i].kind, cases[i].state, cases[i].leaves,
                                        cases[i].children, &a, &v);
        cr_expect_eq(r, cases[i].field ? R_STATE : R_OK, "%s", cases[i].why);
        cr_expect(same(v.field, cases[i].field), "%s: field %s", cases[i].why, v.field);
        cr_expect(same(v.found, cases[i].found), "%s: found %s", cases[i].why, v.found);
        arena_free(&a);
    }
}
