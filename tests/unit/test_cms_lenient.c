/* Signed messages as odd and old encoders write them: BER, attributes not in order, digests of the wrong bytes, MD5. */
#include "tests/unit/cms_made.h"

#include "lib/codec/ber.h"

#define CONTENT_BYTES 300           /* lengths in long form */
#define PIECE 128
#define CONSTRUCTED 0x20

static struct peer rsa;
static uint8_t octets[CONTENT_BYTES];

static void setup(void)
{
    log_to(-1);
    arena_init(&arena, ARENA_LIMIT);
    rsa = peer_make(EVP_RSA_gen(2048), "client", "8f00112233445566");
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (uint8_t)i;
}

static void teardown(void)
{
    peer_free(&rsa);
    arena_free(&arena);
}

TestSuite(cms_lenient, .init = setup, .fini = teardown);

/* ---- an encoder that does as told ---- */

enum form { WHOLE, PIECES, STREAM, EMPTY, ABSENT };             /* of the content; STREAM: pieces with an indefinite length */
enum digested { OCTETS, OWN_TLV, SENT_TLV, SENT_VALUE, OTHER_BYTES };
enum order { SORTED, REVERSED };
enum signed_over { IN_DER, AS_SENT, UNSORTED, UNTAGGED };

struct recipe {
    enum form form;
    enum digested digested;
    enum order order;
    enum length length;             /* of the attributes */
    enum signed_over signed_over;
    uint32_t hash;
};

#define INTEGER_1 HEX("\x02\x01\x01")
#define OID_OF_SIGNED_DATA HEX("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")

static const struct { uint32_t hash; struct bytes algorithm; const EVP_MD *(*md)(void); } hashes[] = {
    {HASH_SHA256, HEX("\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01"), EVP_sha256},
    {HASH_SHA1, HEX("\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00"), EVP_sha1},
    {HASH_MD5, HEX("\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00"), EVP_md5},
};

static size_t hash_row(uint32_t hash)
{
    size_t i = 0;

    while (hashes[i].hash != hash)
        i++;
    return i;
}

static struct bytes content_sent(const struct recipe *r)
{
    if (r->form == WHOLE || r->form == EMPTY)
        return tlv(DER_OCTET_STRING, DEFINITE, BYTES(octets, r->form == WHOLE ? sizeof octets : 0));
    struct bytes first = tlv(DER_OCTET_STRING, DEFINITE, BYTES(octets, PIECE));
    struct bytes rest = tlv(DER_OCTET_STRING, DEFINITE, BYTES(octets + PIECE, sizeof octets - PIECE));
    return tlv(DER_OCTET_STRING | CONSTRUCTED, r->form == STREAM ? INDEFINITE : DEFINITE, JOINED(first, rest));
}

static struct bytes what_is_digested(const struct recipe *r, struct bytes sent)
{
    struct bytes content = BYTES(octets, r->form == EMPTY || r->form == ABSENT ? 0 : sizeof octets), in = sent;
    struct ber part;

    cr_assert_eq(ber_next(&in, &part), R_OK);
    switch (r->digested) {
    case OCTETS: return content;
    case OWN_TLV: return tlv(DER_OCTET_STRING, DEFINITE, content);
    case SENT_TLV: return sent;
    case SENT_VALUE: return part.value;
    case OTHER_BYTES: break;
    }
    return HEX("other bytes");
}

static struct bytes attribute(const char *oid, int type, struct bytes value)
{
    struct buf b;

    buf_init(&b, 256);
    der_oid(&b, oid);
    struct bytes type_oid = kept(&b), set = tlv(DER_SET, DEFINITE, type != 0 ? tlv(type, DEFINITE, value) : value);
    return SEQUENCE(type_oid, set);
}

static struct bytes attributes_ordered(enum order order, struct bytes digest)
{
    struct bytes all = JOINED(attribute("1.2.840.113549.1.9.3", 0, OID_OF_DATA),
                              attribute("1.2.840.113549.1.9.4", DER_OCTET_STRING, digest),
                              attribute(OID_TRANSACTION_ID, DER_PRINTABLE_STRING, HEX("A1B2")),
                              attribute(OID_SENDER_NONCE, DER_OCTET_STRING, HEX("0123456789abcdef")));
    struct buf b;

