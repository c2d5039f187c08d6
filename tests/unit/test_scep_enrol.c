#include "tests/unit/scep_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "lib/base/clock.h"
#include "lib/scep/cert_rep.h"
#include "lib/service/pki_operation.h"
#include "lib/signer/frame.h"
#include "lib/signer/message.h"

#define CHALLENGE "Y2hhbGxlbmdlIG9mIGEgZGV2aWNl"

/* ---- the signer ---- */

static struct {
    char directory[32], socket[64];
    int listener, stop[2];
    pthread_t thread;
    enum result result;
    const char *detail;
    bool hangs_up;
    bool pending;
    struct bytes certificate;
    atomic_int asked;
    unsigned verb;
    union {
        struct signer_enrol enrol;
        struct signer_renew renew;
        struct signer_poll poll;
        struct signer_get_cert get_cert;
    } request;
    struct arena arena;
} signer;

/* ---- the signer's thread ---- */

static void signer_answer(int fd)
{
    struct buf in, out, part;
    int64_t deadline = clock_monotonic_ms() + 10000;
    struct signer_reply reply = {signer.result, signer.detail};
    struct signer_certificate answer = {signer.pending, signer.certificate, signer.certificate, false};
    uint8_t size[2];

    buf_init(&in, LIMIT_FRAME);
    buf_init(&out, LIMIT_FRAME);
    buf_init(&part, LIMIT_FRAME);
    cr_assert_eq(frame_read(fd, &in, deadline), R_OK);
    signer.verb = in.p[0];
    cr_assert(signer.verb >= SIGNER_ENROL && signer.verb <= SIGNER_GET_CERT);
    const struct wire_type *type = signer_verbs[signer.verb].request;
    cr_assert_eq(wire_decode(type, BYTES(in.p + 1, in.n - 1), &signer.arena, &signer.request), R_OK);
    signer.asked++;
    if (!signer.hangs_up) {
        cr_assert_eq(wire_encode(&signer_reply_type, &reply, &part), R_OK);
        be16_put(size, (uint16_t)part.n);
        buf_append(&out, size, sizeof size);
        buf_append(&out, part.p, part.n);
        if (signer.result == R_OK)
            cr_assert_eq(wire_encode(signer_verbs[signer.verb].reply, &answer, &out), R_OK);
        cr_assert_eq(frame_write(fd, buf_bytes(&out), deadline), R_OK);
    }
    buf_free(&part);
    buf_free(&out);
    buf_free(&in);
}

static void *signer_run(void *context)
{
    (void)context;
    for (;;) {
        struct pollfd p[] = {{.fd = signer.listener, .events = POLLIN}, {.fd = signer.stop[0], .events = POLLIN}};
        poll(p, 2, -1);
        if (p[1].revents)
            return NULL;
        int fd = accept(signer.listener, NULL, NULL);
        if (fd >= 0) {
            signer_answer(fd);
            close(fd);
        }
    }
}

static void signer_start(void)
{
    strcpy(signer.directory, "/tmp/scep-test-XXXXXX");
    cr_assert_not_null(mkdtemp(signer.directory));
    snprintf(signer.socket, sizeof signer.socket, "%s/leaf", signer.directory);
    arena_init(&signer.arena, ARENA_LIMIT);
    cr_assert_eq(frame_listen(signer.socket, 8, &signer.listener), R_OK);
    cr_assert_eq(pipe(signer.stop), 0);
    cr_assert_eq(pthread_create(&signer.thread, NULL, signer_run, NULL), 0);
}

static void signer_stop(void)
{
    cr_assert_eq(write(signer.stop[1], "x", 1), 1);
    pthread_join(signer.thread, NULL);
    close(signer.listener);
    close(signer.stop[0]);
    close(signer.stop[1]);
    unlink(signer.socket);
    rmdir(signer.directory);
    arena_free(&signer.arena);
}

/* ---- the client ---- */

static struct peer client, stranger;

enum csr_form { CSR_GOOD, CSR_GARBAGE, CSR_CHANGED, CSR_NO_CHALLENGE, CSR_BLANK_CHALLENGE, CSR_LONG_CHALLENGE, CSR_EMPTY };

static struct bytes csr_made(enum csr_form form)
{
    X509_REQ *req = X509_REQ_new();
    unsigned char *der = NULL, challenge[400];
    struct bytes text = TEXT(CHALLENGE);

