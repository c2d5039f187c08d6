/* cms_envelope_peek and cms_envelope_open: the inner layer. */
#include "lib/codec/cms_key.h"

#include <limits.h>

#include <openssl/cms.h>
#include <openssl/err.h>

#include "lib/base/limits.h"
#include "lib/codec/der.h"

struct recipient {
    struct cms_pointer pointer;
    bool is_oaep;
    struct cms_oaep oaep;           /* where it is */
};

struct outside {
    uint32_t cipher;
    uint32_t count;
    struct recipient recipients[LIMIT_SCEP_RECIPIENTS];
};

/* ---- walking the outside ---- */

static enum result recipient_decode(struct bytes in, struct recipient *out)
{
    struct ber part, oid;

    /* KeyTransRecipientInfo ::= { version, rid, keyEncryptionAlgorithm, encryptedKey } */
    if (ber_expect(&in, DER_INTEGER, &part) != R_OK || cms_pointer_take(&in, &out->pointer) != R_OK)
        return R_BAD_MESSAGE;
    if (ber_expect(&in, DER_SEQUENCE, &part) != R_OK || ber_expect(&part.value, DER_OID, &oid) != R_OK)
        return R_BAD_MESSAGE;
    out->is_oaep = bytes_equal(oid.value, cms_oid_rsaes_oaep);
    out->oaep = out->is_oaep ? cms_oaep_decode(part.value) : (struct cms_oaep){HASH_OTHER, false};
    return R_OK;
}

static enum result recipients_decode(struct bytes in, struct outside *out)
{
    struct ber info;

    while (in.n != 0) {
        /* every kind but KeyTransRecipientInfo has a context tag */
        if (out->count == LIMIT_SCEP_RECIPIENTS || ber_expect(&in, DER_SEQUENCE, &info) != R_OK)
            return R_BAD_MESSAGE;
        if (recipient_decode(info.value, &out->recipients[out->count]) != R_OK)
            return R_BAD_MESSAGE;
        out->count++;
    }
    return out->count != 0 ? R_OK : R_BAD_MESSAGE;
}

static uint32_t cipher_of_oid(struct bytes oid)
{
    for (uint32_t i = 0; i < CIPHER_OTHER; i++) {
        if (bytes_equal(cms_cipher_find(i)->oid, oid))
            return i;
    }
    return CIPHER_OTHER;
}

static enum result outside_decode(struct bytes der, struct outside *out)
{
    struct bytes in;
    struct ber recipients, content, part, oid;
    bool found;

    /* EnvelopedData ::= { version, originatorInfo [0], recipientInfos, encryptedContentInfo, unprotectedAttrs [1] };
     * originatorInfo would bring certificates that key transport has no use for */
    if (cms_content_of_type(der, cms_oid_enveloped_data, &in) != R_OK || ber_expect(&in, DER_INTEGER, &part) != R_OK)
        return R_BAD_MESSAGE;
    if (ber_expect(&in, DER_SET, &recipients) != R_OK || recipients_decode(recipients.value, out) != R_OK)
        return R_BAD_MESSAGE;
    if (ber_expect(&in, DER_SEQUENCE, &content) != R_OK)
        return R_BAD_MESSAGE;
    if (ber_optional(&in, DER_CONTEXT_CONSTRUCTED(1), &part, &found) != R_OK || in.n != 0)
        return R_BAD_MESSAGE;
    /* EncryptedContentInfo ::= { contentType, contentEncryptionAlgorithm, encryptedContent [0] } */
    if (ber_expect(&content.value, DER_OID, &part) != R_OK || ber_expect(&content.value, DER_SEQUENCE, &part) != R_OK)
        return R_BAD_MESSAGE;
    if (ber_expect(&part.value, DER_OID, &oid) != R_OK)
        return R_BAD_MESSAGE;
    out->cipher = cipher_of_oid(oid.value);
    return R_OK;
}

/* ---- whose is it? ---- */

/* The index of the first recipient with that identity, or -1. */
static int recipient_find(const struct outside *o, const struct cms_identity *identity)
{
    for (uint32_t i = 0; i < o->count; i++) {
        if (cms_pointer_matches(&o->recipients[i].pointer, identity))
            return (int)i;
    }
    return -1;
}

