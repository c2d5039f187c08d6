/*
 * subject: the subject name format of a profile and its variables (reference 3.05 to 3.09, 3.2, 3.3).
 *
 * A format is read once, as CertStrToName does: comma-separated "LABEL=value" with labels or dotted OIDs, values bare or
 * in double quotes ("" stands for one quote), backslash escapes of RFC 4514 understood in both; "+" between attributes
 * makes one RDN. What RFC 4514 wants escaped (" ; < > and a leading #) is refused where it is bare. Variables are
 * replaced inside the values as these are read: what a variable yields is data and can add neither an attribute nor a
 * separator, and is not read again. {{Variables}} are case-insensitive and known by one table with its attribute and
 * whether it is the user's or the device's.
 *
 * Does not guess: an unknown variable, one that has no value for this device or user, or a user variable without a user
 * is refused by name (R_BAD_INPUT with field "variable" and found = its name), and so is a value with control characters,
 * of blanks only, above the limits, or that the attribute's string type cannot hold (field "subject" or "san").
 */
#ifndef CHANCERY_POLICY_SUBJECT_H
#define CHANCERY_POLICY_SUBJECT_H

#include "lib/codec/name.h"
#include "lib/policy/verdict.h"

/* The values that variables take: pairs of attribute name and value. Attribute names are those of variable tables below;
 * free attributes are "device.<name>" and "user.<name>" (letters, digits, . _ -) and are written {{device.name}}. A NULL
 * or empty value is missing. */
struct attribute { const char *name, *value; };
struct attributes { const struct attribute *items; uint32_t count; };

struct variable { const char *name, *attribute; bool user; };
extern const struct variable variables[];     /* ends with .name NULL */
/* attribute names: device.name device.serial_number device.imei device.meid device.wifi_mac device.directory_id
 * device.mdm_id device.fqdn device.security_identifier; user.user_name user.upn user.email user.on_premises_dn
 * user.sam_account user.given_name user.surname user.security_identifier user.department. OnPremisesSecurityIdentifier
 * takes user.security_identifier in a certificate for a user. */

/* A subject format, checked: syntax, labels, variables known, and allowed for a certificate of that type (user variables
 * only where for_user). NULL or blanks only: the empty subject, which is allowed here. */
enum result subject_check_format(const char *format, bool for_user, struct arena *a, struct verdict *v);
/* The subject for these attributes, in the order of the format. */
enum result subject_expand(const char *format, bool for_user, const struct attributes *values, struct arena *a,
                           struct name *out, struct verdict *v);
/* The same for SAN texts, which have no quotes or escapes. UPN and e-mail must contain "@" when expanded, DNS must be a
 * host name of ASCII letters, digits, hyphens, dots (a leading "*." is refused) and URI must begin with a scheme;
 * {{OnPremisesSecurityIdentifier}} is the whole of a URI's text and yields tag:microsoft.com,2022-09-14:sid:<SID> (3.51).
 * E-mail, DNS and URI are ASCII. Behind a device variable static text has no { } | ; (3.08). Expanded names that are the
 * same are kept once. */
enum result sans_check_format(const struct sans *formats, bool for_user, struct arena *a, struct verdict *v);
enum result sans_expand(const struct sans *formats, bool for_user, const struct attributes *values, struct arena *a,
                        struct sans *out, struct verdict *v);

#endif
