/* One good enrolment, cut before each of its octets and with each of them changed, in every layer: each has its answer, nothing
 * of it gets as far as the signer but where the octet says nothing. Each message is alone on the heap, so that a sanitizer sees a
 * read beyond its end. */
#include "tests/unit/scep_fixture.h"

#include <stdio.h>
#include <time.h>

#include "lib/service/pki_operation.h"

/* The service holds such answers back, each for some milliseconds; the time of thousands of them is not what is tested here. */
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *request, struct timespec *remain)
{
    (void)clock;
    (void)flags;
    (void)request;
    (void)remain;
    return 0;
}

static struct peer client;
static struct cms_key *client_key;
static struct bytes request, envelope, whole;
static struct arena kept;

static struct bytes request_make(void)
{
    X509_REQ *req = X509_REQ_new();
    unsigned char *der = NULL;
    X509V3_CTX context;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, NULL, NULL, req, NULL, 0);
    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN", MBSTRING_UTF8, (const unsigned char *)"device 7", -1, -1, 0);
    X509_REQ_set_pubkey(req, client.key);
    X509_REQ_add1_attr_by_NID(req, NID_pkcs9_challengePassword, V_ASN1_UTF8STRING, (const unsigned char *)"c2VjcmV0", 8);
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    sk_X509_EXTENSION_push(list, X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, "DNS:device7.example.org"));
    cr_assert_eq(X509_REQ_add_extensions(req, list), 1);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    cr_assert(X509_REQ_sign(req, client.key, EVP_sha256()) > 0);
    int n = i2d_X509_REQ(req, &der);
    X509_REQ_free(req);
    return der_taken(der, n);
}

static struct bytes sealed(struct bytes content)
{
    struct bytes der;

    cr_assert_eq(cms_seal(content, shelf.newer.encrypt.der, CIPHER_AES128, &arena, &der), R_OK);
    return der;
}

static struct bytes signed_message(struct bytes content)
{
    struct attributes_made made = request_attributes("19");
    struct cms_attributes attributes = {made.items, made.count};
    struct bytes der;

    cr_assert_eq(cms_sign(content, &attributes, client_key, HASH_SHA256, &client.der, 1, &arena, &der), R_OK);
    return der;
}

static enum result no_crl(void *context, const char *ca, uint32_t staged, struct bytes serial, struct arena *a,
                          struct scep_crl *out)
{
    (void)context;
    (void)ca;
    (void)staged;
    (void)serial;
    (void)a;
    (void)out;
    return R_NOT_FOUND;
}

static void setup(void)
{
    shelf_setup();
    client = peer_make(rsa_make(), "client", "01");
    client_key = peer_cms_key(&client);
    request = request_make();
    envelope = sealed(request);
    whole = signed_message(envelope);
}

static void teardown(void)
{
    cms_key_free(client_key);
    peer_free(&client);
    log_context(NULL, BYTES_NONE);
    shelf_teardown();
}

TestSuite(scep_octets, .init = setup, .fini = teardown);

/* Nobody listens there: a message that gets as far as the signer is R_UNAVAILABLE. */
static enum result run(struct bytes der, struct bytes *reply)
{
    const struct scep_url url = {.ca = CA, .operation = OPERATION_PKI};
    const struct pki_context x = {shelf.cache, "/nonexistent/leaf.sock", no_crl, NULL};
    const struct pki_call call = {.url = &url, .message = der, .remote = "192.0.2.7"};

    (void)logged();
    return pki_operation(&x, found(), &call, &arena, reply);
}

/* What one message needs of the arena goes with it, and what the log says of it. */
static void one_begin(void)
{
    kept = arena;
    arena_init(&arena, ARENA_LIMIT);
}

static void one_end(void)
{
    log_context(NULL, BYTES_NONE);
    arena_free(&arena);
    arena = kept;
}

/* A failure without a word, and which one: '1' badMessageCheck, '2' badRequest (an unknown message type). */
static char refusal(struct bytes reply, size_t at)
{
    struct answer_read x = answer_open(reply, &shelf.newer.sign);
    char fail = answer_says(&x, OID_SCEP_FAIL_INFO, V_ASN1_PRINTABLESTRING, TEXT("1")) ? '1' : '2';

    cr_assert(answer_says(&x, OID_SCEP_PKI_STATUS, V_ASN1_PRINTABLESTRING, TEXT("2")), "octet %zu", at);
    cr_assert_null(answer_attribute(&x, OID_FAIL_INFO_TEXT), "octet %zu", at);
    answer_close(&x);
    return fail;
}

