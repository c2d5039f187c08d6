/*
 * bundle: the certificates of a file as people get it from a CA: a certificate in DER; any number of them in PEM (RFC 7468), with
 * text between the blocks, line ends of any kind and lines of any length; PKCS#7 or CMS SignedData (.p7b) in DER, BER or PEM.
 *
 * PEM blocks of another kind are passed over, but a file that holds a private key, in whatever form, is refused: it ought not to
 * be here, and whoever sent it must be told. Nothing is judged beyond what it takes to find the certificates: they come out as
 * their exact bytes, in the order of the file.
 */
#ifndef CHANCERY_CODEC_BUNDLE_H
#define CHANCERY_CODEC_BUNDLE_H

#include "lib/base/arena.h"

struct bundle { struct bytes *items; uint32_t count; };

/* Adds the certificates of a file to out, which begins zeroed; the bytes are the arena's. *fault: what is wrong, for a person
 * ("no certificate"), static. A file without a certificate or with a block that cannot be read, a private key: R_BAD_INPUT. More
 * than LIMIT_UPLOAD_CERTIFICATES in out, or a file of more than LIMIT_UPLOAD bytes: R_TOO_LARGE. */
enum result bundle_add(struct bytes file, struct arena *a, struct bundle *out, const char **fault);

#endif
