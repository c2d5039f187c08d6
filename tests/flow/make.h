/*
 * make: the messages of SCEP clients, with every trait and every fault that the tables name by words (messages_good,
 * messages_lenient, messages_refused). Written with a BER writer of the tests' own on libcrypto's keys, ciphers and names: of
 * Chancery's code it uses nothing, and libcrypto's CMS is too strict.
 *
 * Words of each part stand in the file that makes it. A value's %00 and so on stand for octets in: rdn, challenge, transaction,
 * type, san. A word without a value means "yes".
 */
#ifndef CHANCERY_TESTS_FLOW_MAKE_H
#define CHANCERY_TESTS_FLOW_MAKE_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "tests/flow/octets.h"
#include "tests/flow/words.h"

/* make_key.c: dir is where the words' files are; legacy algorithms are loaded. */
void make_begin(const char *dir);
void make_end(void);
const char *make_path(const char *name);
/* NAME of NAME.key; "new": another one for each message; "e1", "even", "16384": RSA as no tool makes it. Kept until make_end(),
 * "new" until the next message. */
EVP_PKEY *make_key(const char *name);
/* A certificate's file in PEM; kept likewise. */
X509 *make_read(const char *name);
/* Signs; digest is not looked at where the key has its own. */
struct octets make_signature(EVP_PKEY *key, const char *digest, struct octets data);
struct octets make_signature_algorithm(EVP_PKEY *key, const char *digest);
struct octets make_digest_algorithm(const char *digest);
struct octets make_digest(const char *digest, struct octets data);
struct octets make_spki(EVP_PKEY *key);

/* make_names.c: Name of all "NAME=TYPE=VALUE" words, Extension for each "NAME=EXTENSION=VALUE" (as openssl.cnf has it) and each
 * "NAME-raw=OID:critical|-:HEX". */
struct octets make_name(const struct words *w, const char *word_name, const char *initial);
struct octets make_name_reversed(struct octets name);
struct octets make_extensions(const struct words *w, const char *word_name);
/* IssuerAndSerialNumber, or [0] SubjectKeyIdentifier, of a certificate. form: issuer, reversed (the issuer's RDNs), ski, wrapped
 * (the SKI in one more OCTET STRING), other and other-ski (of nobody), serial (the right number, of another issuer). */
struct octets make_pointer(struct octets certificate, const char *form);
int make_tag(const struct words *w, const char *word_name, int initial);

/* Each its own file. */
struct octets make_certificate(const struct words *w, EVP_PKEY *key);
struct octets make_request(const struct words *w, EVP_PKEY *key);
struct octets make_envelope(const struct words *w, struct octets content);
struct octets make_signed(const struct words *w, struct octets content, struct octets certificate, EVP_PKEY *key);

/* The whole: make_signed(make_envelope(make_request)). key=NAME signs request and message, sign-key=NAME the message alone. */
struct octets make_message(const struct words *w);
/* The same around a request, and around an envelope, that is given. */
struct octets make_message_of(const struct words *w, struct octets request);
struct octets make_message_around(const struct words *w, struct octets envelope);
/* What this message's words gave as the key to whom the answer is sealed. */
EVP_PKEY *make_signer_key(const struct words *w);

#endif