    buf_init(&b, MESSAGE_BYTES);
    der_sorted(&b, all);
    struct bytes sorted = kept(&b), reversed = BYTES("", 0), in = sorted;
    for (struct der one; in.n != 0;) {
        cr_assert_eq(der_next(&in, &one), R_OK);
        reversed = JOINED(one.whole, reversed);
    }
    return order == SORTED ? sorted : reversed;
}

static struct bytes signature_over(struct bytes data, const EVP_MD *md)
{
    uint8_t *p = arena_alloc(&arena, 512);
    size_t n = 512;
    EVP_MD_CTX *c = EVP_MD_CTX_new();

    cr_assert(EVP_DigestSignInit(c, NULL, md, NULL, rsa.key) == 1 && EVP_DigestSign(c, p, &n, data.p, data.n) == 1);
    EVP_MD_CTX_free(c);
    return BYTES(p, n);
}

static struct bytes signer_info(const struct recipe *r, struct bytes digest)
{
    size_t h = hash_row(r->hash);
    struct bytes ordered = attributes_ordered(r->order, digest), signed_bytes = ordered;

    if (r->signed_over == IN_DER)
        signed_bytes = tlv(DER_SET, DEFINITE, attributes_ordered(SORTED, digest));
    else if (r->signed_over == UNSORTED)
        signed_bytes = tlv(DER_SET, DEFINITE, ordered);
    else if (r->signed_over == AS_SENT)
        signed_bytes = tlv(DER_SET, r->length, ordered);
    return SEQUENCE(INTEGER_1, issuer_and_serial(&rsa), hashes[h].algorithm, tlv(DER_CONTEXT_CONSTRUCTED(0), r->length, ordered),
                    RSA_ENCRYPTION, tlv(DER_OCTET_STRING, DEFINITE, signature_over(signed_bytes, hashes[h].md())));
}

static struct bytes message_made(const struct recipe *r)
{
    size_t h = hash_row(r->hash);
    uint8_t *digest = arena_alloc(&arena, EVP_MAX_MD_SIZE);
    unsigned n;
    struct bytes sent = content_sent(r), over = what_is_digested(r, sent);

    cr_assert_eq(EVP_Digest(over.p, over.n, digest, &n, hashes[h].md(), NULL), 1);
    struct bytes encapsulated = r->form == ABSENT ? SEQUENCE(OID_OF_DATA) :
                                SEQUENCE(OID_OF_DATA, tlv(DER_CONTEXT_CONSTRUCTED(0), DEFINITE, sent));
    struct bytes signed_data = SEQUENCE(INTEGER_1, tlv(DER_SET, DEFINITE, hashes[h].algorithm), encapsulated,
                                        tlv(DER_CONTEXT_CONSTRUCTED(0), DEFINITE, rsa.der),
                                        tlv(DER_SET, DEFINITE, signer_info(r, BYTES(digest, n))));
    return SEQUENCE(OID_OF_SIGNED_DATA, tlv(DER_CONTEXT_CONSTRUCTED(0), DEFINITE, signed_data));
}

/* ---- reading ---- */

