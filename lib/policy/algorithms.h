/*
 * algorithms: which algorithms a profile takes in the messages of its devices.
 *
 *   modern       digests of SHA-2, AES, RSAES-OAEP with SHA-2
 *   compatible   also SHA-1, triple DES and OAEP with SHA-1, which Windows and Apple send: the default
 *   legacy       also MD5 and single DES, for network devices of another age
 *
 * Judged is the message alone: its digest, the request's, cipher and key transport. Keys that are certified and certificates have rules of their
 * own (profile.h, bounds.h), which no level changes: RSA-2048 at least, SHA-256 at least. PKCS#1 v1.5 is taken on every level, since
 * RFC 8894 has nothing else.
 */
#ifndef CHANCERY_POLICY_ALGORITHMS_H
#define CHANCERY_POLICY_ALGORITHMS_H

#include "lib/codec/cms.h"
#include "lib/policy/verdict.h"

enum algorithm_level { ALGORITHMS_MODERN, ALGORITHMS_COMPATIBLE, ALGORITHMS_LEGACY, ALGORITHMS_LEVELS };
const char *algorithm_level_name(uint32_t level);        /* as stored: "modern" "compatible" "legacy"; NULL */
int algorithm_level_from_name(const char *name);         /* -1 */

/* What a message was found to use, recorded when it was decoded. */
struct message_algorithms {
    uint32_t hash;                   /* enum hash: of the message's signature */
    uint32_t request_hash;           /* of the certification request's; HASH_SHA256 where the message has none */
    uint32_t cipher;                 /* enum cipher */
    bool oaep;
    uint32_t oaep_hash;              /* the weaker of OAEP's two; read only where oaep is set */
    bool lenient;                    /* it verified by a tolerance alone (interop Q37, Q38) */
};
/* R_BAD_ALG with the field: digest request_digest cipher key_transport; R_SIGNATURE_FAILED (encoding) where it took a tolerance and the
 * profile has none. */
enum result algorithms_check(uint32_t level, bool lenient, const struct message_algorithms *m, struct arena *a, struct verdict *v);

#endif
