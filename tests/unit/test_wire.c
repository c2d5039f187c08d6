#include <criterion/criterion.h>

#include <string.h>

#include "lib/codec/wire.h"

#define COUNT(table) (sizeof table / sizeof table[0])

struct pair { const char *name; int64_t number; };
struct pairs { struct pair *items; uint32_t count; };
struct texts { const char **items; uint32_t count; };
struct inner { uint32_t small; struct bytes data; };
struct message {
    uint32_t number;
    bool flag;
    int64_t time;
    const char *text;
    struct bytes data;
    struct texts texts;
    struct pairs pairs;
    struct inner inner;
};

#define FIELD(type, member, kind, max, of) {#member, kind, offsetof(struct type, member), max, of}
static const struct wire_field pair_fields[] = {
    FIELD(pair, name, WIRE_TEXT, 8, NULL),
    FIELD(pair, number, WIRE_I64, 0, NULL),
};
static const struct wire_type pair_type = {"pair", sizeof(struct pair), pair_fields, COUNT(pair_fields)};
static const struct wire_field inner_fields[] = {
    FIELD(inner, small, WIRE_U32, 9, NULL),
    FIELD(inner, data, WIRE_BYTES, 2, NULL),
};
static const struct wire_type inner_type = {"inner", sizeof(struct inner), inner_fields, COUNT(inner_fields)};
static const struct wire_field message_fields[] = {
    FIELD(message, number, WIRE_U32, 0, NULL),
    FIELD(message, flag, WIRE_BOOL, 0, NULL),
    FIELD(message, time, WIRE_I64, 0, NULL),
    FIELD(message, text, WIRE_TEXT, 10, NULL),
    FIELD(message, data, WIRE_BYTES, 10, NULL),
    FIELD(message, texts, WIRE_LIST, 3, NULL),
    FIELD(message, pairs, WIRE_LIST, 2, &pair_type),
    FIELD(message, inner, WIRE_STRUCT, 0, &inner_type),
};
static const struct wire_type message_type = {"message", sizeof(struct message), message_fields, COUNT(message_fields)};

static const char *two_texts[] = {"a", "\xc3\xa4"};
static struct pair two_pairs[] = {{"x", INT64_MIN}, {NULL, 7}};

static struct message sample(void)
{
    return (struct message){UINT32_MAX, true, -1, "text", BYTES("\0\1", 2), {two_texts, 2}, {two_pairs, 2}, {9, BYTES("", 0)}};
}

static const struct wire_field text_fields[] = {FIELD(pair, name, WIRE_TEXT, 4, NULL)};
static const struct wire_type text_type = {"text", sizeof(struct pair), text_fields, 1};

Test(wire, what_goes_in_comes_out)
{
    struct message in = sample(), out;
    struct arena a;
    struct buf b;
    arena_init(&a, 1 << 16);
    buf_init(&b, 1 << 16);
    memset(&out, 0xee, sizeof out);
    cr_assert_eq(wire_encode(&message_type, &in, &b), R_OK);
    cr_assert_eq(wire_decode(&message_type, buf_bytes(&b), &a, &out), R_OK);
    cr_expect_eq(out.number, UINT32_MAX);
    cr_expect(out.flag);
    cr_expect_eq(out.time, -1);
    cr_expect_str_eq(out.text, "text");
    cr_expect(bytes_equal(out.data, in.data));
    cr_expect_eq(out.texts.count, 2);
    cr_expect_str_eq(out.texts.items[1], "\xc3\xa4");
    cr_expect_eq(out.pairs.count, 2);
    cr_expect_str_eq(out.pairs.items[0].name, "x");
    cr_expect_eq(out.pairs.items[0].number, INT64_MIN);
    cr_expect_null(out.pairs.items[1].name, "NULL travels");
    cr_expect_eq(out.inner.small, 9);
    cr_expect(out.inner.data.p != NULL && out.inner.data.n == 0, "empty is told apart from absent");
    buf_free(&b);
    arena_free(&a);
}

Test(wire, nothing_at_all)
{
    struct message in = {.inner = {.data = BYTES_NONE}}, out = sample();
    struct arena a;
    struct buf b;
    arena_init(&a, 1 << 16);
    buf_init(&b, 1 << 16);
    cr_assert_eq(wire_encode(&message_type, &in, &b), R_OK);
    cr_assert_eq(wire_decode(&message_type, buf_bytes(&b), &a, &out), R_OK);
    cr_expect_null(out.text);
    cr_expect_null(out.data.p);
    cr_expect_null(out.texts.items);
    cr_expect_eq(out.texts.count, 0);
    cr_expect_null(out.inner.data.p);
    buf_free(&b);
    arena_free(&a);
}

