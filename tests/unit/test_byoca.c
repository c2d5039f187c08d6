/* Chains of an external CA, judged: one that is good, changed in one way a row. */
#include <criterion/criterion.h>

#include <string.h>

#include "lib/policy/byoca.h"

/* OpenSSL has macros of the same names, with other values. */
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/x509v3.h>
#undef KU_DIGITAL_SIGNATURE
#undef KU_KEY_CERT_SIGN
#undef KU_CRL_SIGN

#define COUNT(x) (sizeof (x) / sizeof (x)[0])
#define DAY 86400
#define NOW INT64_C(1800000000)

/* ---- certificates from descriptions ---- */

enum { K_MADE, K_ISSUING, K_SUB, K_ROOT, K_OTHER, K_RSA1024, K_RSA4160, K_E3, K_P224, K_K1, K_ED25519, KEYS };
static EVP_PKEY *keys[KEYS];

struct spec {
    const char *subject, *issuer;                /* attributes: LABEL=value, comma between */
    int key, signer, ski, aki;                   /* indices of keys; ski and aki -1: none */
    /* basicConstraints, keyUsage, EKU, nameConstraints, policyConstraints, "OID=conf"; NULL: none */
    const char *constraints, *usage, *ekus, *names, *policies, *other;
    int64_t from, to;                            /* days from NOW */
    const char *hash;
    bool broken;                                 /* signature */
    int serial_octets;
};
enum { MADE, ISSUING, SUB, ROOT, EXTRA, SPECS = EXTRA + 42 };
/* bag: the letters of the specs in it: a for MADE … */
struct world { struct spec specs[SPECS]; const char *bag; };

static EVP_PKEY *key_made(int kind)
{
    switch (kind) {
    case K_RSA1024: return EVP_RSA_gen(1024);
    case K_P224: return EVP_EC_gen("P-224");
    case K_K1: return EVP_EC_gen("secp256k1");
    case K_ED25519: return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    case K_MADE: return EVP_RSA_gen(2048);
    case K_ROOT: return EVP_EC_gen("P-384");
    case K_RSA4160: {                            /* its size alone is looked at */
        uint8_t n[520];
        EVP_PKEY *key = NULL;
        EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
        unsigned e = 65537;
        memset(n, 0xff, sizeof n);
        EVP_PKEY_fromdata_init(c);
        EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY,
                          (OSSL_PARAM[]){OSSL_PARAM_construct_BN("n", n, sizeof n), OSSL_PARAM_construct_uint("e", &e),
                                         OSSL_PARAM_construct_end()});
        EVP_PKEY_CTX_free(c);
        return key;
    }
    case K_E3: {
        EVP_PKEY *key = NULL;
        EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
        BIGNUM *e = BN_new();
        BN_set_word(e, 3);
        EVP_PKEY_keygen_init(c);
        EVP_PKEY_CTX_set_rsa_keygen_bits(c, 2048);
        EVP_PKEY_CTX_set1_rsa_keygen_pubexp(c, e);
        EVP_PKEY_keygen(c, &key);
        BN_free(e);
        EVP_PKEY_CTX_free(c);
        return key;
    }
    default: return EVP_EC_gen("P-256");
    }
}

static EVP_PKEY *key_of(int kind)
{
    if (!keys[kind])
        keys[kind] = key_made(kind);
    cr_assert(keys[kind], "key %d", kind);
    return keys[kind];
}

static void name_put(X509_NAME *name, const char *text)
{
    char copy[512], *rest = copy, *word;
    snprintf(copy, sizeof copy, "%s", text);
    while ((word = strsep(&rest, ",")) != NULL) {
        char *value = strchr(word, '=');
        if (!value)
            continue;
        *value++ = '\0';
        cr_assert(X509_NAME_add_entry_by_txt(name, word, MBSTRING_UTF8, (const uint8_t *)value, -1, -1, 0), "%s", word);
    }
}

