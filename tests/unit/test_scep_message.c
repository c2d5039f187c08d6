#include "tests/unit/scep_fixture.h"

#include "lib/scep/cert_rep.h"

static struct peer client, ra;
static struct cms_key *ra_key;

static void setup(void)
{
    log_to(-1);
    arena_init(&arena, ARENA_LIMIT);
    client = peer_make(rsa_make(), "client", "01");
    ra = peer_make(rsa_make(), "RA", "4a11");
    ra_key = peer_cms_key(&ra);
}

static void teardown(void)
{
    cms_key_free(ra_key);
    peer_free(&client);
    peer_free(&ra);
    arena_free(&arena);
}

TestSuite(scep_message, .init = setup, .fini = teardown);

static struct message decoded(struct bytes der)
{
    struct message m;

    cr_assert_eq(message_decode(der, false, &arena, &m), R_OK);
    return m;
}

Test(scep_message, attributes)
{
    static const char long_id[LIMIT_SCEP_TRANSACTION_ID + 1] = {[0 ... LIMIT_SCEP_TRANSACTION_ID] = 'x'};
    enum { TYPE, ID, SENDER };      /* places in request_attributes */
    static const struct {
        int place;
        const char *oid;            /* NULL: the attribute is left out */
        int tag;
        struct bytes value;
        enum result result;
        enum message_type type;
        const char *why;
    } cases[] = {
        {TYPE, OID_SCEP_MESSAGE_TYPE, DER_PRINTABLE_STRING, BYTES("19", 2), R_OK, MESSAGE_PKCS_REQ, "PKCSReq"},
        {TYPE, OID_SCEP_MESSAGE_TYPE, DER_PRINTABLE_STRING, BYTES("17", 2), R_OK, MESSAGE_RENEWAL_REQ, "RenewalReq"},
        {TYPE, OID_SCEP_MESSAGE_TYPE, DER_PRINTABLE_STRING, BYTES("20", 2), R_OK, MESSAGE_CERT_POLL, "CertPoll"},
        {TYPE, OID_SCEP_MESSAGE_TYPE, DER_PRINTABLE_STRING, BYTES("18", 2), R_OK, MESSAGE_OTHER, "UpdateReq of old drafts"},
        {TYPE, OID_SCEP_MESSAGE_TYPE, DER_PRINTABLE_STRING, BYTES("", 0), R_OK, MESSAGE_OTHER, "empty"},
        {TYPE, OID_SCEP_MESSAGE_TYPE, DER_PRINTABLE_STRING, BYTES("1", 1), R_OK, MESSAGE_OTHER, "a prefix of a number"},
        {TYPE, OID_SCEP_MESSAGE_TYPE, DER_PRINTABLE_STRING, BYTES("190", 3), R_OK, MESSAGE_OTHER, "more than the number"},
        {TYPE, OID_SCEP_MESSAGE_TYPE, DER_PRINTABLE_STRING, BYTES("019", 3), R_OK, MESSAGE_OTHER, "another form of the number"},
        {TYPE, OID_SCEP_MESSAGE_TYPE, DER_PRINTABLE_STRING, BYTES("19\0", 3), R_OK, MESSAGE_OTHER, "a NUL behind it"},
        {TYPE, OID_SCEP_MESSAGE_TYPE, DER_INTEGER, BYTES("\x13", 1), R_OK, MESSAGE_OTHER, "a number as INTEGER"},
        {TYPE, OID_SCEP_MESSAGE_TYPE, DER_OCTET_STRING, BYTES("19", 2), R_OK, MESSAGE_OTHER, "an OCTET STRING"},
        {TYPE, NULL, 0, BYTES("", 0), R_OK, MESSAGE_OTHER, "no messageType can still be answered"},
        {ID, OID_SCEP_TRANSACTION_ID, DER_UTF8_STRING, BYTES("\xc3\xa4", 2), R_OK, MESSAGE_PKCS_REQ, "another string type"},
        {ID, OID_SCEP_TRANSACTION_ID, DER_PRINTABLE_STRING, BYTES("\n\0\xff", 3), R_OK, MESSAGE_PKCS_REQ, "opaque octets"},
        {ID, OID_SCEP_TRANSACTION_ID, DER_PRINTABLE_STRING, BYTES(long_id, 255), R_OK, MESSAGE_PKCS_REQ, "the longest"},
        {ID, OID_SCEP_TRANSACTION_ID, DER_PRINTABLE_STRING, BYTES(long_id, 256), R_BAD_MESSAGE, 0, "longer than the longest"},
        {ID, OID_SCEP_TRANSACTION_ID, DER_PRINTABLE_STRING, BYTES("", 0), R_BAD_MESSAGE, 0, "an empty transaction id"},
        {ID, OID_SCEP_TRANSACTION_ID, DER_OCTET_STRING, BYTES("x", 1), R_BAD_MESSAGE, 0, "a transaction id that is no string"},
        {ID, NULL, 0, BYTES("", 0), R_BAD_MESSAGE, 0, "no transaction id"},
        {SENDER, OID_SCEP_SENDER_NONCE, DER_OCTET_STRING, BYTES("x", 1), R_OK, MESSAGE_PKCS_REQ, "the shortest nonce"},
        {SENDER, OID_SCEP_SENDER_NONCE, DER_OCTET_STRING, BYTES("01234567", 8), R_OK, MESSAGE_PKCS_REQ, "iOS sent eight octets"},
        {SENDER, OID_SCEP_SENDER_NONCE, DER_OCTET_STRING, BYTES(long_id, 64), R_OK, MESSAGE_PKCS_REQ, "the longest nonce"},
        {SENDER, OID_SCEP_SENDER_NONCE, DER_OCTET_STRING, BYTES(long_id, 65), R_BAD_MESSAGE, 0, "a longer nonce"},
        {SENDER, OID_SCEP_SENDER_NONCE, DER_OCTET_STRING, BYTES("", 0), R_BAD_MESSAGE, 0, "an empty nonce"},
        {SENDER, OID_SCEP_SENDER_NONCE, DER_PRINTABLE_STRING, BYTES("x", 1), R_BAD_MESSAGE, 0, "a nonce of a wrong type"},
        {SENDER, NULL, 0, BYTES("", 0), R_BAD_MESSAGE, 0, "no nonce"},
        {SENDER, OID_SCEP_TRANSACTION_ID, DER_PRINTABLE_STRING, BYTES("y", 1), R_BAD_MESSAGE, 0, "two transaction ids"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct attributes_made made = request_attributes("19");
        struct message m = {0};
        if (cases[i].oid)
            made.items[cases[i].place] = (struct cms_attribute){cases[i].oid, cases[i].tag, cases[i].value};
        else
            made.items[cases[i].place] = made.items[--made.count];
        enum result r = message_decode(message_make(TEXT("content"), &made, &client, HASH_SHA256), false, &arena, &m);
        cr_assert_eq(r, cases[i].result, "%s: %s", cases[i].why, result_name(r));
        if (r != R_OK)
            continue;
        cr_assert_eq(m.type, cases[i].type, "%s: %s", cases[i].why, message_type_name(m.type));
        cr_assert(m.signed_data.verified, "%s", cases[i].why);
        cr_assert(bytes_equal(m.signed_data.content, TEXT("content")), "%s", cases[i].why);
        cr_assert(cases[i].place != SENDER || bytes_equal(m.sender_nonce, cases[i].value), "%s", cases[i].why);
        cr_assert(cases[i].place != ID || bytes_equal(m.transaction.value, cases[i].value), "%s", cases[i].why);
        cr_assert(cases[i].place != ID || m.transaction.type == cases[i].tag, "%s", cases[i].why);
    }
}

Test(scep_message, recipient_nonce_is_ignored)
{
    struct attributes_made made = request_attributes("19");

    made.items[made.count++] = (struct cms_attribute){OID_SCEP_RECIPIENT_NONCE, DER_INTEGER, BYTES("\x01", 1)};
    cr_assert_eq(decoded(message_make(TEXT("x"), &made, &client, HASH_SHA256)).type, MESSAGE_PKCS_REQ);
}

/* It can still be answered. */
Test(scep_message, wrong_signature)
{
    struct attributes_made made = request_attributes("19");
    struct bytes der = message_make(TEXT("content"), &made, &client, HASH_SHA256);

    ((uint8_t *)der.p)[der.n - 1] ^= 1;
    struct message m = decoded(der);
    cr_assert_not(m.signed_data.verified);
    cr_assert(bytes_equal(m.transaction.value, TEXT(TRANSACTION)));
}

Test(scep_message, transaction_text)
{
    static const struct { struct bytes id; const char *text, *why; } cases[] = {
        {BYTES("8A1F+/=b", 8), "8A1F+/=b", "base64 as it is"},
        {BYTES("a b", 3), "a b", "a space"},
        {BYTES("a\\x", 3), "a\\x5cx", "a backslash, which begins an escape"},
        {BYTES("\n\0\x7f\xff", 4), "\\x0a\\x00\\x7f\\xff", "what no terminal should get"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct message m = {.transaction = {OID_SCEP_TRANSACTION_ID, DER_PRINTABLE_STRING, cases[i].id}};
        cr_assert_str_eq(message_transaction_text(&m, &arena), cases[i].text, "%s", cases[i].why);
    }
}

static const struct variant none;

static struct bytes degenerate(const struct peer *issued)
{
    struct buf out;

    buf_init(&out, LIMIT_CERTIFICATE);
    cr_assert_eq(cms_certificates(&issued->der, 1, &out), R_OK);
    struct bytes made = arena_bytes(&arena, buf_bytes(&out));
    buf_free(&out);
    return made;
}

static void check_attributes(const struct answer_read *x, const struct message *request, const char *status)
{
    cr_assert(answer_says(x, OID_SCEP_MESSAGE_TYPE, V_ASN1_PRINTABLESTRING, TEXT("3")));
    cr_assert(answer_says(x, OID_SCEP_PKI_STATUS, V_ASN1_PRINTABLESTRING, TEXT(status)));
    cr_assert(answer_says(x, OID_SCEP_TRANSACTION_ID, request->transaction.type, request->transaction.value));
    cr_assert(answer_says(x, OID_SCEP_RECIPIENT_NONCE, V_ASN1_OCTET_STRING, request->sender_nonce));
    const ASN1_TYPE *nonce = answer_attribute(x, OID_SCEP_SENDER_NONCE);
    cr_assert(nonce != NULL && nonce->type == V_ASN1_OCTET_STRING);
    cr_assert_eq((size_t)ASN1_STRING_length(nonce->value.octet_string), request->sender_nonce.n, "as long as the sender's");
    cr_assert_not(answer_says(x, OID_SCEP_SENDER_NONCE, V_ASN1_OCTET_STRING, request->sender_nonce), "and fresh");
    cr_assert(CMS_signed_get_attr_by_NID(x->signer, NID_pkcs9_contentType, -1) >= 0);
    cr_assert(CMS_signed_get_attr_by_NID(x->signer, NID_pkcs9_messageDigest, -1) >= 0);
    cr_assert(CMS_signed_get_attr_by_NID(x->signer, NID_pkcs9_signingTime, -1) >= 0);
}

static int digest_nid(const struct answer_read *x, int *signature)
{
    X509_ALGOR *digest = NULL, *algorithm = NULL;
    const ASN1_OBJECT *oid = NULL;

    CMS_SignerInfo_get0_algs(x->signer, NULL, NULL, &digest, &algorithm);
    X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    *signature = OBJ_obj2nid(oid);
    X509_ALGOR_get0(&oid, NULL, NULL, digest);
    return OBJ_obj2nid(oid);
}

Test(scep_message, failure)
{
    static const struct { enum fail_info fail; const char *number, *text; } cases[] = {
        {FAIL_BAD_ALG, "0", "AlgorithmNotAllowed"}, {FAIL_BAD_MESSAGE_CHECK, "1", NULL},
        {FAIL_BAD_REQUEST, "2", "ChallengeExpired"}, {FAIL_BAD_TIME, "3", NULL}, {FAIL_BAD_CERT_ID, "4", NULL},
    };
    struct attributes_made made = request_attributes("19");
    struct responder by = {ra_key, ra.der, &none};

    made.items[1].type = DER_UTF8_STRING;
    made.items[2].value = TEXT("01234567");
    struct message request = decoded(message_make(TEXT("x"), &made, &client, HASH_SHA1));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes der;
        int signature;
        cr_assert_eq(cert_rep_failure(&request, cases[i].fail, cases[i].text, &by, &arena, &der), R_OK);
        struct answer_read x = answer_open(der, &ra);
        check_attributes(&x, &request, "2");
        cr_assert(answer_says(&x, OID_SCEP_FAIL_INFO, V_ASN1_PRINTABLESTRING, TEXT(cases[i].number)));
        if (cases[i].text)
            cr_assert(answer_says(&x, OID_SCEP_FAIL_INFO_TEXT, V_ASN1_UTF8STRING, TEXT(cases[i].text)));
        else
            cr_assert_null(answer_attribute(&x, OID_SCEP_FAIL_INFO_TEXT));
        cr_assert_eq(x.content.n, 0, "nothing inside");
        cr_assert_eq(digest_nid(&x, &signature), NID_sha1, "the request's digest");
        cr_assert_eq(signature, NID_rsaEncryption, "old clients know no other name");
        answer_close(&x);
    }
    cr_assert_eq(cert_rep_failure(&request, FAIL_NONE, NULL, &by, &arena, &(struct bytes){0}), R_INTERNAL);
}

Test(scep_message, success_mirrors_the_request)
{
    static const struct variant legacy = {.capabilities = CAPABILITIES_LEGACY};
    static const struct { uint32_t hash, cipher; int digest, nid; const char *why; bool legacy; } cases[] = {
        {HASH_SHA256, CIPHER_AES128, NID_sha256, NID_aes_128_cbc, "the usual", false},
        {HASH_SHA384, CIPHER_AES192, NID_sha384, NID_aes_192_cbc, "as sent", false},
        {HASH_SHA512, CIPHER_AES256, NID_sha512, NID_aes_256_cbc, "as sent", false},
        {HASH_SHA1, CIPHER_DES3, NID_sha1, NID_des_ede3_cbc, "an old device", false},
        {HASH_MD5, CIPHER_OTHER, NID_sha256, NID_aes_128_cbc, "what must not be used any more", false},
        {HASH_OTHER, 4711, NID_sha256, NID_aes_128_cbc, "what is not known", false},
        {HASH_MD5, CIPHER_DES, NID_sha256, NID_aes_128_cbc, "single DES from a client of today, which reads no single DES", false},
        {HASH_MD5, CIPHER_DES3, NID_sha1, NID_des_ede3_cbc, "a device of the legacy variant gets no MD5", true},
    };
    struct attributes_made made = request_attributes("19");
    struct peer issued = peer_make(rsa_make(), "issued", "77");
    struct responder by = {ra_key, ra.der, &none};
    struct message request = decoded(message_make(TEXT("x"), &made, &client, HASH_SHA256));

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes der;
        int signature;
        request.signed_data.hash = cases[i].hash;
        by.variant = cases[i].legacy ? &legacy : &none;
        cr_assert_eq(cert_rep_success(&request, cases[i].cipher, &by, degenerate(&issued), &arena, &der), R_OK, "%s", cases[i].why);
        struct answer_read x = answer_open(der, &ra);
        check_attributes(&x, &request, "0");
        cr_assert_null(answer_attribute(&x, OID_SCEP_FAIL_INFO));
        cr_assert_eq(digest_nid(&x, &signature), cases[i].digest, "%s", cases[i].why);
        X509 *certificate = answer_certificate(&x, &client);
        cr_assert_eq(X509_cmp(certificate, issued.certificate), 0, "%s", cases[i].why);
        X509_free(certificate);
        ASN1_OBJECT *oid = OBJ_nid2obj(cases[i].nid);
        cr_assert_not_null(memmem(x.content.p, x.content.n, OBJ_get0_data(oid), OBJ_length(oid)), "%s", cases[i].why);
        answer_close(&x);
    }
    peer_free(&issued);
}

