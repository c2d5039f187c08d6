#include "tests/unit/x509_fixture.h"

TestSuite(public_key, .init = setup, .fini = teardown);

Test(public_key, public_keys)
{
    static const struct { const char *text; uint32_t kind, size; bool exponent_ok; const char *why; } cases[] = {
        {spki_rsa, KEY_RSA, 2048, true, "RSA"},
        {spki_e3, KEY_RSA, 2048, false, "RSA with exponent 3"},
        {spki_p384, KEY_EC, 384, false, "P-384"},
        {spki_p256, KEY_EC, 256, false, "P-256"},
        {spki_p256_compressed, KEY_EC, 256, false, "P-256, compressed point"},
        {spki_secp256k1, KEY_EC, 0, false, "a curve that is none of NIST's"},
        {spki_ed25519, KEY_OTHER, 0, false, "Ed25519"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes spki = unbase64(cases[i].text);
        struct public_key k;
        cr_assert_eq(public_key_decode(spki, &k), R_OK, "%s", cases[i].why);
        cr_expect_eq(k.kind, cases[i].kind, "%s", cases[i].why);
        cr_expect_eq(k.size, cases[i].size, "%s", cases[i].why);
        cr_expect_eq(k.exponent_ok, cases[i].exponent_ok, "%s", cases[i].why);
        cr_expect(bytes_equal(k.spki, spki), "%s", cases[i].why);
        uint8_t ski[20];
        unsigned char theirs[20];
        unsigned n = 0;
        const unsigned char *p = spki.p;
        X509_PUBKEY *public = d2i_X509_PUBKEY(NULL, &p, (long)spki.n);
        X509 *x = X509_new();
        cr_assert(public && X509_set_pubkey(x, X509_PUBKEY_get0(public)) == 1);
        cr_assert_eq(X509_pubkey_digest(x, EVP_sha1(), theirs, &n), 1);
        public_key_ski(&k, ski);
        /* OpenSSL writes a compressed point as it was read. */
        cr_expect_arr_eq(ski, theirs, 20, "%s", cases[i].why);
        X509_free(x);
        X509_PUBKEY_free(public);
        for (size_t cut = 0; cut < spki.n; cut++)
            cr_expect_eq(public_key_decode(BYTES(spki.p, cut), &k), R_BAD_INPUT, "%s, cut at %zu", cases[i].why, cut);
    }
}

/* An RSA SubjectPublicKeyInfo of such numbers, written in hex. */
Test(public_key, rsa_numbers)
{
    static const struct {
        const char *n, *e, *parameters, *behind;
        enum result r;
        uint32_t size;
        bool ok;
        const char *why;
    } cases[] = {
        {"020500ffffffff", "0203010001", "0500", "", R_OK, 32, true, "as it should be"},
        {"02047fffffff", "0203010001", "0500", "", R_OK, 31, true, "31 bits"},
        {"020101", "0203010001", "0500", "", R_OK, 1, true, "one bit"},
        {"020500ffffffff", "020101", "0500", "", R_OK, 32, false, "exponent 1"},
        {"020500ffffffff", "020103", "0500", "", R_OK, 32, false, "exponent 3"},
        {"020500ffffffff", "0203010000", "0500", "", R_OK, 32, false, "even exponent"},
        {"020500ffffffff", "0203010003", "0500", "", R_OK, 32, true, "65539"},
        {"020500ffffffff", "020900ffffffffffffffff", "0500", "", R_OK, 32, true, "exponent of 64 bits"},
        {"020500ffffffff", "0209010000000000000001", "0500", "", R_OK, 32, false, "exponent of 65 bits"},
        {"020500ffffffff", "0220" "7fffffffffffffffffffffffffffffff" "ffffffffffffffffffffffffffffffff", "0500", "", R_OK, 32,
         false, "huge exponent"},
        {"020500ffffffff", "020100", "0500", "", R_OK, 32, false, "exponent 0"},
        {"020500fffffffe", "0203010001", "0500", "", R_BAD_INPUT, 0, false, "even modulus"},
        {"020100", "0203010001", "0500", "", R_BAD_INPUT, 0, false, "modulus 0"},
        {"0204ffffffff", "0203010001", "0500", "", R_BAD_INPUT, 0, false, "negative modulus"},
        {"02050000ffffff", "0203010001", "0500", "", R_BAD_INPUT, 0, false, "needless zeros"},
        {"020500ffffffff", "0201ff", "0500", "", R_BAD_INPUT, 0, false, "negative exponent"},
        {"020500ffffffff", "0203010001", "", "", R_BAD_INPUT, 0, false, "no parameters"},
        {"020500ffffffff", "0203010001", "3000", "", R_BAD_INPUT, 0, false, "other parameters"},
        {"020500ffffffff", "0203010001", "05000500", "", R_BAD_INPUT, 0, false, "more parameters"},
        {"020500ffffffff", "02030100010500", "0500", "", R_BAD_INPUT, 0, false, "a third number"},
        {"020500ffffffff", "0203010001", "0500", "00", R_BAD_INPUT, 0, false, "a byte behind the key"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct public_key k;
        struct bytes spki = rsa_spki(cases[i].n, cases[i].e, cases[i].parameters, cases[i].behind);
        cr_expect_eq(public_key_decode(spki, &k), cases[i].r, "%s", cases[i].why);
        if (cases[i].r != R_OK)
            continue;
        cr_expect_eq(k.size, cases[i].size, "%s", cases[i].why);
        cr_expect_eq(k.exponent_ok, cases[i].ok, "%s", cases[i].why);
    }
}

Test(public_key, keys_of_another_form)
{
    static const struct { const char *hex; enum result r; const char *why; } cases[] = {
        {"300a300506032b6570030100", R_BAD_INPUT, "no bits"},
        {"300b300506032b657003020155", R_BAD_INPUT, "unused bits"},
        {"300b300506032b657003020055", R_OK, "an unknown algorithm"},
        {"300b300506032b65700302005500", R_BAD_INPUT, "a byte behind"},
        {"300d300506032b6570030200550500", R_BAD_INPUT, "a third field"},
        {"3019301306072a8648ce3d020106082a8648ce3d030107030200" "04", R_BAD_INPUT, "a point of one octet on P-256"},
        {"3018301206072a8648ce3d0201300706052b81040021030200" "04", R_OK, "parameters that are no OID: size 0"},
        {"3010300906072a8648ce3d0201030300" "0401", R_BAD_INPUT, "no curve"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct public_key k = {.size = 1};
        cr_expect_eq(public_key_decode(unhex(cases[i].hex), &k), cases[i].r, "%s", cases[i].why);
    }
}