static void extension_put(X509 *x, int nid, const char *value)
{
    X509V3_CTX context;
    if (!value)
        return;
    X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    cr_assert(e && X509_add_ext(x, e, -1), "%s", value);
    X509_EXTENSION_free(e);
}

static void other_put(X509 *x, const char *other)
{
    char oid[64];
    if (!other)
        return;
    snprintf(oid, sizeof oid, "%.*s", (int)strcspn(other, "="), other);
    X509_EXTENSION *e = X509V3_EXT_conf(NULL, NULL, oid, other + strlen(oid) + 1);
    cr_assert(e && X509_add_ext(x, e, -1), "%s", other);
    X509_EXTENSION_free(e);
}

static void key_ids_put(X509 *x, const struct spec *s)
{
    uint8_t id[20];
    int ids[] = {s->ski, s->aki};
    for (int i = 0; i < 2; i++) {
        if (ids[i] < 0)
            continue;
        memset(id, 'a' + ids[i], sizeof id);
        ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
        ASN1_OCTET_STRING_set(octets, id, sizeof id);
        AUTHORITY_KEYID *aki = AUTHORITY_KEYID_new();
        aki->keyid = octets;
        cr_assert(X509_add1_ext_i2d(x, i == 0 ? NID_subject_key_identifier : NID_authority_key_identifier,
                                    i == 0 ? (void *)octets : (void *)aki, 0, 0));
        AUTHORITY_KEYID_free(aki);
    }
}

static void made_of(const struct spec *s, struct arena *a, struct certificate *out)
{
    X509 *x = X509_new();
    uint8_t *der = NULL, serial[32];
    memset(serial, 0x21, sizeof serial);
    BIGNUM *number = BN_bin2bn(serial, s->serial_octets ? s->serial_octets : 8, NULL);
    cr_assert(X509_set_version(x, X509_VERSION_3) && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)));
    BN_free(number);
    name_put(X509_get_subject_name(x), s->subject);
    name_put(X509_get_issuer_name(x), s->issuer);
    ASN1_TIME_set(X509_getm_notBefore(x), NOW + s->from * DAY);
    ASN1_TIME_set(X509_getm_notAfter(x), NOW + s->to * DAY);
    cr_assert(X509_set_pubkey(x, key_of(s->key)));
    extension_put(x, NID_basic_constraints, s->constraints);
    extension_put(x, NID_key_usage, s->usage);
    extension_put(x, NID_ext_key_usage, s->ekus);
    extension_put(x, NID_name_constraints, s->names);
    extension_put(x, NID_policy_constraints, s->policies);
    other_put(x, s->other);
    key_ids_put(x, s);
    const EVP_MD *md =
        EVP_PKEY_id(key_of(s->signer)) == EVP_PKEY_ED25519 ? NULL : EVP_get_digestbyname(s->hash ? s->hash : "SHA256");
    cr_assert(X509_sign(x, key_of(s->signer), md));
    int n = i2d_X509(x, &der);
    cr_assert_gt(n, 0);
    if (s->broken)
        der[n - 1] ^= 1;
    cr_assert_eq(certificate_decode(BYTES(der, (size_t)n), a, out), R_OK, "%s", s->subject);
    OPENSSL_free(der);
    X509_free(x);
}

