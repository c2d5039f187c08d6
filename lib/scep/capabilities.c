#include "lib/scep/capabilities.h"

/* DES3 and SHA-1 for devices that know nothing newer: a client picks the best that both sides have, and a client that finds neither falls back
 * to single DES and MD5 (interop Q20). SHA-384, which RFC 8894 does not name: strongSwan 5.9 believes in AES, and in Renewal, only where it
 * stands. */
static const char *const lists[CAPABILITIES_COUNT] = {
    [CAPABILITIES_COMPATIBLE] = "AES\nDES3\nPOSTPKIOperation\nRenewal\nSCEPStandard\nSHA-1\nSHA-256\nSHA-384\nSHA-512\n",
    [CAPABILITIES_MODERN] = "AES\nPOSTPKIOperation\nRenewal\nSCEPStandard\nSHA-256\nSHA-384\nSHA-512\n",
    [CAPABILITIES_LEGACY] = "DES3\nRenewal\nSHA-1\n",
    [CAPABILITIES_APPLE] = "Renewal\nSHA-1\nSHA-256\nAES\nDES3\nSCEPStandard\nPOSTPKIOperation\n",
};

const char *capabilities_text(const struct variant *variant, bool has_next, struct arena *a)
{
    return arena_printf(a, "%s%s", lists[variant->capabilities < CAPABILITIES_COUNT ? variant->capabilities : CAPABILITIES_COMPATIBLE],
                        has_next ? "GetNextCACert\n" : "");
}
