/*
 * extension: X.509 extensions (RFC 5280 section 4.2), as certificates carry them and requests ask for them. For the files
 * of this folder.
 *
 * Readers take the content of extnValue and refuse with R_BAD_INPUT what is not of the extension's type to the last byte.
 */
#ifndef CHANCERY_CODEC_EXTENSION_H
#define CHANCERY_CODEC_EXTENSION_H

#include "lib/base/limits.h"
#include "lib/codec/x509.h"

/* OIDs as the content octets they are in DER */
#define EXT_SKI BYTES("\x55\x1d\x0e", 3)
#define EXT_KEY_USAGE BYTES("\x55\x1d\x0f", 3)
#define EXT_SAN BYTES("\x55\x1d\x11", 3)
#define EXT_BASIC_CONSTRAINTS BYTES("\x55\x1d\x13", 3)
#define EXT_NAME_CONSTRAINTS BYTES("\x55\x1d\x1e", 3)
#define EXT_CRL_POINTS BYTES("\x55\x1d\x1f", 3)
#define EXT_POLICIES BYTES("\x55\x1d\x20", 3)
#define EXT_POLICY_MAPPINGS BYTES("\x55\x1d\x21", 3)
#define EXT_AKI BYTES("\x55\x1d\x23", 3)
#define EXT_POLICY_CONSTRAINTS BYTES("\x55\x1d\x24", 3)
#define EXT_EKU BYTES("\x55\x1d\x25", 3)
#define EXT_INHIBIT_ANY_POLICY BYTES("\x55\x1d\x36", 3)
#define EXT_AIA BYTES("\x2b\x06\x01\x05\x05\x07\x01\x01", 8)

/* Those that a certificate or a request with this content has, one after the other. */
enum result extensions_write(const struct certificate_content *c, struct buf *out);

struct extension { struct bytes oid; bool critical; struct bytes value; };
struct extensions { struct extension items[LIMIT_EXTENSIONS]; uint32_t count; };

/* Adds those of a SEQUENCE OF Extension. R_BAD_INPUT where one is there already, R_TOO_LARGE beyond LIMIT_EXTENSIONS. */
enum result extensions_add(struct bytes der, struct extensions *out);
const struct extension *extension_find(const struct extensions *e, struct bytes oid);     /* NULL where it is not there */

enum result extension_basic_constraints(struct bytes value, bool *ca, int *path_length);  /* -1: none */
enum result extension_key_usage(struct bytes value, uint32_t *out);
enum result extension_ekus(struct bytes value, struct arena *a, struct oids *out);
enum result extension_ski(struct bytes value, struct bytes *out);
enum result extension_aki(struct bytes value, struct bytes *out);          /* .n 0 where it names no key identifier */
enum result extension_crl_url(struct bytes value, struct arena *a, const char **out);     /* first HTTP location, or NULL */
/* ldap: the first location of the issuer's certificate by LDAP; each NULL where there is none. */
enum result extension_aia(struct bytes value, struct arena *a, const char **ca_issuers, const char **ldap, const char **ocsp);
/* requireExplicitPolicy (RFC 5280 section 4.2.1.11) in certificates, -1: not there. */
enum result extension_policy_constraints(struct bytes value, int *require_explicit);
/* Does it map anyPolicy, which section 4.2.1.5 forbids? */
enum result extension_policy_mappings(struct bytes value, bool *maps_any);

#endif