/* Four tiers: an EC root, two CAs, and the certificate of our request. */
static struct world world_made(void)
{
    static const char ca[] = "critical,CA:TRUE", usage[] = "critical,keyCertSign,cRLSign";
    struct world w = {.bag = "dbc", .specs = {
        [MADE] = {.subject = "C=NL,O=Contoso,CN=made", .issuer = "O=Contoso,CN=issuing", .key = K_MADE, .ski = K_MADE,
                  .signer = K_ISSUING, .aki = K_ISSUING, .constraints = "critical,CA:TRUE,pathlen:0", .usage = usage,
                  .ekus = "clientAuth,serverAuth", .from = -1, .to = 300},
        [ISSUING] = {.subject = "O=Contoso,CN=issuing", .issuer = "O=Contoso,CN=sub", .key = K_ISSUING, .ski = K_ISSUING,
                     .signer = K_SUB, .aki = K_SUB, .constraints = ca, .usage = usage, .from = -10, .to = 1000},
        [SUB] = {.subject = "O=Contoso,CN=sub", .issuer = "O=Contoso,CN=root", .key = K_SUB, .ski = K_SUB, .signer = K_ROOT,
                 .aki = K_ROOT, .constraints = ca, .usage = usage, .from = -10, .to = 1000},
        [ROOT] = {.subject = "O=Contoso,CN=root", .issuer = "O=Contoso,CN=root", .key = K_ROOT, .ski = K_ROOT, .signer = K_ROOT,
                  .aki = K_ROOT, .constraints = ca, .usage = usage, .from = -10, .to = 2000, .hash = "SHA384"},
    }};
    return w;
}

/* Another certificate of a CA that is there, or a new one, as the letter after d. */
static struct spec *extra(struct world *w, int i, int like, const char *bag)
{
    w->specs[EXTRA + i] = w->specs[like];
    w->bag = bag;
    return &w->specs[EXTRA + i];
}

#define CHANGE(name, ...) \
    static void name(struct world *w) \
    { \
        struct spec *m = &w->specs[MADE], *i = &w->specs[ISSUING], *s = &w->specs[SUB], *r = &w->specs[ROOT]; \
        (void)m, (void)i, (void)s, (void)r; \
        __VA_ARGS__; \
    }
CHANGE(nothing, (void)0)
CHANGE(shuffled, w->bag = "cdb")
CHANGE(doubled, w->bag = "bbacdabcd")
CHANGE(one_tier, m->issuer = "O=Contoso,CN=root"; m->signer = m->aki = K_ROOT; w->bag = "d")
CHANGE(not_needed, *extra(w, 0, ISSUING, "debc") = (struct spec){.subject = "CN=someone", .issuer = "CN=else", .key = K_OTHER,
       .signer = K_SUB, .ski = -1, .aki = -1, .from = -9, .to = -1, .hash = "SHA1", .broken = true})
CHANGE(no_key_ids, i->ski = i->aki = s->ski = s->aki = r->ski = r->aki = m->aki = -1)
CHANGE(same_name, struct spec *e = extra(w, 0, ISSUING, "ebcd"); e->key = K_OTHER; e->ski = K_OTHER)
CHANGE(same_name_no_ids, same_name(w); i->ski = m->aki = -1; w->specs[EXTRA].ski = -1)
CHANGE(renamed, m->subject = "DC=example,CN=another,emailAddress=ca@example.org,title=t,serialNumber=1,street=s,GN=g,initials=i,"
       "postalCode=1,dnQualifier=q,OU=u,L=l,ST=s,C=NL,O=o")
CHANGE(cross, struct spec *e = extra(w, 0, SUB, "ebcd"); e->issuer = "CN=old root"; e->signer = e->aki = K_OTHER)
CHANGE(cross_both, struct spec *e = extra(w, 0, SUB, "debcf"); e->issuer = "CN=old root"; e->signer = e->aki = K_OTHER;
       e = extra(w, 1, ROOT, "debcf");
       e->subject = e->issuer = "CN=old root"; e->key = e->signer = e->ski = e->aki = K_OTHER)
CHANGE(cross_saves, cross_both(w); r->to = -1)
CHANGE(cross_loop, struct spec *e = extra(w, 0, SUB, "ebcd"); e->issuer = "O=Contoso,CN=issuing"; e->signer = e->aki = K_ISSUING)
CHANGE(rollover, struct spec *e = extra(w, 0, ROOT, "febc"); e->key = e->ski = K_OTHER;
       e = extra(w, 1, ROOT, "febc"); s->signer = s->aki = K_OTHER)
