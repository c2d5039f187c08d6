#include "lib/store/audit_chain.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "lib/codec/pkey.h"

static struct arena arena;
static struct pkey *key;
static struct bytes spki[1];
static struct audit_keys keys = {spki, 1};

/* Three entries in two batches. The hashes and heads are what audit_canonical and audit_head of sql/0003-publisher.sql give. */
#define ENTRIES 3
static struct audit_entry entries[ENTRIES];
static uint8_t hashes[ENTRIES][AUDIT_HEAD];
static struct audit_batch batches[2];
static const char *const hash_hex[ENTRIES] = {
    "defd053f01968d83af2e8f9335401f14c23efc4fea7d707cd2f8a360665c2709",
    "cac13b430046ab493aa6316ddb04a9abb9a9ee11bd84607b7ffc8b10f95d58e3",
    "9b9ca13b0e953f3e19f3a66c2ff284d85f69413fe1dc4d2242141956b392c5cc",
};
static uint8_t heads[2][AUDIT_HEAD];
static const char *const head_hex[2] = {
    "6250763af6b5fc66c2fd21986f70af3bb3c54245976f7845da0ac87b1091622c",
    "0d356fd6d738ab95ed51822e96ff2a65c17315c4bb2133ac531f7e449648649d",
};

static void unhex(const char *hex, uint8_t out[AUDIT_HEAD])
{
    size_t n = AUDIT_HEAD;
    cr_assert_eq(hex_decode(hex, out, &n), R_OK);
    cr_assert_eq(n, AUDIT_HEAD);
}

static struct bytes signature_of(const struct audit_batch *b)
{
    struct buf data;
    struct bytes signature;
    uint8_t numbers[16];
    buf_init(&data, 256);
    be64_put(numbers, (uint64_t)b->batch);
    be64_put(numbers + 8, (uint64_t)b->last);
    buf_text(&data, "chancery audit head 1");
    buf_append(&data, numbers, sizeof numbers);
    buf_append(&data, b->head.p, b->head.n);
    cr_assert_eq(pkey_sign(key, HASH_SHA256, buf_bytes(&data), &arena, &signature), R_OK);
    buf_free(&data);
    return signature;
}

static void setup(void)
{
    static const struct audit_entry first[ENTRIES] = {
        {.seq = 1, .present = true, .audit_id = 7, .at_us = 1795367400123456, .tenant = 1, .actor = "operator:root",
         .activity = "Create Group", .object_id = "1", .object_name = "Größe", .details = "{\"kind\": \"devices\"}"},
        {.seq = 2, .present = true, .audit_id = 9, .at_us = 1795367401000000, .tenant = 1, .actor = "device:5",
         .activity = "Issue LeafCertificate", .object_id = "", .object_name = "", .details = "{}"},
        {.seq = 3, .present = true, .audit_id = 8, .at_us = 1795367400999999, .tenant = 2, .actor = "x", .activity = "y",
         .object_id = "", .object_name = "", .details = "{}"},
    };
    arena_init(&arena, 1048576);
    cr_assert_eq(pkey_generate_rsa(2048, &key), R_OK);
    cr_assert_eq(pkey_spki(key, &arena, &spki[0]), R_OK);
    memcpy(entries, first, sizeof entries);
    for (int i = 0; i < ENTRIES; i++) {
        unhex(hash_hex[i], hashes[i]);
        entries[i].hash = BYTES(hashes[i], AUDIT_HEAD);
    }
    batches[0] = (struct audit_batch){.batch = 1, .first = 1, .last = 2};
    batches[1] = (struct audit_batch){.batch = 2, .first = 3, .last = 3};
    for (int i = 0; i < 2; i++) {
        unhex(head_hex[i], heads[i]);
        batches[i].head = BYTES(heads[i], AUDIT_HEAD);
        batches[i].signature = signature_of(&batches[i]);
    }
}

static void teardown(void)
{
    pkey_free(key);
    arena_free(&arena);
}

TestSuite(audit_chain, .init = setup, .fini = teardown);

static enum result verify(char fault[192])
{
    struct audit_chain c;
    enum result r = R_OK;
    int e = 0;
    audit_chain_init(&c);
    for (int b = 0; r == R_OK && b < 2; b++) {
        r = audit_chain_batch(&c, &batches[b]);
        while (r == R_OK && e < ENTRIES && c.entries < batches[b].last)
            r = audit_chain_entry(&c, &entries[e++]);
        if (r == R_OK)
            r = audit_chain_close(&c, &keys);
    }
    memcpy(fault, c.fault, sizeof c.fault);
    audit_chain_free(&c);
    return r;
}