static bool inside(struct bytes part, size_t at, struct bytes all)
{
    const uint8_t *p = memmem(all.p, all.n, part.p, part.n);

    cr_assert_not_null(p);
    return at >= (size_t)(p - all.p) && at < (size_t)(p - all.p) + part.n;
}

Test(scep_octets, good)
{
    struct bytes reply = BYTES_NONE;

    cr_assert_eq(run(whole, &reply), R_UNAVAILABLE, "the good message gets to the signer");
}

Test(scep_octets, message_cut)
{
    for (size_t n = 0; n < whole.n; n++) {
        struct bytes reply = BYTES_NONE;
        uint8_t *cut = alone(whole, n);
        one_begin();
        cr_assert_eq(run(BYTES(cut, n), &reply), R_BAD_MESSAGE, "%zu octets", n);
        cr_assert_null(reply.p);
        one_end();
        free(cut);
    }
}

/* What no octet of may change unseen. */
static bool says_something(size_t at)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(client.key, &der);
    struct bytes key = der_taken(der, n), signature = BYTES(whole.p + whole.n - 256, 256);
    struct bytes parts[] = {envelope, TEXT(TRANSACTION), TEXT(NONCE), signature, key};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (inside(parts[i], at, whole))
            return true;
    return false;
}

static void message_flipped(uint8_t mask)
{
    int unseen = 0;

    for (size_t at = 0; at < whole.n; at++) {
        struct bytes reply = BYTES_NONE;
        uint8_t *changed = alone(whole, whole.n);
        changed[at] ^= mask;
        one_begin();
        enum result r = run(BYTES(changed, whole.n), &reply);
        cr_assert(r == R_OK || r == R_BAD_MESSAGE || r == R_UNAVAILABLE, "octet %zu: %s", at, result_name(r));
        if (r == R_OK)
            refusal(reply, at);
        if (r == R_UNAVAILABLE) {
            cr_assert(!says_something(at), "octet %zu", at);
            unseen++;
        }
        one_end();
        free(changed);
    }
    /* The certificate's octets beside its key and its name, version numbers, parameters of algorithms. */
    cr_assert(unseen < 500, "%d", unseen);
}

Test(scep_octets, message_inverted) { message_flipped(0xff); }
Test(scep_octets, message_lowest_bit) { message_flipped(0x01); }

static void refused_inside(struct bytes content, size_t at)
{
    struct bytes reply = BYTES_NONE;

    cr_assert_eq(run(signed_message(content), &reply), R_OK, "octet %zu", at);
    cr_assert_eq(refusal(reply, at), '1', "octet %zu", at);
}

Test(scep_octets, envelope_cut)
{
    for (size_t n = 0; n < envelope.n; n++) {
        one_begin();
        refused_inside(BYTES(envelope.p, n), n);
        one_end();
    }
}

Test(scep_octets, request_cut)
{
    for (size_t n = 0; n < request.n; n++) {
        one_begin();
        refused_inside(sealed(BYTES(request.p, n)), n);
        one_end();
    }
}

/* What is sealed is guarded by the request's signature alone, which is of everything but the algorithm beside it. */
static void inner_flipped(struct bytes layer, bool seal)
{
    int unseen = 0;

    for (size_t at = 0; at < layer.n; at++) {
        struct bytes reply = BYTES_NONE;
        one_begin();
        struct bytes changed = arena_bytes(&arena, layer);
        ((uint8_t *)changed.p)[at] ^= 0xff;
        enum result r = run(signed_message(seal ? sealed(changed) : changed), &reply);
        if (r == R_UNAVAILABLE)
            unseen++;
        else
            cr_assert(r == R_OK && refusal(reply, at) == '1', "octet %zu: %s", at, result_name(r));
        one_end();
    }
    cr_assert(unseen < 40, "%d", unseen);
}

Test(scep_octets, request_inverted) { inner_flipped(request, true); }
Test(scep_octets, envelope_inverted) { inner_flipped(envelope, false); }
