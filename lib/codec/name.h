/*
 * name: distinguished names and subject alternative names as plain values (RFC 5280 sections 4.1.2.4 and 4.2.1.6).
 *
 * A struct name holds attributes in the order of the DER, each with its OID in dotted form and its value in UTF-8.
 * Multi-valued RDNs are flattened, which .rdn records (attributes of one RDN share the number). Values are data: nothing
 * here parses DN syntax. Decoding accepts every DirectoryString type; a value with a NUL or invalid text is R_BAD_INPUT, one
 * beyond the limits R_TOO_LARGE.
 */
#ifndef CHANCERY_CODEC_NAME_H
#define CHANCERY_CODEC_NAME_H

#include "lib/base/arena.h"
#include "lib/base/bytes.h"

#define OID_CN "2.5.4.3"
#define OID_SURNAME "2.5.4.4"
#define OID_SERIAL_NUMBER "2.5.4.5"
#define OID_C "2.5.4.6"
#define OID_L "2.5.4.7"
#define OID_ST "2.5.4.8"
#define OID_STREET "2.5.4.9"
#define OID_O "2.5.4.10"
#define OID_OU "2.5.4.11"
#define OID_TITLE "2.5.4.12"
#define OID_POSTAL_CODE "2.5.4.17"
#define OID_GIVEN_NAME "2.5.4.42"
#define OID_INITIALS "2.5.4.43"
#define OID_DN_QUALIFIER "2.5.4.46"
#define OID_EMAIL "1.2.840.113549.1.9.1"
#define OID_DC "0.9.2342.19200300.100.1.25"
#define OID_UID "0.9.2342.19200300.100.1.1"
#define OID_UPN "1.3.6.1.4.1.311.20.2.3"         /* otherName of a user principal name */

struct name_attribute { const char *oid, *value; uint32_t rdn; };
struct name { struct name_attribute *items; uint32_t count; };

enum san_type { SAN_EMAIL, SAN_UPN, SAN_DNS, SAN_URI, SAN_IP, SAN_DIRECTORY, SAN_OTHER, SAN_TYPES };
/* value: text for e-mail, UPN, DNS, URI; lower-case hex of the GeneralName's DER for the others, which no profile asks for */
struct san { uint32_t type; const char *value; };
struct sans { struct san *items; uint32_t count; };

struct oids { const char **items; uint32_t count; };

/* The short name people write ("CN", "E", "G", "SN", "SERIALNUMBER" …) for an OID and back; NULL where there is none.
 * name_oid is case-insensitive and also knows the aliases (S and ST, E and EMAIL, G and GIVENNAME, SN and SURNAME). */
const char *name_label(const char *oid);
const char *name_oid(const char *label);

/* The characters of a string type (DirectoryString, IA5, Numeric, Visible) appended to out as UTF-8, a NUL among them;
 * R_BAD_INPUT for other types and invalid text, R_TOO_LARGE beyond out's limit. TeletexString is read as Latin-1, a surrogate
 * pair of a BMPString as the character it stands for. */
enum result name_string_decode(int tag, struct bytes value, struct buf *out);

/* Encodes as a Name: C, serialNumber, dnQualifier as PrintableString, e-mail and DC as IA5String, all else as UTF8String.
 * Attributes that follow each other with the same .rdn make one RDN. An empty value, control characters, a value its type
 * cannot hold, a country not of two letters: R_BAD_INPUT. An empty name gives an empty SEQUENCE. On failure nothing is
 * written. */
enum result name_encode(const struct name *n, struct buf *out);
enum result name_decode(struct bytes der, struct arena *a, struct name *out);
/* "CN=x,O=y" in the order of the struct, RFC 4514 escapes, for people and logs; not for comparing. */
const char *name_text(const struct name *n, struct arena *a);
/* Do two Names in DER hold the same attributes, in whatever order (interop Q44)? Values are compared as text_equal_name does; how
 * they are spread over RDNs and which string type they have does not count. Names that do not decode match only where they are
 * equal to the byte. */
bool name_der_match(struct bytes x, struct bytes y);
/* The value of the first attribute with that OID, or NULL. */
const char *name_find(const struct name *n, const char *oid);

/* The content of a subjectAltName extension (GeneralNames). UPN as otherName with UTF8String. Only the four text types can be
 * encoded, one name at least. */
enum result sans_encode(const struct sans *s, struct buf *out);
enum result sans_decode(struct bytes der, struct arena *a, struct sans *out);
const char *san_type_name(uint32_t type);        /* "Email address", "User principal name (UPN)", "DNS" … */

#endif
