/*
 * client: what the two halves of the tests' SCEP client share: options, files, the end when something is wrong.
 */
#ifndef CHANCERY_TESTS_FLOW_CLIENT_H
#define CHANCERY_TESTS_FLOW_CLIENT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#define OPTIONS_MOST 64

static struct { const char *name, *value; } options[OPTIONS_MOST];
static int option_count;

static inline _Noreturn void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    ERR_print_errors_fp(stderr);
    exit(2);
}

/* The n-th value of an option; NULL where there is none. */
static inline const char *option_at(const char *name, int n)
{
    for (int i = 0; i < option_count; i++)
        if (strcmp(options[i].name, name) == 0 && n-- == 0)
            return options[i].value;
    return NULL;
}

static inline const char *option(const char *name, const char *initial)
{
    const char *value = option_at(name, 0);
    return value ? value : initial;
}

static inline const char *needed(const char *name)
{
    const char *value = option_at(name, 0);
    if (!value) {
        fprintf(stderr, "--%s is missing\n", name);
        exit(2);
    }
    return value;
}

static inline bool is(const char *name, const char *value)
{
    return strcmp(option(name, ""), value) == 0;
}

static inline BIO *file_bio(const char *path, const char *mode)
{
    BIO *b = BIO_new_file(path, mode);
    if (!b)
        die(path);
    return b;
}

static inline EVP_PKEY *key_read(const char *path)
{
    BIO *b = file_bio(path, "r");
    EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
    BIO_free(b);
    if (!key)
        die("no private key");
    return key;
}

static inline X509 *certificate_read(const char *path)
{
    BIO *b = file_bio(path, "r");
    X509 *c = PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    if (!c)
        die("no certificate");
    return c;
}

/* --NAME VALUE pairs from argv[from] on; false where they are none. */
static inline bool options_read(int argc, char **argv, int from)
{
    for (int i = from; i < argc; i += 2) {
        if (strncmp(argv[i], "--", 2) != 0 || i + 1 == argc || option_count == OPTIONS_MOST)
            return false;
        options[option_count].name = argv[i] + 2;
        options[option_count++].value = argv[i + 1];
    }
    return true;
}

#endif
