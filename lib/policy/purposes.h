/*
 * purposes: extended key usages by name, and the words for key usages. One table; the pages, the command line and the
 * checks take them from here (reference 2.C06).
 */
#ifndef CHANCERY_POLICY_PURPOSES_H
#define CHANCERY_POLICY_PURPOSES_H

#include "lib/codec/x509.h"

struct purpose { const char *oid, *name, *label; };      /* "1.3.6.1.5.5.7.3.2", "Client auth", "clientAuth" */
extern const struct purpose purposes[];                  /* ends with .oid NULL */
const char *purpose_name(const char *oid);               /* NULL where there is none */
/* A purpose by OID, name or label, case-insensitive: its OID, or the text itself where it is an OID of its own, or NULL.
 * Any Purpose (2.5.29.37.0) is found like any other: whether it is allowed is a rule of ca.h and profile.h. */
const char *purpose_oid(const char *text);
bool purposes_contain(const struct oids *set, const char *oid);
/* The first of subset that set lacks, or NULL. */
const char *purposes_lacking(const struct oids *subset, const struct oids *set);
bool purposes_equal(const struct oids *a, const struct oids *b);     /* as sets */
/* The OIDs, comma-separated, for people and logs; "none" for none. NULL where memory ran out. */
const char *purposes_text(const struct oids *set, struct arena *a);

/* "digitalSignature", "keyEncipherment" and the rest of RFC 5280 section 4.2.1.3, case-insensitive; comma-separated text,
 * spaces around names allowed, to bits and back. Unknown, doubled or no names: R_BAD_INPUT. No bits are the text "". */
enum result key_usage_from_text(const char *text, uint32_t *bits);
const char *key_usage_text(uint32_t bits, struct arena *a);

#endif