Test(wire, what_does_not_fit_is_not_written)
{
    static const char *many[] = {"a", "b", "c", "d"};
    static const char *hole[] = {"a", NULL};
    static const struct {
        const char *text;
        size_t data;
        struct texts texts;
        uint32_t small;
        enum result r;
        const char *why;
    } cases[] = {
        {"0123456789", 10, {many, 3}, 9, R_OK, "all at their limits"},
        {"0123456789a", 0, {many, 0}, 0, R_TOO_LARGE, "text too long"},
        {"\xff", 0, {many, 0}, 0, R_BAD_INPUT, "not UTF-8"},
        {"", 11, {many, 0}, 0, R_TOO_LARGE, "too many bytes"},
        {"", 0, {many, 4}, 0, R_TOO_LARGE, "too many items"},
        {"", 0, {hole, 2}, 0, R_BAD_INPUT, "a NULL in a list of texts"},
        {"", 0, {many, 0}, 10, R_TOO_LARGE, "a number beyond its field's greatest"},
    };
    static const uint8_t zeros[16];
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct message m = sample();
        struct buf b;
        m.text = cases[i].text;
        m.data = BYTES(zeros, cases[i].data);
        m.texts = cases[i].texts;
        m.inner.small = cases[i].small;
        buf_init(&b, 1 << 16);
        buf_text(&b, "before");
        cr_expect_eq(wire_encode(&message_type, &m, &b), cases[i].r, "%s", cases[i].why);
        cr_expect(cases[i].r == R_OK || b.n == 6, "nothing half written: %s", cases[i].why);
        buf_free(&b);
    }
    struct message m = sample();
    struct buf b;
    buf_init(&b, 20);
    cr_expect_eq(wire_encode(&message_type, &m, &b), R_TOO_LARGE, "the buffer's own limit");
    buf_free(&b);
}

Test(wire, frames_of_one_text)
{
    static const struct { const char *hex; enum result r; const char *why; } cases[] = {
        {"0000000161", R_OK, "a text"},
        {"00000000", R_OK, "an empty one"},
        {"ffffffff", R_OK, "none"},
        {"", R_BAD_FRAME, "no length"},
        {"000000", R_BAD_FRAME, "half a length"},
        {"0000000261", R_BAD_FRAME, "one byte is missing"},
        {"00000005" "6161616161", R_BAD_FRAME, "longer than the field"},
        {"fffffffe" "61", R_BAD_FRAME, "a huge length"},
        {"0000000100", R_BAD_FRAME, "a NUL"},
        {"00000001ff", R_BAD_FRAME, "not UTF-8"},
        {"000000016161", R_BAD_FRAME, "a byte too many"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena a;
        uint8_t room[32];
        size_t n = sizeof room;
        struct pair out = {"before", 1};
        arena_init(&a, 4096);
        cr_assert_eq(hex_decode(cases[i].hex, room, &n), R_OK);
        cr_expect_eq(wire_decode(&text_type, BYTES(room, n), &a, &out), cases[i].r, "%s", cases[i].why);
        cr_expect(cases[i].r == R_OK || strcmp(out.name, "before") == 0, "not written on failure: %s", cases[i].why);
        arena_free(&a);
    }
}

Test(wire, a_text_that_must_be_there)
{
    static const struct wire_field fields[] = {FIELD(pair, name, WIRE_TEXT_PRESENT, 4, NULL)};
    static const struct wire_type type = {"present", sizeof(struct pair), fields, 1};
    static const struct { const char *text; enum result encoded, decoded; const char *why; } cases[] = {
        {"a", R_OK, R_OK, "it is"}, {"", R_OK, R_OK, "an empty text is there"}, {NULL, R_BAD_INPUT, R_BAD_FRAME, "it is not"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pair in = {cases[i].text, 0}, out;
        struct arena a;
        struct buf b;
        arena_init(&a, 4096);
        buf_init(&b, 64);
        cr_expect_eq(wire_encode(&type, &in, &b), cases[i].encoded, "%s", cases[i].why);
        buf_reset(&b);
        cr_assert_eq(wire_encode(&text_type, &in, &b), R_OK);
        cr_expect_eq(wire_decode(&type, buf_bytes(&b), &a, &out), cases[i].decoded, "%s", cases[i].why);
        buf_free(&b);
        arena_free(&a);
    }
}

/* Every shorter frame is refused; every frame with one byte changed is refused or read, without harm. */
Test(wire, cut_and_changed_frames)
{
    struct message in = sample();
    struct buf b;
    buf_init(&b, 1 << 16);
    cr_assert_eq(wire_encode(&message_type, &in, &b), R_OK);
    for (size_t n = 0; n < b.n; n++) {
        struct arena a;
        struct message out;
        arena_init(&a, 1 << 16);
        uint8_t *copy = malloc(n + 1);      /* on its own, so that reading behind the end is seen */
        cr_assert_not_null(copy);
        memcpy(copy, b.p, n);
        cr_expect_eq(wire_decode(&message_type, BYTES(copy, n), &a, &out), R_BAD_FRAME, "cut at %zu", n);
        free(copy);
        arena_free(&a);
    }
    for (size_t at = 0; at < b.n; at++) {
        for (unsigned v = 0; v < 256; v += 5) {
            struct arena a;
            struct message out;
            arena_init(&a, 1 << 16);
            uint8_t old = b.p[at];
            b.p[at] = (uint8_t)v;
            (void)wire_decode(&message_type, buf_bytes(&b), &a, &out);
            b.p[at] = old;
            arena_free(&a);
        }
    }
    buf_free(&b);
}

Test(wire, memory_has_a_limit)
{
    struct message in = sample(), out;
    struct arena a;
    struct buf b;
    buf_init(&b, 1 << 16);
    arena_init(&a, sizeof out + 16);
    cr_assert_eq(wire_encode(&message_type, &in, &b), R_OK);
    cr_expect_eq(wire_decode(&message_type, buf_bytes(&b), &a, &out), R_NO_MEMORY);
    arena_free(&a);
    buf_free(&b);
}
