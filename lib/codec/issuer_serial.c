#include "lib/codec/issuer_serial.h"

#include "lib/base/limits.h"
#include "lib/codec/der.h"

static enum result name_take(struct bytes *in, struct bytes *out)
{
    struct der name;

    if (der_expect(in, DER_SEQUENCE, &name) != R_OK || name.whole.n > LIMIT_NAME_DER)
        return R_BAD_MESSAGE;
    *out = name.whole;
    return R_OK;
}

/* The content of a SEQUENCE after which nothing follows. */
static enum result sequence_open(struct bytes der, struct bytes *content)
{
    struct der sequence;

    if (der_expect(&der, DER_SEQUENCE, &sequence) != R_OK || der.n > 0)
        return R_BAD_MESSAGE;
    *content = sequence.value;
    return R_OK;
}

enum result issuer_serial_decode(struct bytes der, struct issuer_serial *out)
{
    struct issuer_serial both;
    struct bytes in;
    struct der serial;

    if (sequence_open(der, &in) != R_OK || name_take(&in, &both.issuer) != R_OK)
        return R_BAD_MESSAGE;
    if (der_expect(&in, DER_INTEGER, &serial) != R_OK || in.n > 0)
        return R_BAD_MESSAGE;
    if (der_get_unsigned(serial.value, &both.serial) != R_OK || both.serial.n > LIMIT_SERIAL)
        return R_BAD_MESSAGE;
    *out = both;
    return R_OK;
}
