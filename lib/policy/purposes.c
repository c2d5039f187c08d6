#include "lib/policy/purposes.h"

#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/text.h"

const struct purpose purposes[] = {
    {EKU_SERVER_AUTH, "Server auth", "serverAuth"},
    {EKU_CLIENT_AUTH, "Client auth", "clientAuth"},
    {"1.3.6.1.5.5.7.3.3", "Code signing", "codeSigning"},
    {"1.3.6.1.5.5.7.3.4", "Secure email", "emailProtection"},
    {"1.3.6.1.5.5.7.3.5", "IPsec end system", "ipsecEndSystem"},
    {"1.3.6.1.5.5.7.3.6", "IPsec tunnel", "ipsecTunnel"},
    {"1.3.6.1.5.5.7.3.7", "IPsec user", "ipsecUser"},
    {"1.3.6.1.5.5.7.3.8", "Time stamping", "timeStamping"},
    {"1.3.6.1.5.5.7.3.9", "OCSP signing", "OCSPSigning"},
    {"1.3.6.1.5.5.7.3.17", "IPsec IKE", "ipsecIKE"},
    {"1.3.6.1.4.1.311.20.2.2", "Smart card logon", "smartcardLogon"},
    {EKU_ANY, "Any Purpose", "anyExtendedKeyUsage"},
    {NULL, NULL, NULL},
};

const char *purpose_name(const char *oid)
{
    for (const struct purpose *p = purposes; p->oid; p++)
        if (strcmp(p->oid, oid) == 0)
            return p->name;
    return NULL;
}

const char *purpose_oid(const char *text)
{
    for (const struct purpose *p = purposes; p->oid; p++)
        if (strcmp(p->oid, text) == 0 || text_equal_nocase(p->name, text) || text_equal_nocase(p->label, text))
            return p->oid;
    return text_is_oid(text) ? text : NULL;
}

bool purposes_contain(const struct oids *set, const char *oid)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (strcmp(set->items[i], oid) == 0)
            return true;
    return false;
}

const char *purposes_lacking(const struct oids *subset, const struct oids *set)
{
    for (uint32_t i = 0; i < subset->count; i++)
        if (!purposes_contain(set, subset->items[i]))
            return subset->items[i];
    return NULL;
}

bool purposes_equal(const struct oids *a, const struct oids *b)
{
    return !purposes_lacking(a, b) && !purposes_lacking(b, a);
}

const char *purposes_text(const struct oids *set, struct arena *a)
{
    if (set->count == 0)
        return "none";
    size_t size = 1;
    for (uint32_t i = 0; i < set->count; i++)
        size += strlen(set->items[i]) + 1;
    char *text = arena_alloc(a, size), *end = text;
    if (!text)
        return NULL;
    for (uint32_t i = 0; i < set->count; i++) {
        if (i > 0)
            *end++ = ',';
        end = mempcpy(end, set->items[i], strlen(set->items[i]));
    }
    return text;
}

/* In the order of the bits. */
static const char *const key_usages[] = {
    "digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign",
    "encipherOnly", "decipherOnly",
};
#define KEY_USAGES (sizeof key_usages / sizeof key_usages[0])

/* The bit of the name in the n bytes at p, blanks around it dropped; 0 where there is none. */
static uint32_t key_usage_bit(const char *p, size_t n)
{
    char name[32];
    for (; n > 0 && *p == ' '; n--)
        p++;
    while (n > 0 && p[n - 1] == ' ')
        n--;
    if (n >= sizeof name)
        return 0;
    memcpy(name, p, n);
    name[n] = '\0';
    for (size_t i = 0; i < KEY_USAGES; i++)
        if (text_equal_nocase(key_usages[i], name))
            return UINT32_C(1) << i;
    return 0;
}

enum result key_usage_from_text(const char *text, uint32_t *bits)
{
    uint32_t found = 0;
    for (;; text++) {
        size_t n = strcspn(text, ",");
        uint32_t bit = key_usage_bit(text, n);
        if (bit == 0 || (found & bit))
            return R_BAD_INPUT;
        found |= bit;
        text += n;
        if (*text == '\0')
            break;
    }
    *bits = found;
    return R_OK;
}

const char *key_usage_text(uint32_t bits, struct arena *a)
{
    char text[160], *end = text;        /* all nine names are shorter */
    for (size_t i = 0; i < KEY_USAGES; i++)
        if (bits & UINT32_C(1) << i) {
            if (end > text)
                *end++ = ',';
            end = mempcpy(end, key_usages[i], strlen(key_usages[i]));
        }
    return arena_text(a, text, (size_t)(end - text));
}