static const struct row {
    struct recipe recipe;
    bool strictly, leniently, ber;
    const char *why;
} rows[] = {
    {{WHOLE, OCTETS, SORTED, DEFINITE, IN_DER, HASH_SHA256}, true, true, false, "as RFC 5652 has it"},
    {{WHOLE, OCTETS, SORTED, DEFINITE, IN_DER, HASH_SHA1}, true, true, false, "SHA-1"},
    {{WHOLE, OCTETS, SORTED, DEFINITE, IN_DER, HASH_MD5}, true, true, false, "MD5 (Q39)"},
    {{EMPTY, OCTETS, SORTED, DEFINITE, IN_DER, HASH_SHA256}, true, true, false, "an empty content"},
    {{ABSENT, OCTETS, SORTED, DEFINITE, IN_DER, HASH_SHA256}, true, true, false, "no content"},
    /* the content in BER (Q37) */
    {{PIECES, OCTETS, SORTED, DEFINITE, IN_DER, HASH_SHA256}, true, true, true, "content in pieces"},
    {{STREAM, OCTETS, SORTED, DEFINITE, IN_DER, HASH_SHA256}, true, true, true, "content in pieces of indefinite length"},
    {{STREAM, OCTETS, REVERSED, INDEFINITE, IN_DER, HASH_MD5}, true, true, true, "all at once, but the bytes signed are right"},
    /* the digest of other bytes */
    {{WHOLE, OWN_TLV, SORTED, DEFINITE, IN_DER, HASH_SHA256}, false, true, false, "digest of the content's TLV"},
    {{EMPTY, OWN_TLV, SORTED, DEFINITE, IN_DER, HASH_SHA256}, false, true, false, "digest of an empty content's TLV"},
    {{ABSENT, OWN_TLV, SORTED, DEFINITE, IN_DER, HASH_SHA256}, false, false, false, "digest of a TLV that is not there"},
    {{PIECES, OWN_TLV, SORTED, DEFINITE, IN_DER, HASH_SHA256}, false, true, true, "pieces, digest of the TLV of DER"},
    {{PIECES, SENT_VALUE, SORTED, DEFINITE, IN_DER, HASH_SHA256}, false, true, true, "digest of the pieces with their headers"},
    {{STREAM, SENT_VALUE, SORTED, DEFINITE, IN_DER, HASH_SHA256}, false, true, true, "the same of a stream"},
    {{STREAM, SENT_TLV, SORTED, DEFINITE, IN_DER, HASH_MD5}, false, true, true, "digest of all that was sent, in MD5"},
    {{STREAM, OTHER_BYTES, SORTED, DEFINITE, IN_DER, HASH_SHA256}, false, false, true, "digest of other bytes"},
    /* the attributes (Q38) */
    {{WHOLE, OCTETS, REVERSED, DEFINITE, IN_DER, HASH_SHA256}, true, true, false, "sent unsorted, signed sorted"},
    {{WHOLE, OCTETS, REVERSED, DEFINITE, AS_SENT, HASH_SHA256}, false, true, false, "sent unsorted and signed so"},
    {{WHOLE, OCTETS, REVERSED, DEFINITE, AS_SENT, HASH_MD5}, false, true, false, "the same in MD5"},
    {{WHOLE, OCTETS, SORTED, INDEFINITE, IN_DER, HASH_SHA256}, true, true, true, "indefinite length, signed in DER"},
    {{WHOLE, OCTETS, SORTED, INDEFINITE, AS_SENT, HASH_SHA256}, false, true, true, "indefinite length, signed so"},
    {{WHOLE, OCTETS, REVERSED, INDEFINITE, AS_SENT, HASH_SHA256}, false, true, true, "unsorted, indefinite length, signed so"},
    {{WHOLE, OCTETS, REVERSED, INDEFINITE, UNSORTED, HASH_SHA256}, false, true, true, "the same, signed with definite length"},
    {{WHOLE, OCTETS, SORTED, DEFINITE, UNTAGGED, HASH_SHA256}, false, false, false, "signed without the tag of a SET"},
    {{WHOLE, OWN_TLV, REVERSED, DEFINITE, AS_SENT, HASH_SHA256}, false, true, false, "both tolerances"},
    {{WHOLE, OTHER_BYTES, REVERSED, DEFINITE, AS_SENT, HASH_SHA256}, false, false, false, "one, but the digest is wrong"},
    {{WHOLE, OWN_TLV, REVERSED, DEFINITE, UNTAGGED, HASH_SHA256}, false, false, false, "one, but the signature is wrong"},
};
#define ROWS (sizeof rows / sizeof rows[0])

Test(cms_lenient, each_oddity_strictly_and_leniently)
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        struct bytes der = message_made(&row->recipe);
        for (int lenient = 0; lenient < 2; lenient++) {
            struct cms_signed s;
            bool verified = lenient ? row->leniently : row->strictly;
            cr_assert_eq(cms_open_signed(der, lenient, &arena, &s), R_OK, "%s", row->why);
            cr_expect_eq(s.verified, verified, "%s, lenient %d", row->why, lenient);
            cr_expect_eq(s.lenient, verified && !row->strictly, "%s, lenient %d: is it told?", row->why, lenient);
            cr_expect_eq(s.ber, row->ber, "%s: is it told that it is BER?", row->why);
            cr_expect_eq(s.hash, row->recipe.hash, "%s", row->why);
            cr_expect_eq(s.attributes.count, 4, "%s", row->why);
            size_t n = row->recipe.form == EMPTY || row->recipe.form == ABSENT ? 0 : sizeof octets;
            cr_expect(bytes_equal(s.content, BYTES(octets, n)), "%s: the content is put together", row->why);
            cr_expect_eq(s.content.p == NULL, row->recipe.form == ABSENT, "%s", row->why);
        }
        cr_expect_eq(ERR_peek_error(), 0, "%s: OpenSSL's error queue is left empty", row->why);
    }
}