CHANGE(rollover_path_0, rollover(w); r->constraints = "critical,CA:TRUE,pathlen:2")
CHANGE(sha1_root, r->hash = "SHA1")
CHANGE(no_ekus, m->ekus = NULL)
CHANGE(ekus_above, i->ekus = "clientAuth,codeSigning"; r->ekus = "clientAuth,serverAuth")
CHANGE(any_above, i->ekus = "anyExtendedKeyUsage")
CHANGE(no_usage_above, i->usage = s->usage = r->usage = NULL)
CHANGE(paths_fit, i->constraints = "CA:TRUE,pathlen:1"; s->constraints = "CA:TRUE,pathlen:2";
       r->constraints = "CA:TRUE,pathlen:3")
CHANGE(valid_to_the_second, m->from = 0; i->to = 0)
CHANGE(names_fit, s->names = "critical,permitted;DNS:example.org,excluded;email:example.com")
CHANGE(host_cn_is_no_host, names_fit(w); m->subject = "CN=ca.example.com")
CHANGE(policy_far, s->policies = "critical,requireExplicitPolicy:4")
CHANGE(policy_inhibited, s->policies = "critical,inhibitPolicyMapping:0"; i->other = "2.5.29.54=critical,DER:020100";
       m->other = "2.5.29.32=critical,DER:3007300506032a0304")
CHANGE(serial_20, m->serial_octets = 20)

CHANGE(other_key, m->key = K_OTHER)
CHANGE(made_no_ca, m->constraints = "CA:FALSE")
CHANGE(made_no_constraints, m->constraints = NULL)
CHANGE(made_no_usage, m->usage = NULL)
CHANGE(made_no_cert_sign, m->usage = "cRLSign,digitalSignature")
CHANGE(made_no_crl_sign, m->usage = "keyCertSign")
CHANGE(made_any, m->ekus = "clientAuth,anyExtendedKeyUsage")
CHANGE(made_fewer_ekus, m->ekus = "serverAuth")
CHANGE(issuing_fewer_ekus, i->ekus = "serverAuth,codeSigning")
CHANGE(root_fewer_ekus, r->ekus = "serverAuth")
CHANGE(no_subject, m->subject = "")
CHANGE(uid, m->subject = "CN=made,UID=x")
CHANGE(surname, m->subject = "CN=made,SN=x")
CHANGE(made_no_ski, m->ski = -1)
CHANGE(serial_21, m->serial_octets = 21)
CHANGE(made_expired, m->to = -1; m->from = -2)
CHANGE(made_early, m->from = 1)
CHANGE(sub_expired, s->to = -1)
CHANGE(root_expired, r->to = -1)
CHANGE(made_critical, m->other = "1.2.3.4=critical,DER:0500")
CHANGE(root_critical, r->other = "1.2.3.4=critical,DER:0500")
CHANGE(made_sha1, m->hash = "SHA1")
CHANGE(issuing_sha1, i->hash = "SHA1")
CHANGE(sub_md5, s->signer = r->key = r->signer = K_MADE; s->hash = "MD5")
CHANGE(root_md5, s->signer = r->key = r->signer = K_MADE; r->hash = "MD5")
CHANGE(made_broken, m->broken = true)
CHANGE(issuing_broken, i->broken = true)
CHANGE(root_broken, r->broken = true)
CHANGE(root_not_own, r->signer = K_OTHER)
CHANGE(wrong_signer, m->signer = K_OTHER)
CHANGE(other_aki, m->aki = K_OTHER)
CHANGE(no_root, w->bag = "bc")
CHANGE(no_sub, w->bag = "bd")
CHANGE(no_issuing, w->bag = "cd")
CHANGE(empty, w->bag = "")
CHANGE(loop, s->issuer = "O=Contoso,CN=issuing"; s->signer = s->aki = K_ISSUING)
CHANGE(issuing_no_ca, i->constraints = "CA:FALSE")
CHANGE(root_no_ca, r->constraints = NULL)
CHANGE(sub_no_cert_sign, s->usage = "cRLSign")
CHANGE(root_no_cert_sign, r->usage = "digitalSignature")
CHANGE(issuing_path_fits, i->constraints = "CA:TRUE,pathlen:0")
CHANGE(root_path_1, r->constraints = "critical,CA:TRUE,pathlen:1")
CHANGE(root_path_2, r->constraints = "critical,CA:TRUE,pathlen:2")
CHANGE(rsa_1024, i->key = K_RSA1024; m->signer = K_RSA1024)
CHANGE(rsa_4160, i->key = K_RSA4160)
CHANGE(rsa_e3, i->key = K_E3; m->signer = K_E3)
CHANGE(p224, i->key = K_P224; m->signer = K_P224)
CHANGE(secp256k1, i->key = K_K1; m->signer = K_K1)
CHANGE(ed25519, i->key = K_ED25519; m->signer = K_ED25519)
CHANGE(names_root, r->names = "critical,permitted;email:example.org"; m->subject = "CN=made,emailAddress=a@example.com")
CHANGE(names_self_issued, names_root(w); rollover(w))
CHANGE(policy_at_once, r->policies = "critical,requireExplicitPolicy:0")
CHANGE(policy_for_leaf, s->policies = "critical,requireExplicitPolicy:3")
CHANGE(policy_of_made, m->policies = "critical,requireExplicitPolicy:1")
CHANGE(policy_mapped, s->other = "2.5.29.33=critical,DER:300c300a06032a030406032a0305";
       i->other = "2.5.29.33=critical,DER:300d300b06032a03040604551d2000")