    memset(challenge, 'A', sizeof challenge);
    if (form == CSR_GARBAGE)
        text = TEXT("no certification request");
    if (form == CSR_BLANK_CHALLENGE)
        text = TEXT("   ");
    if (form == CSR_LONG_CHALLENGE)
        text = BYTES(challenge, sizeof challenge);
    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN", MBSTRING_UTF8, (const unsigned char *)"device 7", -1, -1, 0);
    X509_REQ_set_pubkey(req, client.key);
    if (form != CSR_NO_CHALLENGE)
        X509_REQ_add1_attr_by_NID(req, NID_pkcs9_challengePassword, V_ASN1_UTF8STRING, text.p, (int)text.n);
    cr_assert(X509_REQ_sign(req, client.key, EVP_sha256()) > 0);
    int n = i2d_X509_REQ(req, &der);
    X509_REQ_free(req);
    if (form == CSR_CHANGED)
        der[n - 1] ^= 1;
    struct bytes made = der_taken(der, n);
    if (form == CSR_EMPTY)
        made.n = 0;
    return form == CSR_GARBAGE ? text : made;
}

static void setup(void)
{
    shelf_setup();
    client = peer_make(rsa_make(), "client", "01");
    cr_assert_eq(EVP_PKEY_up_ref(shelf.older.sign.key), 1);
    stranger = peer_make(shelf.older.sign.key, "stranger", "02");
    signer.certificate = client.der;
    signer_start();
}

static void teardown(void)
{
    signer_stop();
    peer_free(&client);
    peer_free(&stranger);
    log_context(NULL, BYTES_NONE);
    shelf_teardown();
}

TestSuite(scep_enrol, .init = setup, .fini = teardown);

static int lines(const char *text)
{
    int n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static enum result run_as(const char *variant, struct bytes der, struct bytes *reply)
{
    struct scep_url url = {.ca = CA, .operation = OPERATION_PKI};
    const struct pki_call call = {.url = &url, .message = der, .remote = "192.0.2.7"};
    const struct pki_context x = {shelf.cache, signer.socket, NULL, NULL};
    struct endpoint *e = found();

    cr_assert_eq(variant_from_text(variant, &url.variant), R_OK);
    (void)logged();
    return pki_operation(&x, e, &call, &arena, reply);
}

static enum result run(struct bytes der, struct bytes *reply)
{
    return run_as("", der, reply);
}

static struct bytes sealed(struct bytes content, struct bytes recipient, uint32_t cipher)
{
    struct bytes der;

    cr_assert_eq(cms_seal(content, recipient, cipher, &arena, &der), R_OK);
    return der;
}

static struct bytes request_made(enum csr_form form, struct bytes recipient, uint32_t cipher, uint32_t hash)
{
    struct attributes_made made = request_attributes("19");

    return message_make(sealed(csr_made(form), recipient, cipher), &made, &client, hash);
}

/* With the algorithms that our own encoder does not write. */
static struct bytes sealed_by_openssl(struct bytes content, const EVP_CIPHER *cipher, bool oaep)
{
    BIO *in = BIO_new_mem_buf(content.p, (int)content.n);
    CMS_ContentInfo *cms = CMS_encrypt(NULL, in, cipher, CMS_PARTIAL | CMS_BINARY);
    CMS_RecipientInfo *r = CMS_add1_recipient_cert(cms, shelf.newer.encrypt.certificate, CMS_KEY_PARAM);

    if (oaep)
        EVP_PKEY_CTX_set_rsa_padding(CMS_RecipientInfo_get0_pkey_ctx(r), RSA_PKCS1_OAEP_PADDING);
    cr_assert_eq(CMS_final(cms, in, NULL, CMS_BINARY), 1);
    BIO_free(in);
    return cms_taken(cms);
}

static struct bytes signed_with_md5(struct bytes content)
{
    BIO *in = BIO_new_mem_buf(content.p, (int)content.n);
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_BINARY);
    CMS_SignerInfo *s = CMS_add1_signer(cms, client.certificate, client.key, EVP_md5(), CMS_BINARY | CMS_NOSMIMECAP);
    struct attributes_made made = request_attributes("19");

    for (uint32_t i = 0; i < made.count; i++)
        CMS_signed_add1_attr_by_txt(s, made.items[i].oid, made.items[i].type, made.items[i].value.p, (int)made.items[i].value.n);
    cr_assert_eq(CMS_final(cms, in, NULL, CMS_BINARY), 1);
    BIO_free(in);
    return cms_taken(cms);
}