/* Lenient or not: no message verifies whose content or attributes were changed. */
Test(cms_lenient, what_was_changed_does_not_verify)
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        struct bytes der = message_made(&row->recipe);
        static const struct { const char *run; size_t n, at; } changes[] = {
            {"A1B2", 4, 3}, {"0123456789abcdef", 16, 0}, {"\x10\x11\x12\x13\x14", 5, 2}, {"\xfa\xfb\xfc\xfd", 4, 0},
        };
        for (size_t k = 0; k < sizeof changes / sizeof changes[0]; k++) {
            struct cms_signed s;
            uint8_t *copy = arena_copy(&arena, der.p, der.n), *at = memmem(copy, der.n, changes[k].run, changes[k].n);
            if (at == NULL) {
                cr_expect_geq(k, 2, "%s: only a content may be missing", row->why);
                continue;
            }
            at[changes[k].at] ^= 1;
            cr_assert_eq(cms_open_signed(BYTES(copy, der.n), true, &arena, &s), R_OK, "%s, change %zu", row->why, k);
            cr_expect_not(s.verified, "%s, change %zu", row->why, k);
            cr_expect_not(s.lenient, "%s, change %zu", row->why, k);
        }
    }
}

Test(cms_lenient, cut_or_odd_bytes_never_crash)
{
    const struct recipe worst = {STREAM, SENT_TLV, REVERSED, INDEFINITE, AS_SENT, HASH_MD5};
    struct bytes der = message_made(&worst);
    struct arena small;
    struct cms_signed s;

    for (size_t n = 0; n < der.n; n++) {
        uint8_t *cut = alone(der, n);
        cr_expect_eq(cms_open_signed(BYTES(cut, n), true, &arena, &s), R_BAD_MESSAGE, "%zu bytes", n);
        free(cut);
    }
    for (size_t i = 0; i < der.n; i++) {
        uint8_t *odd = alone(der, der.n);
        odd[i] ^= (uint8_t)(1 << (i % 8));
        arena_init(&small, 65536);
        if (cms_open_signed(BYTES(odd, der.n), true, &small, &s) == R_OK && s.verified)
            cr_expect(bytes_equal(s.content, BYTES(octets, sizeof octets)), "byte %zu", i);
        arena_free(&small);
        free(odd);
    }
}

/* ---- BER is seen ---- */

Test(cms_lenient, what_is_loose)
{
    static const struct { struct bytes in; bool loose; const char *why; } cases[] = {
        {HEX("\x30\x03\x04\x01\xff"), false, "DER"},
        {HEX("\x30\x80\x04\x01\xff\x00\x00"), true, "an indefinite length"},
        {HEX("\x30\x05\xa0\x80\x00\x00\x05"), true, "an indefinite length inside"},
        {HEX("\x24\x03\x04\x01\xff"), true, "a string in pieces"},
        {HEX("\x30\x05\x24\x03\x04\x01\xff"), true, "a string in pieces inside"},
        {HEX("\xa0\x05\x2c\x03\x0c\x01\x41"), true, "text in pieces"},
        {HEX("\x31\x05\xa3\x03\x04\x01\xff"), false, "context tags are constructed in DER too"},
        {HEX("\x04\x04\x30\x80\x00\x00"), false, "what is in a string is not looked at"},
        {HEX("\x30\x02\x1f\x81\x30\x80\x00\x00"), false, "a tag of several bytes ends it"},
        {HEX("\x04\x05"), false, "cut off"},
        {HEX("\x24"), false, "a byte"},
        {BYTES_NONE, false, "nothing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t *in = alone(cases[i].in.p != NULL ? cases[i].in : HEX(""), cases[i].in.n);
        cr_expect_eq(ber_is_loose(BYTES(in, cases[i].in.n)), cases[i].loose, "%s", cases[i].why);
        free(in);
    }
}
