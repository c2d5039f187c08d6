/* chancery.conf and a secrets file: the same text is read as both. */
#include "tests/fuzz/fuzz.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/base/conf.h"

/* A refusal names the file. */
static void refusal_check(const char *path)
{
    FUZZ_MUST(strncmp(conf_error(), path, strlen(path)) == 0 && conf_error()[strlen(path)] == ':');
}

static void conf_check(const char *path)
{
    struct conf c = {0};
    enum result r = conf_load(&c, path);

    FUZZ_RESULT(r, R_OK, R_CONFIG);
    if (r != R_OK) {
        refusal_check(path);
        return;
    }
    const char *texts[] = {c.database, c.public_fqdn, c.scep_socket, c.leaf_socket, c.crl_socket, c.admin_socket, c.www_dir,
                           c.scep_user};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        FUZZ_MUST(fuzz_is_text(texts[i], LIMIT_CONF_LINE) && texts[i][strcspn(texts[i], "\n\r\x1b")] == '\0');
    FUZZ_MUST(c.program_count >= 0 && c.program_count <= CONF_PROGRAMS && strcmp(c.path, path) == 0);
    for (int i = 0; i < c.program_count; i++)
        FUZZ_MUST(c.programs[i].name[0] != '\0' && c.programs[i].user[0] != '\0' && c.programs[i].command[0] != '\0');
    conf_free(&c);
}

static void secrets_check(const char *path)
{
    struct conf_secrets s = {0};
    enum result r = conf_load_secrets(&s, path);

    FUZZ_RESULT(r, R_OK, R_CONFIG);
    if (r != R_OK)
        refusal_check(path);
    conf_free_secrets(&s);
}

FUZZ_TARGET(conf)
{
    char path[64];
    int fd = memfd_create("conf", MFD_CLOEXEC);

    FUZZ_MUST(fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    conf_check(path);
    secrets_check(path);
    close(fd);
    return 0;
}