enum result cms_envelope_peek(struct bytes der, const struct bytes *certificates, uint32_t count, struct cms_envelope *out,
                              int *match)
{
    struct outside o = {0};
    struct cms_identity identity;
    int first = INT_MAX;
    enum result r = outside_decode(der, &o);

    if (r != R_OK)
        return r;
    *match = -1;
    for (uint32_t i = 0; i < count; i++) {
        int recipient = cms_identity_decode(certificates[i], &identity) == R_OK ? recipient_find(&o, &identity) : -1;
        if (recipient >= 0 && recipient < first) {
            first = recipient;
            *match = (int)i;
        }
    }
    const struct recipient *found = &o.recipients[*match >= 0 ? first : 0];
    *out = (struct cms_envelope){o.cipher, found->is_oaep, found->oaep.hash, o.count};
    return R_OK;
}

/* ---- opening ---- */

static enum result content_copy(BIO *memory, struct arena *a, struct bytes *out)
{
    char *p = NULL;
    long n = BIO_get_mem_data(memory, &p);

    *out = arena_bytes(a, BYTES(p, (size_t)n));
    return out->p != NULL ? R_OK : R_NO_MEMORY;
}

/* The whole message, for decrypting in that library context; NULL where it is none. */
static CMS_ContentInfo *envelope_decode(struct bytes der, OSSL_LIB_CTX *library)
{
    const unsigned char *p = der.p;
    CMS_ContentInfo *cms = CMS_ContentInfo_new_ex(library, NULL);

    if (cms == NULL || d2i_CMS_ContentInfo(&cms, &p, (long)der.n) == NULL)      /* which frees it */
        return NULL;
    if (p == der.p + der.n && OBJ_obj2nid(CMS_get0_type(cms)) == NID_pkcs7_enveloped)
        return cms;
    CMS_ContentInfo_free(cms);
    return NULL;
}

enum result cms_envelope_open(struct bytes der, const struct cms_key *k, struct arena *a, struct bytes *content)
{
    enum result r = R_BAD_MESSAGE;
    struct outside o = {0};
    BIO *plain = NULL;

    if (outside_decode(der, &o) != R_OK)
        return R_BAD_MESSAGE;
    const struct cms_cipher *cipher = cms_cipher_find(o.cipher);
    int index = recipient_find(&o, &k->identity);
    if (index < 0)
        index = 0;
    if (cipher == NULL || cipher->evp() == NULL || (o.recipients[index].is_oaep && !o.recipients[index].oaep.opens))
        return R_BAD_MESSAGE;
    CMS_ContentInfo *cms = envelope_decode(der, cipher->library != NULL ? cipher->library() : NULL);
    if (cms == NULL)
        goto out;
    STACK_OF(CMS_RecipientInfo) *recipients = CMS_get0_RecipientInfos(cms);
    if (sk_CMS_RecipientInfo_num(recipients) != (int)o.count)
        goto out;
    CMS_RecipientInfo *recipient = sk_CMS_RecipientInfo_value(recipients, index);
    plain = BIO_new(BIO_s_mem());
    if (plain == NULL || EVP_PKEY_up_ref(k->key) != 1)
        goto out;
    if (CMS_RecipientInfo_set0_pkey(recipient, k->key) != 1) {
        EVP_PKEY_free(k->key);
        goto out;
    }
    /* Whether the key could be unwrapped is not looked at: where it could not, OpenSSL decrypts with a random key (RFC 3218
     * section 2.3.2), and what comes out is as wrong as after a wrong key. So nobody learns which of the two it was. */
    (void)CMS_RecipientInfo_decrypt(cms, recipient);
    ERR_clear_error();
    if (CMS_decrypt(cms, NULL, NULL, NULL, plain, CMS_BINARY) == 1)
        r = content_copy(plain, a, content);
out:
    BIO_free(plain);                            /* wipes */
    CMS_ContentInfo_free(cms);
    ERR_clear_error();
    return r;
}
