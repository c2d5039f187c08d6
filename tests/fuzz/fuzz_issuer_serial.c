/* What GetCert and GetCRL carry, and the comparison of the name in it. */
#include "tests/fuzz/fuzz.h"

#include "lib/codec/issuer_serial.h"
#include "lib/codec/name.h"

FUZZ_TARGET(issuer_serial)
{
    struct bytes der = BYTES(data, size);
    struct issuer_serial both;
    enum result r = issuer_serial_decode(der, &both);

    FUZZ_RESULT(r, R_OK, R_BAD_MESSAGE);
    if (r == R_OK) {
        FUZZ_MUST(fuzz_within(both.issuer, der) && fuzz_within(both.serial, der) && both.issuer.n <= LIMIT_NAME_DER);
        FUZZ_MUST(both.serial.n >= 1 && both.serial.n <= LIMIT_SERIAL && name_der_match(both.issuer, both.issuer));
    }
    return 0;
}
