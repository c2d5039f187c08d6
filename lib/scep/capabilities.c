#include "lib/scep/capabilities.h"

/* DES3 and SHA-1 for devices that know nothing newer: a client picks the best that both sides have, and a client that finds
 * neither falls back to single DES and MD5 (interop Q20). SHA-384, which RFC 8894 does not name: strongSwan 5.9 believes in AES
 * only where it stands. */
#define CAPABILITIES(LINE) \
    LINE("AES") \
    LINE("DES3") \
    LINE("POSTPKIOperation") \
    LINE("SCEPStandard") \
    LINE("SHA-1") \
    LINE("SHA-256") \
    LINE("SHA-384") \
    LINE("SHA-512")

#define LINE(keyword) keyword "\n"

const char *capabilities_text(void)
{
    return CAPABILITIES(LINE);
}