Test(scep_message, pending)
{
    struct attributes_made made = request_attributes("19");
    struct responder by = {ra_key, ra.der, &none};
    struct message request = decoded(message_make(TEXT("x"), &made, &client, HASH_SHA256));
    struct bytes der;

    cr_assert_eq(cert_rep_pending(&request, &by, &arena, &der), R_OK);
    struct answer_read x = answer_open(der, &ra);
    check_attributes(&x, &request, "3");
    cr_assert_null(answer_attribute(&x, OID_SCEP_FAIL_INFO));
    cr_assert_eq(x.content.n, 0, "nothing inside");
    answer_close(&x);
}

/* A certificate whose key nothing can be sealed to. */
Test(scep_message, success_for_an_ec_key_is_refused)
{
    struct attributes_made made = request_attributes("19");
    struct peer ec = peer_make(EVP_EC_gen("P-256"), "ec", "5");
    struct responder by = {ra_key, ra.der, &none};
    struct message request = decoded(message_make(TEXT("x"), &made, &client, HASH_SHA256));

    request.signed_data.signer_certificate = ec.der;
    cr_assert_neq(cert_rep_success(&request, CIPHER_AES128, &by, ra.der, &arena, &(struct bytes){0}), R_OK);
    peer_free(&ec);
}

/* Every beginning of a message, and the message with every byte changed, is answered without a fault. */
Test(scep_message, garbage)
{
    struct attributes_made made = request_attributes("19");
    struct bytes der = message_make(TEXT("content"), &made, &client, HASH_SHA256);

    for (size_t n = 0; n <= der.n; n++) {
        struct arena a;
        struct message m;
        uint8_t *cut = alone(der, n);
        arena_init(&a, LIMIT_ARENA_REQUEST);
        cr_assert_eq(message_decode(BYTES(cut, n), false, &a, &m) == R_OK, n == der.n, "the first %zu bytes", n);
        arena_free(&a);
        free(cut);
    }
    for (size_t at = 0; at < der.n; at++) {
        struct arena a;
        struct message m;
        uint8_t *changed = alone(der, der.n);
        changed[at] ^= (uint8_t)(1 << at % 8);
        arena_init(&a, LIMIT_ARENA_REQUEST);
        (void)message_decode(BYTES(changed, der.n), false, &a, &m);
        arena_free(&a);
        free(changed);
    }
}
