/*
 * keys: RSA-2048 keys by the hundred, for tests that need many that differ. Each pair of a few primes is one: they are right keys, and
 * worthless outside a test.
 */
#ifndef CHANCERY_TESTS_FLOW_KEYS_H
#define CHANCERY_TESTS_FLOW_KEYS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#define KEYS_PRIMES 64          /* 2,016 keys */
#define KEYS_LINE 512           /* a prime of 1024 bits in hexadecimal, and more */

enum { KEY_N, KEY_E, KEY_D, KEY_P, KEY_Q, KEY_DP, KEY_DQ, KEY_QI, KEY_PARTS };

static EVP_PKEY *key_from_parts(BIGNUM *const parts[KEY_PARTS])
{
    static const char *const names[KEY_PARTS] = {
        OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E, OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1,
        OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
        OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
    };
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;
    bool good = b && c;
    for (int i = 0; good && i < KEY_PARTS; i++)
        good = OSSL_PARAM_BLD_push_BN(b, names[i], parts[i]) == 1;
    OSSL_PARAM *params = good ? OSSL_PARAM_BLD_to_param(b) : NULL;
    if (!params || EVP_PKEY_fromdata_init(c) != 1 || EVP_PKEY_fromdata(c, &key, EVP_PKEY_KEYPAIR, params) != 1)
        key = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    EVP_PKEY_CTX_free(c);
    return key;
}

static EVP_PKEY *key_from_primes(const BIGNUM *p, const BIGNUM *q)
{
    BN_CTX *c = BN_CTX_new();
    BIGNUM *parts[KEY_PARTS], *p1 = BN_dup(p), *q1 = BN_dup(q), *phi = BN_new();
    EVP_PKEY *key = NULL;
    for (int i = 0; i < KEY_PARTS; i++)
        parts[i] = i == KEY_P ? BN_dup(p) : i == KEY_Q ? BN_dup(q) : BN_new();
    if (BN_sub_word(p1, 1) == 1 && BN_sub_word(q1, 1) == 1 && BN_mul(parts[KEY_N], p, q, c) == 1 && BN_mul(phi, p1, q1, c) == 1 &&
        BN_set_word(parts[KEY_E], RSA_F4) == 1 && BN_mod_inverse(parts[KEY_D], parts[KEY_E], phi, c) &&
        BN_mod(parts[KEY_DP], parts[KEY_D], p1, c) == 1 && BN_mod(parts[KEY_DQ], parts[KEY_D], q1, c) == 1 &&
        BN_mod_inverse(parts[KEY_QI], q, p, c))
        key = key_from_parts(parts);
    for (int i = 0; i < KEY_PARTS; i++)
        BN_clear_free(parts[i]);
    BN_clear_free(p1);
    BN_clear_free(q1);
    BN_clear_free(phi);
    BN_CTX_free(c);
    return key;
}

static bool prime_new(BIGNUM **out)
{
    if (!*out && !(*out = BN_new()))
        return false;
    do {
        if (BN_generate_prime_ex(*out, 1024, 0, NULL, NULL, NULL) != 1)
            return false;
    } while (BN_mod_word(*out, RSA_F4) == 1);
    return true;
}

static struct { BIGNUM *primes[KEYS_PRIMES]; int count, first; } keys;

/* Another key than before; NULL where something failed or all pairs are used up. */
static EVP_PKEY *key_next(void)
{
    if (keys.count == 0 && !prime_new(&keys.primes[keys.count++]))
        return NULL;
    /* The newest prime has been paired with all before it. */
    if (keys.first == keys.count - 1 || keys.count == 1) {
        if (keys.count == KEYS_PRIMES || !prime_new(&keys.primes[keys.count++]))
            return NULL;
        keys.first = 0;
    }
    return key_from_primes(keys.primes[keys.first++], keys.primes[keys.count - 1]);
}

/* The primes between two programs: the number of those that the newest is paired with, then each in hexadecimal, a line each. An empty
 * file is a beginning. */
static inline bool keys_read(FILE *f)
{
    char line[KEYS_LINE];
    if (!fgets(line, sizeof line, f))
        return feof(f) != 0;
    keys.first = atoi(line);
    while (keys.count < KEYS_PRIMES && fgets(line, sizeof line, f))
        if (BN_hex2bn(&keys.primes[keys.count++], line) == 0)
            return false;
    return ferror(f) == 0;
}

static inline bool keys_write(FILE *f)
{
    rewind(f);
    fprintf(f, "%d\n", keys.first);
    for (int i = 0; i < keys.count; i++) {
        char *hex = BN_bn2hex(keys.primes[i]);
        fprintf(f, "%s\n", hex ? hex : "");
        OPENSSL_free(hex);
    }
    return fflush(f) == 0;
}

#endif