Test(scep_enrol, success)
{
    struct bytes reply;

    cr_assert_eq(run(request_made(CSR_GOOD, shelf.newer.encrypt.der, CIPHER_AES256, HASH_SHA512), &reply), R_OK);
    struct answer_read x = answer_open(reply, &shelf.newer.sign);
    cr_assert(answer_says(&x, OID_SCEP_PKI_STATUS, V_ASN1_PRINTABLESTRING, TEXT("0")));
    X509 *certificate = answer_certificate(&x, &client);
    cr_assert_eq(X509_cmp(certificate, client.certificate), 0);
    X509_free(certificate);
    answer_close(&x);
    const struct signer_enrol *q = &signer.request.enrol;
    const struct message_algorithms *algorithms = &q->origin.algorithms;
    cr_assert_eq(signer.asked, 1);
    cr_assert_eq(signer.verb, SIGNER_ENROL);
    cr_assert_str_eq(q->origin.ca, CA);
    cr_assert_eq(q->origin.version, 0);
    cr_assert_str_eq(q->challenge, CHALLENGE);
    cr_assert_str_eq(q->origin.transaction, TRANSACTION);
    cr_assert_str_eq(name_find(&q->claims.subject, OID_CN), "device 7");
    cr_assert(algorithms->hash == HASH_SHA512 && algorithms->request_hash == HASH_SHA256 && algorithms->cipher == CIPHER_AES256);
    cr_assert(!algorithms->oaep && !algorithms->lenient);
    const char *text = logged();
    cr_assert_eq(lines(text), 1, "%s", text);
    cr_assert(strstr(text, "event=enrolled") && strstr(text, "txn=\"8A1F+/=b\"") && strstr(text, "serial=01"), "%s", text);
    cr_assert_null(strstr(text, CHALLENGE));
}

/* An older generation opens, and answers. */
Test(scep_enrol, older_generation)
{
    struct bytes reply;

    cr_assert_eq(run(request_made(CSR_GOOD, shelf.older.encrypt.der, CIPHER_AES128, HASH_SHA256), &reply), R_OK);
    struct answer_read x = answer_open(reply, &shelf.older.sign);
    cr_assert(answer_says(&x, OID_SCEP_PKI_STATUS, V_ASN1_PRINTABLESTRING, TEXT("0")));
    answer_close(&x);
}

Test(scep_enrol, oaep)
{
    struct attributes_made made = request_attributes("19");
    struct bytes reply, content = sealed_by_openssl(csr_made(CSR_GOOD), EVP_aes_128_cbc(), true);

    cr_assert_eq(run(message_make(content, &made, &client, HASH_SHA1), &reply), R_OK);
    struct answer_read x = answer_open(reply, &shelf.newer.sign);
    cr_assert(answer_says(&x, OID_SCEP_PKI_STATUS, V_ASN1_PRINTABLESTRING, TEXT("0")));
    answer_close(&x);
    const struct message_algorithms *algorithms = &signer.request.enrol.origin.algorithms;
    cr_assert(algorithms->oaep && algorithms->oaep_hash == HASH_SHA1 && algorithms->hash == HASH_SHA1);
}

