/*
 * distribution: the published folder. CRLs below crl/, CA certificates below ca/, each whole or not at all.
 *
 * A file is written aside in its own folder (".NAME.PID.tmp"), synced, read back and checked, then renamed, and the folder
 * synced. Until the rename the old file stands; whatever fails before it removes the new one. A CRL never replaces one with
 * a higher number. Files have mode 0644 and folders 0755 (the caller's umask: 022).
 *
 * A path is "FOLDER/NAME" of the characters a-z 0-9 _ - and, in the name, one dot; anything else is R_BAD_INPUT.
 *
 * Only distribution_open logs: a full disk is met again and again, and the caller says what distribution_error tells when it
 * changes.
 */
#ifndef CHANCERY_SERVICE_DISTRIBUTION_H
#define CHANCERY_SERVICE_DISTRIBUTION_H

#include "lib/base/bytes.h"

struct distribution;
struct distribution_file;

/* Locks the folder for this process (R_BUSY where another publisher has it), makes crl/ and ca/, removes what a crash left.
 * R_IO. Logs why not. */
enum result distribution_open(const char *www_dir, struct distribution **out);
void distribution_close(struct distribution *d);      /* NULL allowed */
/* What the last failure was: "write crl/…: No space left on device". Valid until the next call. */
const char *distribution_error(const struct distribution *d);

/* What the file at crl/PATH holds. number 0: there is none, or it is no CRL. Read once, then again only when the file was
 * changed by somebody else, which is looked for every DISTRIBUTION_LOOK_MS. */
#define DISTRIBUTION_LOOK_MS 5000
struct distribution_crl { int64_t number; uint8_t sha256[32]; };
enum result distribution_crl_look(struct distribution *d, const char *path, struct distribution_crl *out);

/* A new CRL file for crl/PATH, in parts. Until finish or abort, which free it, one alone may be open. */
enum result distribution_crl_begin(struct distribution *d, const char *path, struct distribution_file **out);
enum result distribution_crl_write(struct distribution_file *f, struct bytes part);
/* R_BAD_INPUT where what came back from the disk is not a CRL of that number, size and SHA-256; R_STALE where the file that
 * stands has a higher number, or the same and the same content. */
enum result distribution_crl_finish(struct distribution_file *f, int64_t number, int64_t size, const uint8_t sha256[32]);
void distribution_crl_abort(struct distribution_file *f);    /* NULL allowed */

/* ca/PATH with this content; *changed false where it had it already. */
enum result distribution_ca_put(struct distribution *d, const char *path, struct bytes certificate, bool *changed);

#endif