static void deep(struct world *w, int tiers, char *bag)
{
    static char names[SPECS][24];
    for (int k = 0; k < tiers; k++) {
        struct spec *e = extra(w, k, SUB, bag);
        snprintf(names[k], sizeof names[k], "CN=tier %d", k);
        e->subject = names[k];
        e->issuer = k == 0 ? "O=Contoso,CN=root" : names[k - 1];
        e->key = e->ski = K_SUB;
        e->signer = e->aki = k == 0 ? K_ROOT : K_SUB;
        bag[k] = (char)('a' + EXTRA + k);
    }
    memcpy(bag + tiers, "bd", 3);
    w->specs[ISSUING].issuer = names[tiers - 1];
}
static void as_deep_as_can_be(struct world *w) { static char bag[SPECS + 4]; deep(w, LIMIT_CHAIN - 2, bag); }
static void too_deep(struct world *w) { static char bag[SPECS + 4]; deep(w, LIMIT_CHAIN - 1, bag); }

/* Each of seven names certified by each other. */
static void maze(struct world *w)
{
    enum { NAMES = 7 };
    static char bag[SPECS + 4];
    static const char *const names[NAMES] = {"CN=0", "CN=1", "CN=2", "CN=3", "CN=4", "CN=5", "CN=6"};
    int n = 0;
    for (int k = 0; k < NAMES * NAMES; k++) {
        if (k / NAMES == k % NAMES)
            continue;
        struct spec *e = extra(w, n, ISSUING, bag);
        e->subject = names[k / NAMES];
        e->issuer = names[k % NAMES];
        e->key = e->signer = K_OTHER;
        e->ski = e->aki = -1;
        bag[n] = (char)('a' + EXTRA + n);
        n++;
    }
    w->specs[MADE].issuer = names[0];
    w->specs[MADE].signer = K_OTHER;
    w->specs[MADE].aki = -1;
}