Test(audit_chain, whole)
{
    char fault[192];
    cr_expect_eq(verify(fault), R_OK, "%s", fault);
    batches[1].signature = BYTES_NONE;
    cr_expect_eq(verify(fault), R_OK, "a head that is not signed yet: %s", fault);
}

/* Each change is made to a whole chain. */
static void change_actor(void) { entries[1].actor = "device:6"; }
static void change_time(void) { entries[0].at_us++; }
static void change_border(void) { entries[2].actor = "xy"; entries[2].activity = ""; }
static void change_hash(void) { change_actor(); hashes[1][0] ^= 1; }
static void remove_entry(void) { entries[1].present = false; }
static void remove_number(void) { entries[1] = entries[2]; }
static void swap_entries(void) { struct audit_entry e = entries[0]; entries[0] = entries[1]; entries[1] = e; }
static void remove_batch(void) { batches[0] = batches[1]; }
static void shorten_batch(void) { batches[0].last = 1; }
static void grow_batch(void) { batches[1].last = 3 + AUDIT_BATCH_MOST; }
static void overlap_batch(void) { batches[1].first = 2; }
static void change_head(void) { heads[1][0] ^= 1; }
static void other_signature(void) { batches[1].signature = batches[0].signature; }
static void no_key(void) { keys.count = 0; }

Test(audit_chain, faults)
{
    static const struct { void (*change)(void); const char *fault; } cases[] = {
        {change_actor, "entry 2 (audit id 9) was changed"},
        {change_time, "entry 1 (audit id 7) was changed"},
        {change_border, "entry 3 (audit id 8) was changed"},
        {change_hash, "entry 2 (audit id 9) was changed"},
        {remove_entry, "entry 2 is missing: audit id 9 is gone"},
        {remove_number, "entry 2 is missing: its number is gone"},
        {swap_entries, "entry 1 is missing: its number is gone"},
        {remove_batch, "batch 1 is missing"},
        {shorten_batch, "batch 1 (entries 1 to 1) has another head than its entries give"},
        {grow_batch, "batch 2 has an impossible extent"},
        {overlap_batch, "batch 2 begins with entry 2, wanted 3"},
        {change_head, "batch 2 (entries 3 to 3) has another head than its entries give"},
        {other_signature, "batch 2 (entries 3 to 3): the signature of its head is wrong"},
        {no_key, "batch 1 (entries 1 to 2): the signature of its head is wrong"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char fault[192];
        teardown();
        keys.count = 1;
        setup();
        cases[i].change();
        cr_expect_eq(verify(fault), R_AUDIT_BROKEN, "%s", cases[i].fault);
        cr_expect_str_eq(fault, cases[i].fault, "%s", fault);
    }
}

Test(audit_chain, kept_heads)
{
    char text[2048], head[2 * AUDIT_HEAD + 1], signature[1024];
    struct audit_kept k;
    const char *why;
    hex_encode(head, heads[1], AUDIT_HEAD);
    hex_encode(signature, batches[1].signature.p, batches[1].signature.n);
    snprintf(text, sizeof text, "2:%s:%s", head, signature);
    cr_assert_eq(audit_kept_read(text, &k), R_OK);
    cr_expect_eq(k.batch, 2);
    cr_expect_eq(audit_kept_check(&k, &batches[1], &keys, &why), R_OK);
    k.signature[9] ^= 1;
    cr_expect_eq(audit_kept_check(&k, &batches[1], &keys, &why), R_AUDIT_BROKEN);
    cr_expect_str_eq(why, "the kept signature does not verify");
    k.head[0] ^= 1;
    cr_expect_eq(audit_kept_check(&k, &batches[1], &keys, &why), R_AUDIT_BROKEN);
    cr_expect_str_eq(why, "it is another head than the one kept: the log was rewritten");

    static const struct { const char *text, *why; } bad[] = {
        {"", "nothing"}, {"2", "no head"}, {"2:00:00", "a short head"}, {":%s:00", "no batch"},
        {"0:%s:00", "batches begin with 1"}, {"-1:%s:00", "a sign"}, {"2:%s", "no signature"}, {"2:%s:", "an empty one"},
        {"2:%s:0", "half an octet"}, {"2:%s:zz", "no hexadecimal"},
        {"2:%s:00:00", "a fourth part"}, {"99999999999999999999:%s:00", "a number too long"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *at = strstr(bad[i].text, "%s");
        if (at != NULL)
            snprintf(text, sizeof text, "%.*s%s%s", (int)(at - bad[i].text), bad[i].text, head, at + 2);
        else
            snprintf(text, sizeof text, "%s", bad[i].text);
        cr_expect_eq(audit_kept_read(text, &k), R_BAD_INPUT, "%s", bad[i].why);
    }
}
