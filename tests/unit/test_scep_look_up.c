/* The kinds of message that ask for what is there: CertPoll, GetCert, GetCRL; what the signer is asked is in test_scep_enrol. */
#include "tests/unit/scep_fixture.h"

#include "lib/service/pki_operation.h"

static struct peer client;
static struct { struct scep_crl crl; enum result result; struct bytes serial; int asked; } crls;

static enum result crl_read(void *context, const char *ca, uint32_t staged, struct bytes serial, struct arena *a, struct scep_crl *out)
{
    (void)context;
    (void)a;
    cr_assert_str_eq(ca, CA);
    cr_assert_eq(staged, 0);
    crls.serial = arena_bytes(&arena, serial);
    crls.asked++;
    *out = crls.crl;
    return crls.result;
}

static void setup(void)
{
    shelf_setup();
    client = peer_make(rsa_make(), "client", "01");
    crls.result = R_OK;
}

static void teardown(void)
{
    peer_free(&client);
    log_context(NULL, BYTES_NONE);
    shelf_teardown();
}

TestSuite(scep_look_up, .init = setup, .fini = teardown);

/* Nobody listens there: a message that gets as far as the signer is R_UNAVAILABLE. */
static enum result run(const char *type, struct bytes content, struct bytes *reply)
{
    const struct scep_url url = {.ca = CA, .operation = OPERATION_PKI};
    const struct pki_context x = {shelf.cache, "/nonexistent/leaf.sock", crl_read, NULL};
    struct attributes_made made = request_attributes(type);
    struct bytes sealed;

    cr_assert_eq(cms_seal(content, shelf.newer.encrypt.der, CIPHER_AES128, &arena, &sealed), R_OK);
    const struct pki_call call = {.url = &url, .message = message_make(sealed, &made, &client, HASH_SHA256), .remote = "192.0.2.7"};
    return pki_operation(&x, found(), &call, &arena, reply);
}

static struct bytes subject_of(const struct peer *p)
{
    unsigned char *der = NULL;
    int n = i2d_X509_NAME(X509_get_subject_name(p->certificate), &der);

    return der_taken(der, n);
}

/* SEQUENCE { first, second } and what is put behind it */
static struct bytes pair(struct bytes first, struct bytes second, size_t behind)
{
    struct buf b;

    buf_init(&b, LIMIT_CERTIFICATE);
    size_t mark = der_open(&b, DER_SEQUENCE);
    der_raw(&b, first);
    der_raw(&b, second);
    der_close(&b, mark);
    for (size_t i = 0; i < behind; i++)
        buf_byte(&b, 0);
    struct bytes made = arena_bytes(&arena, buf_bytes(&b));
    buf_free(&b);
    return made;
}

static const struct bytes serial_7 = {(const uint8_t *)"\x02\x01\x07", 3};

/* The whole table of what may be in the envelope, for each kind. Of a poll it tells nothing: an answer that depended on it would read somebody else's
 * envelope, sent again with blocks changed, byte for byte. */
Test(scep_look_up, contents)
{
    struct bytes issuer = subject_of(&shelf.issuer), ra = subject_of(&shelf.newer.sign), root = subject_of(&shelf.parent);
    const struct { struct bytes content; const char *get_cert, *get_crl, *why; } cases[] = {
        {pair(issuer, serial_7, 0), "ask", "0", "the CA and a number"},
        {pair(ra, serial_7, 0), "ask", "0", "the RA in the CA's place (interop Q63)"},
        {pair(root, serial_7, 0), "1", "1", "another CA"},
        {pair(issuer, serial_7, 1), "1", "1", "an octet behind"},
        {pair(issuer, BYTES("\x02\x00", 2), 0), "1", "1", "a number without octets"},
        {pair(issuer, BYTES("\x04\x01\x07", 3), 0), "1", "1", "octets in the number's place"},
        {pair(issuer, issuer, 0), "1", "1", "two names"},
        {pair(root, ra, 0), "1", "1", "other names, which a poll does not compare (interop Q62)"},
        {pair(issuer, issuer, 1), "1", "1", "two names and an octet behind"},
        {issuer, "1", "1", "one name"},
        {TEXT("x"), "1", "1", "something else"},
        {BYTES("", 0), "1", "1", "nothing"},
    };
    static const char *const types[] = {"20", "21", "22"};

    crls.crl = (struct scep_crl){.url = "http://host/crl", .number = 1, .size = 3, .der = BYTES("\x30\x01\x00", 3)};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t k = 0; k < 3; k++) {
            const char *wanted = k == 0 ? "ask" : k == 1 ? cases[i].get_cert : cases[i].get_crl;
            struct bytes reply = BYTES_NONE;
            crls.asked = 0;
            enum result r = run(types[k], cases[i].content, &reply);
            if (strcmp(wanted, "ask") == 0) {
                cr_assert_eq(r, R_UNAVAILABLE, "%s by %s: %s", cases[i].why, types[k], result_name(r));
                continue;
            }
            cr_assert_eq(r, R_OK, "%s by %s: %s", cases[i].why, types[k], result_name(r));
            struct answer_read x = answer_open(reply, &shelf.newer.sign);
            bool given = strcmp(wanted, "0") == 0;
            cr_assert(answer_says(&x, OID_SCEP_PKI_STATUS, V_ASN1_PRINTABLESTRING, TEXT(given ? "0" : "2")), "%s by %s", cases[i].why, types[k]);
            cr_assert(given || answer_says(&x, OID_SCEP_FAIL_INFO, V_ASN1_PRINTABLESTRING, TEXT(wanted)), "%s by %s", cases[i].why, types[k]);
            cr_assert_eq(crls.asked, given, "%s by %s", cases[i].why, types[k]);
            answer_close(&x);
        }
}

Test(scep_look_up, crls)
{
    struct bytes content = pair(subject_of(&shelf.issuer), serial_7, 0), reply;

    crls.crl = (struct scep_crl){.url = "http://host/crl", .number = 1, .size = LIMIT_SCEP_CRL + 1};
    cr_assert_eq(run("22", content, &reply), R_OK);
    struct answer_read x = answer_open(reply, &shelf.newer.sign);
    cr_assert(answer_says(&x, OID_SCEP_FAIL_INFO, V_ASN1_PRINTABLESTRING, TEXT("2")), "too large");
    cr_assert(answer_says(&x, OID_SCEP_FAIL_INFO_TEXT, V_ASN1_UTF8STRING, TEXT("CrlTooLarge http://host/crl")), "with its address");
    answer_close(&x);
    cr_assert(bytes_equal(crls.serial, BYTES("\x07", 1)), "the number is what was asked about");
    crls.crl.number = 0;
    cr_assert_eq(run("22", content, &reply), R_CRL_NONE, "none yet: to be tried again");
    crls.result = R_UNAVAILABLE;
    cr_assert_eq(run("22", content, &reply), R_UNAVAILABLE, "no database: to be tried again");
}