static const struct { void (*change)(struct world *); const char *field, *names, *why; } cases[] = {
    {nothing, NULL, NULL, "four tiers, an EC root"},
    {shuffled, NULL, NULL, "in any order"},
    {doubled, NULL, NULL, "each several times, the certificate itself among them"},
    {one_tier, NULL, NULL, "signed by the root"},
    {not_needed, NULL, NULL, "what is not needed is not looked at"},
    {no_key_ids, NULL, NULL, "old CAs name no key"},
    {same_name, NULL, NULL, "two CAs of a name, told apart by the key identifier"},
    {same_name_no_ids, NULL, NULL, "or by the signature"},
    {renamed, NULL, NULL, "the external CA gave another subject, of all fifteen attributes"},
    {cross, NULL, NULL, "a cross-certificate to a root that is not there"},
    {cross_both, NULL, NULL, "two ways to two roots"},
    {cross_saves, NULL, NULL, "of which one has expired"},
    {cross_loop, NULL, NULL, "a cross-certificate that leads back"},
    {rollover, NULL, NULL, "a root's new key, certified by the old one"},
    {rollover_path_0, NULL, NULL, "which does not count for pathLen"},
    {sha1_root, NULL, NULL, "SHA-1 on the root"},
    {no_ekus, NULL, NULL, "no EKU extension is all purposes"},
    {ekus_above, NULL, NULL, "EKU extensions above with what was asked"},
    {any_above, NULL, NULL, "Any Purpose above"},
    {no_usage_above, NULL, NULL, "no keyUsage above restricts nothing"},
    {paths_fit, NULL, NULL, "pathLen just enough"},
    {valid_to_the_second, NULL, NULL, "valid from and to this second"},
    {names_fit, NULL, NULL, "name constraints of other kinds"},
    {host_cn_is_no_host, NULL, NULL, "a CA's common name is no host's"},
    {policy_far, NULL, NULL, "a policy required further down than there is anything"},
    {policy_inhibited, NULL, NULL, "policies without a requirement"},
    {serial_20, NULL, NULL, "the longest serial number"},
    {as_deep_as_can_be, NULL, NULL, "16 above"},
    {other_key, "public_key", "made", "a certificate of another key"},
    {made_no_ca, "basic_constraints", "made", "CA:FALSE"},
    {made_no_constraints, "basic_constraints", "made", "no basicConstraints"},
    {made_no_usage, "key_usage", "made", "no keyUsage"},
    {made_no_cert_sign, "key_usage", "made", "no keyCertSign"},
    {made_no_crl_sign, "key_usage", "made", "no cRLSign"},
    {made_any, "eku", "made", "Any Purpose"},
    {made_fewer_ekus, "eku", "made", "a purpose that was asked for is not there"},
    {issuing_fewer_ekus, "eku", "issuing", "nor above"},
    {root_fewer_ekus, "eku", "root", "nor in the root"},
    {no_subject, "subject", "", "no subject"},
    {uid, "subject", "UID", "an attribute beyond the fifteen"},
    {surname, "subject", "2.5.4.4", "another"},
    {made_no_ski, "subject_key_identifier", "made", "leaves would have no AKI"},
    {serial_21, "serial", "made", "an octet too many"},
    {made_expired, "validity", "made", "over"},
    {made_early, "validity", "made", "not begun"},
    {sub_expired, "validity", "sub", "a CA between is over"},
    {root_expired, "validity", "root", "the root is"},
    {made_critical, "critical_extension", "1.2.3.4", "an unknown critical extension"},
    {root_critical, "critical_extension", "root", "in the root too"},
    {made_sha1, "signature_hash", "made", "SHA-1"},
    {issuing_sha1, "signature_hash", "issuing", "SHA-1 above"},
    {sub_md5, "signature_hash", "MD5", "MD5"},
    {root_md5, "signature_hash", "root", "MD5 on the root"},
    {made_broken, "signature", "made", "a broken signature"},
    {issuing_broken, "signature", "issuing", "one above"},
    {root_broken, "signature", "root", "the root's own"},
    {root_not_own, "signature", "root", "a root that another key signed"},
    {wrong_signer, "signature", "made", "signed by somebody else"},
    {other_aki, "signature", "made", "by its key identifier, another CA's"},
    {no_root, "chain", "root", "the root is missing"},
    {no_sub, "chain", "sub", "one between"},
    {no_issuing, "chain", "issuing", "the first above"},
    {empty, "chain", "issuing", "all"},
    {loop, "chain", "circle", "a chain in a circle"},
    {too_deep, "chain", "made", "17 above"},
    {issuing_no_ca, "basic_constraints", "issuing", "a parent that is no CA"},
    {root_no_ca, "basic_constraints", "root", "a root that is none"},
    {sub_no_cert_sign, "key_usage", "sub", "a CA above that may not sign certificates"},
    {root_no_cert_sign, "key_usage", "root", "a root"},
    {issuing_path_fits, "path_length", "issuing", "pathLen 0 with a CA below"},
    {root_path_1, "path_length", "root", "pathLen of the root"},
    {root_path_2, "path_length", "root", "one too few"},
    {rsa_1024, "key", "issuing", "RSA-1024 above"},
    {rsa_4160, "key", "issuing", "RSA beyond the limit"},
    {rsa_e3, "key", "issuing", "exponent 3"},
    {p224, "key", "issuing", "P-224"},
    {secp256k1, "key", "issuing", "a curve that is none of NIST's"},
    {ed25519, "key", "issuing", "Ed25519"},
    {names_root, "name_constraints", "made", "names that the root does not permit"},
    {names_self_issued, "name_constraints", "made", "also with a self-issued certificate between"},
    {policy_at_once, "policies", "root", "a policy required of all"},
    {policy_for_leaf, "policies", "sub", "of leaves alone"},
    {policy_of_made, "policies", "made", "by the certificate itself"},
    {policy_mapped, "policies", "issuing", "a mapping of anyPolicy"},
    {maze, "chain", "too many ways", "too many ways, none of which ends"},
};

