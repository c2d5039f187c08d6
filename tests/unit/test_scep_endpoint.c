#include "tests/unit/scep_fixture.h"

TestSuite(scep_endpoint, .init = shelf_setup, .fini = shelf_teardown);

Test(scep_endpoint, ca_certificates)
{
    const struct bytes want[] = {shelf.newer.encrypt.der, shelf.newer.sign.der, shelf.issuer.der, shelf.parent.der};
    static const int counts[CA_CHAIN_COUNT] = {[CA_CHAIN_FULL] = 4, [CA_CHAIN_ISSUER] = 3, [CA_CHAIN_RA] = 2};
    struct endpoint *e = found();

    for (int chain = 0; chain < CA_CHAIN_COUNT; chain++) {
        struct bytes answer = e->ca_certificates[chain];
        const unsigned char *p = answer.p;
        CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)answer.n);
        STACK_OF(X509) *inside = CMS_get1_certs(cms);
        cr_assert_eq(p, answer.p + answer.n);
        cr_assert_eq(sk_X509_num(inside), counts[chain]);
        for (int i = 0; i < counts[chain]; i++) {
            unsigned char *der = NULL;
            int n = i2d_X509(sk_X509_value(inside, i), &der);
            cr_assert(bytes_equal(BYTES(der, (size_t)n), want[i]), "certificate %d", i);
            OPENSSL_free(der);
        }
        sk_X509_pop_free(inside, X509_free);
        CMS_ContentInfo_free(cms);
    }
}

Test(scep_endpoint, known_endpoint_is_read_again)
{
    struct endpoint *e = found();
    struct cms_key *key = e->generations[0].sign;

    for (int i = 0; i < 5; i++)
        found();
    cr_assert_eq(shelf.reads, 1, "read once");
    shelf.now += ENDPOINT_FRESH_MS;
    e = found();
    cr_assert_eq(shelf.reads, 2, "read again when it is old");
    cr_assert_eq(e->generations[0].sign, key, "with the keys that were open");
    shelf.result = R_UNAVAILABLE;
    shelf.now += ENDPOINT_FRESH_MS;
    for (int i = 0; i < 5; i++)
        cr_assert_eq(found()->generation_count, 2, "it serves without the database");
    cr_assert_eq(shelf.reads, 3, "which is not asked by each request");
    shelf.now += ENDPOINT_AWAY_MS;
    shelf.result = R_OK;
    shelf.row.generation_count = 1;
    cr_assert_eq(found()->generation_count, 1, "and is asked again soon");
    shelf.row.generations[0].encrypt_key.n--;
    shelf.now += ENDPOINT_FRESH_MS;
    cr_assert_eq(found()->generations[0].sign, key, "a key that is open stays so");
    shelf.result = R_NOT_FOUND;
    shelf.now += ENDPOINT_FRESH_MS;
    cr_assert_eq(endpoint_find(shelf.cache, CA, 0, &e), R_NOT_FOUND, "the CA was deleted");
    cr_assert_eq(endpoint_find(shelf.cache, CA, 0, &e), R_NOT_FOUND);
}

Test(scep_endpoint, unknown_endpoints)
{
    struct endpoint *e;
    char ca[64] = CA;

    shelf.result = R_NOT_FOUND;
    for (int i = 0; i < 5; i++)
        cr_assert_eq(endpoint_find(shelf.cache, CA, 0, &e), R_NOT_FOUND);
    cr_assert_eq(shelf.reads, 1, "remembered as unknown");
    shelf.result = R_OK;
    cr_assert_eq(endpoint_find(shelf.cache, CA, 2, &e), R_OK, "a version is an endpoint of its own");
    cr_assert_eq(endpoint_find(shelf.cache, CA, 0, &e), R_NOT_FOUND);
    shelf.now += ENDPOINT_AGAIN_MS;
    cr_assert_eq(endpoint_find(shelf.cache, CA, 0, &e), R_OK, "created in the meantime");
    shelf.result = R_NOT_FOUND;
    shelf.reads = 0;
    shelf.now += ENDPOINT_AGAIN_MS;
    for (int i = 0; i < 99; i++) {
        snprintf(ca + strlen(CA) - 2, 16, "%02d", i);
        enum result r = endpoint_find(shelf.cache, ca, 0, &e);
        cr_assert_eq(r, i < ENDPOINT_UNKNOWN_READS ? R_NOT_FOUND : R_UNAVAILABLE, "%s: %s", ca, result_name(r));
    }
    cr_assert_eq(shelf.reads, ENDPOINT_UNKNOWN_READS, "guessing costs the database little");
    cr_assert_eq(endpoint_find(shelf.cache, CA, 2, &e), R_OK, "and what is known is served");
    shelf.result = R_UNAVAILABLE;
    shelf.reads = 0;
    shelf.now += ENDPOINT_AGAIN_MS;
    for (int i = 0; i < 5; i++)
        cr_assert_eq(endpoint_find(shelf.cache, ca, 0, &e), R_UNAVAILABLE);
    cr_assert_eq(shelf.reads, 1, "nobody waits again for a database that is away");
}

Test(scep_endpoint, least_recently_used_makes_room, .timeout = 120)
{
    struct endpoint *e;
    char ca[64] = CA;

    shelf.row.generation_count = 1;
    for (int i = 0; i <= ENDPOINT_MOST; i++) {
        snprintf(ca + strlen(CA) - 3, 16, "%03x", i);
        shelf.now += ENDPOINT_AGAIN_MS / ENDPOINT_UNKNOWN_READS + 10;
        cr_assert_eq(endpoint_find(shelf.cache, ca, 0, &e), R_OK);
        if (i == 1) {
            snprintf(ca + strlen(CA) - 3, 4, "000");
            cr_assert_eq(endpoint_find(shelf.cache, ca, 0, &e), R_OK);
        }
    }
    shelf.reads = 0;
    snprintf(ca + strlen(CA) - 3, 4, "000");
    cr_assert_eq(endpoint_find(shelf.cache, ca, 0, &e), R_OK);
    cr_assert_eq(shelf.reads, 0, "used later than the next one");
    snprintf(ca + strlen(CA) - 3, 4, "001");
    cr_assert_eq(endpoint_find(shelf.cache, ca, 0, &e), R_OK);
    cr_assert_eq(shelf.reads, 1, "made room");
}

Test(scep_endpoint, keys_that_do_not_open)
{
    struct endpoint *e;

    shelf.row.generations[0].sign_key = shelf.older.row.sign_key;
    cr_assert_eq(endpoint_find(shelf.cache, CA, 0, &e), R_OK);
    cr_assert_eq(e->generation_count, 1, "a generation with a wrong key is left out");
    cr_assert_eq(e->generations[0].number, 1);
    cr_assert(strstr(logged(), "event=ra-key-not-opened"));
    shelf.row.generations[1].encrypt_key = TEXT("no key");
    cr_assert_eq(endpoint_find(shelf.cache, CA, 1, &e), R_BAD_KEY, "nothing is left");
}