Test(scep_enrol, refusals)
{
    enum content { SEALED, SEALED_TO_STRANGER, CAMELLIA, BARE, NONE };
    enum flaw { MD5 = 1, OTHER_SIGNER, BROKEN };
    static const struct {
        const char *type;
        enum content content;
        enum csr_form csr;
        enum flaw flaw;
        enum result answer;             /* the signer's */
        const char *fail;               /* failInfo of the CertRep */
        bool named;                     /* failInfoText is the reason */
        const char *reason;             /* in the log; NULL: one of several */
        int asked;
        const char *why;
    } cases[] = {
        {"17", SEALED, CSR_GOOD, 0, R_PREDECESSOR_UNKNOWN, "1", false, "PredecessorUnknown", 1, "a renewal by a stranger's certificate"},
        {"17", SEALED, CSR_GOOD, 0, R_RENEWAL_OFF, "2", true, "RenewalNotAllowed", 1, "a renewal that the profile does not have"},
        {"17", SEALED, CSR_CHANGED, 0, R_OK, "1", false, "SignatureValidationFailed", 0, "a renewal: the request's signature"},
        {"18", SEALED, CSR_GOOD, 0, R_OK, "2", false, "BadMessageType", 0, "UpdateReq"},
        {"20", SEALED, CSR_GOOD, 0, R_REQUEST_UNKNOWN, "4", true, "RequestUnknown", 1, "a poll that holds something else"},
        {"20", SEALED_TO_STRANGER, CSR_GOOD, 0, R_REQUEST_UNKNOWN, "4", true, "RequestUnknown", 1, "a poll that does not open: no other answer"},
        {"21", SEALED, CSR_GOOD, 0, R_OK, "1", false, "BadMessage", 0, "GetCert that holds something else"},
        {"22", SEALED, CSR_GOOD, 0, R_OK, "1", false, "BadMessage", 0, "GetCRL that holds something else"},
        {"3", SEALED, CSR_GOOD, 0, R_OK, "2", false, "BadMessageType", 0, "an answer"},
        {"x", SEALED, CSR_GOOD, 0, R_OK, "2", false, "BadMessageType", 0, "no number"},
        {"18", SEALED, CSR_GOOD, BROKEN, R_OK, "2", false, "BadMessageType", 0, "the type comes before the signature"},
        {"18", NONE, CSR_GOOD, 0, R_OK, "2", false, "BadMessageType", 0, "the type comes before the content"},
        {"19", SEALED, CSR_GOOD, BROKEN, R_OK, "1", false, "SignatureValidationFailed", 0, "a wrong signature"},
        {"19", SEALED, CSR_GOOD, MD5, R_BAD_ALG, "0", true, "AlgorithmNotAllowed", 1, "MD5, as the profile says"},
        {"19", CAMELLIA, CSR_GOOD, 0, R_OK, "1", false, "BadMessage", 0, "a cipher that is not served"},
        {"19", BARE, CSR_GOOD, 0, R_OK, "1", false, "BadMessage", 0, "a request that is not encrypted"},
        {"19", NONE, CSR_GOOD, 0, R_OK, "1", false, "BadMessage", 0, "nothing inside"},
        {"19", SEALED_TO_STRANGER, CSR_GOOD, 0, R_OK, "1", false, NULL, 0, "for another recipient"},
        {"19", SEALED, CSR_GARBAGE, 0, R_OK, "1", false, "CertificateRequestDecodingFailed", 0, "no request"},
        {"19", SEALED, CSR_EMPTY, 0, R_OK, "1", false, "CertificateRequestDecodingFailed", 0, "an empty request"},
        {"19", SEALED, CSR_CHANGED, 0, R_OK, "1", false, "SignatureValidationFailed", 0, "the request's signature"},
        {"19", SEALED, CSR_GOOD, OTHER_SIGNER, R_OK, "1", false, "SigningCertThumbprintMismatch", 0, "another key signs"},
        {"19", SEALED, CSR_NO_CHALLENGE, 0, R_OK, "1", false, "ChallengePasswordMissing", 0, "no challenge"},
        {"19", SEALED, CSR_BLANK_CHALLENGE, 0, R_OK, "1", false, "ChallengePasswordMissing", 0, "a blank challenge"},
        {"19", SEALED, CSR_LONG_CHALLENGE, 0, R_OK, "1", false, "ChallengeDecodingError", 0, "a longer one than ours"},
        {"19", SEALED, CSR_GOOD, 0, R_CHALLENGE_DECODING, "1", false, "ChallengeDecodingError", 1, "by the signer"},
        {"19", SEALED, CSR_GOOD, 0, R_CHALLENGE_DECRYPTION, "1", false, "ChallengeDecryptionError", 1, "as above"},
        {"19", SEALED, CSR_GOOD, 0, R_CHALLENGE_EXPIRED, "2", true, "ChallengeExpired", 1, "named"},
        {"19", SEALED, CSR_GOOD, 0, R_SUBJECT_MISMATCH, "2", true, "SubjectNameMismatch", 1, "named"},
        {"19", SEALED, CSR_GOOD, 0, R_BAD_ALG, "0", true, "AlgorithmNotAllowed", 1, "by the profile"},
        {"19", SEALED, CSR_GOOD, 0, R_CA_PAUSED, "2", true, "CertificationAuthorityPaused", 1, "named"},
        {"19", SEALED, CSR_GOOD, 0, R_OUT_OF_BOUNDS, "2", false, "OutOfBounds", 1, "a fault of ours has no name outside"},
        {"19", SEALED, CSR_GOOD, 0, R_DENIED, "2", false, "Denied", 1, "a fault of ours has no name outside"},
        {"19", SEALED, CSR_GOOD, 0, (enum result)9999, "2", false, "Internal", 1, "no result at all"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct attributes_made made = request_attributes(cases[i].type);
        struct bytes csr = csr_made(cases[i].csr), content = BYTES_NONE, reply = BYTES_NONE;
        int64_t began = clock_monotonic_ms();
        if (cases[i].content == SEALED)
            content = sealed(csr, shelf.newer.encrypt.der, CIPHER_AES128);
        else if (cases[i].content == SEALED_TO_STRANGER)
            content = sealed(csr, stranger.der, CIPHER_AES128);
        else if (cases[i].content == CAMELLIA)
            content = sealed_by_openssl(csr, EVP_camellia_128_cbc(), false);
        else if (cases[i].content == BARE)
            content = csr;
        struct bytes der = cases[i].flaw == MD5 ? signed_with_md5(content) :
            message_make(content, &made, cases[i].flaw == OTHER_SIGNER ? &stranger : &client, HASH_SHA256);
        if (cases[i].flaw == BROKEN)
            ((uint8_t *)der.p)[der.n - 1] ^= 1;
        signer.result = cases[i].answer;
        signer.detail = "field: found a, wanted b";
        signer.asked = 0;
        began = clock_monotonic_ms();
        enum result r = run(der, &reply);
        cr_assert_eq(r, R_OK, "%s: %s", cases[i].why, result_name(r));
        int64_t elapsed = clock_monotonic_ms() - began;
        struct answer_read x = answer_open(reply, &shelf.newer.sign);
        cr_assert(answer_says(&x, OID_SCEP_PKI_STATUS, V_ASN1_PRINTABLESTRING, TEXT("2")), "%s", cases[i].why);
        cr_assert(answer_says(&x, OID_SCEP_TRANSACTION_ID, V_ASN1_PRINTABLESTRING, TEXT(TRANSACTION)), "%s", cases[i].why);
        cr_assert(answer_says(&x, OID_SCEP_FAIL_INFO, V_ASN1_PRINTABLESTRING, TEXT(cases[i].fail)), "%s", cases[i].why);
        if (cases[i].named)
            cr_assert(answer_says(&x, OID_SCEP_FAIL_INFO_TEXT, V_ASN1_UTF8STRING, TEXT(cases[i].reason)), "%s", cases[i].why);
        else
            cr_assert_null(answer_attribute(&x, OID_SCEP_FAIL_INFO_TEXT), "%s", cases[i].why);
        cr_assert_eq(x.content.n, 0, "%s", cases[i].why);
        answer_close(&x);
        cr_assert_eq(signer.asked, cases[i].asked, "%s", cases[i].why);
        /* one millisecond for the two clocks' rounding */
        cr_assert(cases[i].fail[0] != '1' || elapsed >= PKI_HOLD_MS - 1, "%s: too early", cases[i].why);
        const char *text = logged();
        cr_assert_eq(lines(text), 1, "%s: %s", cases[i].why, text);
        cr_assert(strstr(text, "event=refused") && strstr(text, "txn="), "%s: %s", cases[i].why, text);
        cr_assert_null(strstr(text, CHALLENGE), "%s: %s", cases[i].why, text);
        cr_assert(cases[i].asked == 0 || strstr(text, "detail=\"field: found a, wanted b\""), "%s: %s", cases[i].why, text);
        if (cases[i].reason) {
            char reason[64];
            snprintf(reason, sizeof reason, "reason=%s ", cases[i].reason);
            cr_assert(strstr(text, reason), "%s: %s", cases[i].why, text);
        }
    }
}

Test(scep_enrol, pending)
{
    struct bytes reply;

    signer.pending = true;
    cr_assert_eq(run(request_made(CSR_GOOD, shelf.newer.encrypt.der, CIPHER_AES128, HASH_SHA256), &reply), R_OK);
    struct answer_read x = answer_open(reply, &shelf.newer.sign);
    cr_assert(answer_says(&x, OID_SCEP_PKI_STATUS, V_ASN1_PRINTABLESTRING, TEXT("3")));
    answer_close(&x);
    cr_assert(strstr(logged(), "event=pending"));
}

/* An issued certificate that signs for a new key: the client's, made by the CA above. */
static struct peer issued_peer(void)
{
    struct peer p = peer_make(rsa_make(), "issued", "5a");
    unsigned char *der = NULL;

    X509_set_issuer_name(p.certificate, X509_get_subject_name(shelf.parent.certificate));
    cr_assert(X509_sign(p.certificate, shelf.parent.key, EVP_sha256()) > 0);
    int n = i2d_X509(p.certificate, &der);
    p.der = der_taken(der, n);
    return p;
}

/* Type, who signs → what the signer is asked. */
Test(scep_enrol, renewals)
{
    struct peer before = issued_peer();
    static const struct { const char *type; bool by_before; unsigned verb; const char *why; } cases[] = {
        {"17", true, SIGNER_RENEW, "RenewalReq by the certificate before"},
        {"17", false, SIGNER_RENEW, "RenewalReq by a certificate of its own: the signer knows it not"},
        {"19", true, SIGNER_RENEW, "PKCSReq by the certificate before (interop Q50)"},
        {"19", false, SIGNER_ENROL, "PKCSReq"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct peer *by = cases[i].by_before ? &before : &client;
        struct attributes_made made = request_attributes(cases[i].type);
        struct bytes reply, content = sealed(csr_made(CSR_GOOD), shelf.newer.encrypt.der, CIPHER_AES128);
        cr_assert_eq(run(message_make(content, &made, by, HASH_SHA256), &reply), R_OK, "%s", cases[i].why);
        cr_assert_eq(signer.verb, cases[i].verb, "%s", cases[i].why);
        if (cases[i].verb == SIGNER_RENEW) {
            cr_assert(bytes_equal(signer.request.renew.predecessor, by->der), "%s", cases[i].why);
            cr_assert_str_eq(name_find(&signer.request.renew.claims.subject, OID_CN), "device 7", "%s", cases[i].why);
        }
        struct answer_read x = answer_open(reply, &shelf.newer.sign);
        X509 *certificate = answer_certificate(&x, by);
        X509_free(certificate);
        answer_close(&x);
    }
    peer_free(&before);
}

/* How many certificates are in the answer, by the variant (interop Q25). */
Test(scep_enrol, chain_in_the_answer)
{
    static const struct { const char *variant; int count; } cases[] = {{"", 1}, {"withissuer", 2}, {"withchain", 2}, {"modern-ra", 1}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes reply;
        cr_assert_eq(run_as(cases[i].variant, request_made(CSR_GOOD, shelf.newer.encrypt.der, CIPHER_AES128, HASH_SHA256), &reply), R_OK);
        struct answer_read x = answer_open(reply, &shelf.newer.sign);
        const unsigned char *p = x.content.p;
        CMS_ContentInfo *enveloped = d2i_CMS_ContentInfo(NULL, &p, (long)x.content.n);
        BIO *out = BIO_new(BIO_s_mem());
        cr_assert_eq(CMS_decrypt(enveloped, client.key, client.certificate, NULL, out, CMS_BINARY), 1);
        CMS_ContentInfo *inner = d2i_CMS_bio(out, NULL);
        STACK_OF(X509) *inside = CMS_get1_certs(inner);
        cr_assert_eq(sk_X509_num(inside), cases[i].count, "%s", cases[i].variant);
        sk_X509_pop_free(inside, X509_free);
        CMS_ContentInfo_free(inner);
        CMS_ContentInfo_free(enveloped);
        BIO_free(out);
        answer_close(&x);
    }
}

/* The same request may be sent again: no CertRep, which would end the client's attempt. */
Test(scep_enrol, retryable)
{
    struct bytes der = request_made(CSR_GOOD, shelf.newer.encrypt.der, CIPHER_AES128, HASH_SHA256);
    struct bytes reply = BYTES_NONE;

    signer.result = R_UNAVAILABLE;
    cr_assert_eq(run(der, &reply), R_UNAVAILABLE, "the signer says so");
    signer.result = R_CLOCK;
    cr_assert_eq(run(der, &reply), R_CLOCK, "the signer says so");
    signer.hangs_up = true;
    cr_assert_eq(run(der, &reply), R_OUTCOME_UNKNOWN, "the signer ends without an answer");
    unlink(signer.socket);
    cr_assert_eq(run(der, &reply), R_UNAVAILABLE, "no signer");
    cr_assert_null(reply.p);
    cr_assert(strstr(logged(), "event=refused reason=Unavailable"));
}

/* What no CertRep can be made for. */
Test(scep_enrol, unanswerable)
{
    struct attributes_made made = request_attributes("19");
    struct bytes der = message_make(TEXT("x"), &made, &client, HASH_SHA256), reply = BYTES_NONE;
    static const uint8_t zeros[1000];
    const struct { struct bytes message; const char *why; } cases[] = {
        {BYTES("", 0), "nothing"}, {TEXT("<html>"), "text"},
        {BYTES(zeros, sizeof zeros), "zeros"}, {BYTES(der.p, der.n - 1), "cut off"},
        {shelf.newer.encrypt.der, "a certificate"},
        {sealed(TEXT("x"), shelf.newer.encrypt.der, CIPHER_AES128), "the inner layer alone"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(run(cases[i].message, &reply), R_BAD_MESSAGE, "%s", cases[i].why);
        cr_assert_null(reply.p, "%s", cases[i].why);
        const char *text = logged();
        cr_assert(lines(text) == 1 && strstr(text, "event=refused reason=BadMessage"), "%s: %s", cases[i].why, text);
    }
}

/* Messages with a byte changed, in the outer layer and in the inner one: each gets an answer, and the next good one works. */
Test(scep_enrol, garbage)
{
    struct attributes_made made = request_attributes("19");
    struct bytes inner = sealed(csr_made(CSR_GOOD), shelf.newer.encrypt.der, CIPHER_AES128), reply;
    struct bytes der = message_make(inner, &made, &client, HASH_SHA256);

    for (size_t at = 0; at < der.n; at += 29) {
        uint8_t *changed = alone(der, der.n);
        changed[at] ^= (uint8_t)(1 << at % 8);
        (void)run(BYTES(changed, der.n), &reply);
        free(changed);
    }
    for (size_t at = 0; at < inner.n; at += 41) {
        struct bytes copy = arena_bytes(&arena, inner);
        ((uint8_t *)copy.p)[at] ^= (uint8_t)(1 << at % 8);
        reply = BYTES_NONE;
        cr_assert_eq(run(message_make(copy, &made, &client, HASH_SHA256), &reply), R_OK, "byte %zu", at);
        cr_assert_not_null(reply.p);
    }
    signer.result = R_OK;
    cr_assert_eq(run(der, &reply), R_OK);
    struct answer_read x = answer_open(reply, &shelf.newer.sign);
    cr_assert(answer_says(&x, OID_SCEP_PKI_STATUS, V_ASN1_PRINTABLESTRING, TEXT("0")));
    answer_close(&x);
}

/* A refresh that fails half-way leaves what was there, keys included. */
Test(scep_enrol, refresh_that_fails)
{
    struct bytes reply;
    struct bytes *many = arena_array(&arena, LIMIT_CHAIN + 1, sizeof *many);

    found();
    for (int i = 0; i <= LIMIT_CHAIN; i++)
        many[i] = shelf.parent.der;
    shelf.row.chain = many;
    shelf.row.chain_count = LIMIT_CHAIN + 1;
    shelf.now += ENDPOINT_FRESH_MS;
    cr_assert_eq(run(request_made(CSR_GOOD, shelf.newer.encrypt.der, CIPHER_AES128, HASH_SHA256), &reply), R_OK);
    cr_assert_eq(signer.asked, 1);
}

Test(scep_enrol, new_generation)
{
    struct bytes reply, der = request_made(CSR_GOOD, shelf.newer.encrypt.der, CIPHER_AES128, HASH_SHA256);

    shelf.row.generations[0] = shelf.older.row;
    shelf.row.generation_count = 1;
    found();
    cr_assert_eq(run(der, &reply), R_OK);
    cr_assert(shelf.reads == 1 && signer.asked == 0, "not asked for twice in a second");
    shelf.row.generations[0] = shelf.newer.row;
    shelf.row.generations[1] = shelf.older.row;
    shelf.row.generation_count = 2;
    shelf.now += ENDPOINT_AGAIN_MS;
    cr_assert_eq(run(der, &reply), R_OK);
    cr_assert(shelf.reads == 2 && signer.asked == 1, "found by the message that names it");
    struct answer_read x = answer_open(reply, &shelf.newer.sign);
    answer_close(&x);
}