Test(byoca, rules)
{
    static const char *asked[] = {EKU_CLIENT_AUTH};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world w = world_made();
        struct certificate made, bag[LIMIT_UPLOAD_CERTIFICATES], ours;
        struct arena a;
        struct byoca_chain chain = {.count = 0};
        struct verdict v = {0};
        uint32_t count = 0;
        arena_init(&a, 1 << 24);
        struct spec own = w.specs[MADE];
        made_of(&own, &a, &ours);
        cases[i].change(&w);
        made_of(&w.specs[MADE], &a, &made);
        for (const char *p = w.bag; *p; p++)
            made_of(&w.specs[(unsigned char)*p - 'a'], &a, &bag[count++]);
        struct byoca_request q = {ours.key.spki, {asked, 1}, NOW};
        enum result r = byoca_check(&q, &made, bag, count, &a, &chain, &v);
        cr_expect_eq(r, cases[i].field ? R_BAD_INPUT : R_OK, "%s: %s: found %s", cases[i].why, v.field, v.found);
        cr_expect(cases[i].field ? v.field && strcmp(v.field, cases[i].field) == 0 : !v.field, "%s: %s: found %s, wanted %s",
                  cases[i].why, v.field, v.found, v.wanted);
        if (cases[i].field) {
            cr_expect(v.found && strstr(v.found, cases[i].names), "%s: found %s", cases[i].why, v.found);
        } else if (r == R_OK) {
            cr_expect_eq(chain.items[0], &made, "%s", cases[i].why);
            const struct certificate *root = chain.items[chain.count - 1];
            cr_expect(bytes_equal(root->issuer, root->subject), "%s", cases[i].why);
            for (uint32_t k = 0; k + 1 < chain.count; k++)
                cr_expect_eq(certificate_verify(chain.items[k]->der, chain.items[k + 1]->key.spki), R_OK, "%s: %u", cases[i].why,
                             k);
        }
        arena_free(&a);
    }
    for (int k = 0; k < KEYS; k++)
        EVP_PKEY_free(keys[k]);
}
