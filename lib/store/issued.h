/*
 * issued: certificates that are there already, as the signer's leaf lane finds them: the one that is to be renewed, and one that its holder asks for
 * (sql/0005-scep.sql).
 */
#ifndef CHANCERY_STORE_ISSUED_H
#define CHANCERY_STORE_ISSUED_H

#include "lib/store/issuing.h"

/* grant: what the certificate entitles to, of kind predecessor, by the profile's current revision and the CA version in production. */
struct issued_predecessor { struct issuing_grant grant; int64_t not_before, not_after; bool revoked; };
/* The leaf certificate of that CA (of any of its versions) with that serial number and SHA-256. R_NOT_FOUND where it issued none such. */
enum result issued_predecessor_find(struct db *db, const char *ca, struct bytes serial, const uint8_t sha256[32], struct issued_predecessor *out);

/* The leaf certificate of that CA and serial number, for who holds its key or the key of another valid one of its device. R_NOT_FOUND. */
enum result issued_find(struct db *db, const char *ca, struct bytes serial, const uint8_t spki_sha256[32], struct arena *a, struct bytes *certificate);

/* The version of a CA in production, the one that is staged to follow, and the newest RA certificates of that. R_NOT_FOUND: none is staged. */
struct issued_next { uint32_t tenant, ca_version, next_version; struct bytes encrypt_certificate, sign_certificate; };
enum result issued_next_find(struct db *db, const char *ca, struct arena *a, struct issued_next *out);

#endif
