/* What GetCert, GetCRL and CertPoll carry, and the comparison of the names in it. */
#include "tests/fuzz/fuzz.h"

#include "lib/codec/issuer_serial.h"
#include "lib/codec/name.h"

FUZZ_TARGET(issuer_serial)
{
    struct bytes der = BYTES(data, size), issuer = BYTES_NONE, subject = BYTES_NONE;
    struct issuer_serial both;
    enum result r = issuer_serial_decode(der, &both);

    FUZZ_RESULT(r, R_OK, R_BAD_MESSAGE);
    if (r == R_OK) {
        FUZZ_MUST(fuzz_within(both.issuer, der) && fuzz_within(both.serial, der) && both.issuer.n <= LIMIT_NAME_DER);
        FUZZ_MUST(both.serial.n >= 1 && both.serial.n <= LIMIT_SERIAL && name_der_match(both.issuer, both.issuer));
    }
    r = issuer_subject_decode(der, &issuer, &subject);
    FUZZ_RESULT(r, R_OK, R_BAD_MESSAGE);
    if (r == R_OK) {
        FUZZ_MUST(fuzz_within(issuer, der) && fuzz_within(subject, der));
        FUZZ_MUST(issuer.n <= LIMIT_NAME_DER && subject.n <= LIMIT_NAME_DER);
        FUZZ_MUST(name_der_match(issuer, subject) == name_der_match(subject, issuer) && name_der_match(subject, subject));
    }
    return 0;
}
