/* Bring your own CA: the request goes out, the certificate and those above it come in. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bin/cli.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/codec/x509.h"

/* ---- the request ---- */

/* Into a folder it goes as NAME.req, as the pages name it (2.E05). A CA's name has no slash. */
static enum result request_path(struct cli *c, const char *out, const char *name, const char **path)
{
    struct stat s;
    bool folder = stat(out, &s) == 0 && S_ISDIR(s.st_mode);
    *path = folder ? arena_printf(&c->arena, "%s/%s.req", out, name) : out;
    return *path != NULL ? R_OK : R_NO_MEMORY;
}

static enum result request_write(struct cli *c, struct bytes text, const char *path)
{
    FILE *f = fopen(path, "we");
    bool written = f != NULL && fwrite(text.p, 1, text.n, f) == text.n;
    int error = errno;
    if (f != NULL && fclose(f) != 0 && written) {
        error = errno;
        written = false;
    }
    return written ? R_OK : cli_refuse(c, R_IO, "%s: %s.", path, strerror(error));
}

static enum result ca_csr(struct cli *c)
{
    const struct db_param arguments[] = {DB_P_TEXT(c->argument)};
    const char *out = cli_text(c, "out"), *path = NULL;
    struct db_rows *rows = NULL;
    struct buf text;
    bool pem = !cli_flag(c, "der");
    buf_init(&text, 2 * LIMIT_CERTIFICATE);
    enum result r = cli_call(c, OPERATOR_CA_CSR, arguments, 1, &rows);
    if (r == R_OK && out == NULL) {
        r = output_der(db_bytes(rows, 0, 1), pem, "CERTIFICATE REQUEST");
    } else if (r == R_OK) {
        struct bytes der = db_bytes(rows, 0, 1);
        r = request_path(c, out, db_text(rows, 0, 0), &path);
        if (r == R_OK && pem)
            r = pem_encode("CERTIFICATE REQUEST", der, &text);
        if (r == R_OK)
            r = request_write(c, pem ? buf_bytes(&text) : der, path);
    }
    db_rows_free(rows);
    buf_free(&text);
    return r;
}

/* ---- the certificate ---- */

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* Room is what all files together may still have: more than that is read of none. */
static enum result file_read(struct cli *c, const char *path, size_t *room, struct signer_file *out)
{
    size_t n = 0;
    ssize_t got = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *p = arena_alloc(&c->arena, *room + 1);
    if (p == NULL) {
        if (fd >= 0)
            close(fd);
        return R_NO_MEMORY;
    }
    while (fd >= 0 && n <= *room && (got = read(fd, p + n, *room + 1 - n)) > 0)
        n += (size_t)got;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (fd < 0 || got < 0)
        return cli_refuse(c, R_IO, "%s: %s.", path, strerror(error));
    if (n > *room)
        return cli_refuse(c, R_TOO_LARGE,
                          "%s: found more than all files of an upload together may have, wanted at most %d bytes.", path,
                          LIMIT_UPLOAD);
    if (strlen(file_name(path)) > LIMIT_FILE_NAME)
        return cli_refuse(c, R_TOO_LARGE, "%s: found a name of %zu bytes, wanted at most %d.", path, strlen(file_name(path)),
                          LIMIT_FILE_NAME);
    *room -= n;
    *out = (struct signer_file){file_name(path), BYTES(p, n)};
    return R_OK;
}

static enum result ca_upload(struct cli *c)
{
    struct signer_ca_upload q = {.tenant = (uint32_t)c->tenant, .actor = c->login, .ca = c->argument};
    struct signer_ca_uploaded made;
    size_t room = LIMIT_UPLOAD;
    uint32_t count;
    char end[CLOCK_ISO_SIZE];
    const char **chain = cli_texts(c, "chain", &count);
    if (chain == NULL)
        return R_NO_MEMORY;
    if (count > LIMIT_UPLOAD_FILES)
        return cli_refuse(c, R_TOO_LARGE, "--chain: found %u files, wanted at most %d.", count, LIMIT_UPLOAD_FILES);
    q.chain = (struct signer_files){arena_array(&c->arena, count, sizeof *q.chain.items), count};
    if (q.chain.items == NULL)
        return R_NO_MEMORY;
    enum result r = file_read(c, cli_text(c, "certificate"), &room, &q.certificate);
    for (uint32_t i = 0; r == R_OK && i < count; i++)
        r = file_read(c, chain[i], &room, &q.chain.items[i]);
    if (r == R_OK)
        r = cli_signer(c, SIGNER_CA_UPLOAD, &q, LIMIT_SIGNER_ADMIN_MS, &c->arena, &made);
    if (r != R_OK)
        return r;
    clock_to_iso(made.not_after, end);
    /* A version after the first is put into production by the operator. */
    cli_say("Version %u of %s is %s: \"%s\" below \"%s\", %u certificates above it, until %s.", made.version, c->argument,
            made.version == 1 ? "Active" : "Staged", made.subject != NULL ? made.subject : "", made.root != NULL ? made.root : "",
            made.above, end);
    if (!made.ra)
        cli_say("It has no RA certificates, without which nothing can enrol: the signer's log says why. They are tried again each minute.");
    return R_OK;
}

static const struct option csr_options[] = {
    {"der", NULL, OPTION_FLAG, 0, "DER instead of PEM", 0, 0},
    {"out", "FILE|FOLDER", OPTION_TEXT, 0, "write it there, into a folder as NAME.req (default standard output)", 0, 0},
    OPTION_END,
};
static const struct option upload_options[] = {
    {"certificate", "FILE", OPTION_TEXT, OPTION_REQUIRED, "the certificate made of the request: DER or PEM", 0, 0},
    {"chain", "FILE", OPTION_TEXT, OPTION_REQUIRED | OPTION_REPEATED,
     "CAs above it up to the root, in any order: DER, PEM or PKCS#7", 0, 0},
    OPTION_END,
};

const struct command commands_byoca[] = {
    {"ca", "csr", "NAME|ID", OPTION_TEXT, csr_options, false, "the request of a bring-your-own CA", ca_csr},
    {"ca", "upload", "NAME|ID", OPTION_TEXT, upload_options, false,
     "put in the certificate that an external CA made of the request", ca_upload},
    {0},
};
