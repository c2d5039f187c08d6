#include "lib/base/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/bytes.h"
#include "lib/base/conf_value.h"
#include "lib/base/limits.h"
#include "lib/base/text.h"

struct key {
    const char *name;
    enum conf_kind kind;
    size_t at;                  /* offset of the member */
    const char *initial;        /* NULL: must be given, but for programs and secrets */
    const char *meaning;
};

static const struct key conf_keys[] = {
#define KEY(member, kind, initial, meaning) {#member, kind, offsetof(struct conf, member), initial, meaning}
    KEY(database, CONF_KIND_DATABASE, NULL, "libpq connection string without user and password; several hosts allowed"),
    KEY(prepare, CONF_KIND_SWITCH, "on", "use prepared statements; off behind pgbouncer 1.18"),
    KEY(public_fqdn, CONF_KIND_HOST, NULL, "host[:port] that {{CloudPKIFQDN}} stands for; CRL and AIA URLs are made with it"),
    KEY(scep_socket, CONF_KIND_SOCKET, "/run/chancery/scep.sock", "FastCGI socket of chancery-scep"),
    KEY(leaf_socket, CONF_KIND_SOCKET, "/run/chancery/leaf.sock", "socket of the signer's lane for device certificates"),
    KEY(crl_socket, CONF_KIND_SOCKET, "/run/chancery/crl.sock", "socket of the signer's lane for CRLs"),
    KEY(admin_socket, CONF_KIND_SOCKET, "/run/chancery/admin.sock", "socket of the signer's lane for CAs and keys"),
    KEY(scep_secrets, CONF_KIND_PATH, "/etc/chancery/scep.secrets", "secrets file of chancery-scep"),
    KEY(signer_secrets, CONF_KIND_PATH, "/etc/chancery/signer.secrets", "secrets file of chancery-signer"),
    KEY(root_secrets, CONF_KIND_PATH, "/etc/chancery/root.secrets", "secrets file with the roots' passphrase"),
    KEY(publisher_secrets, CONF_KIND_PATH, "/etc/chancery/publisher.secrets", "secrets file of chancery-publisher"),
    KEY(www_dir, CONF_KIND_PATH, "/var/lib/chancery/www", "directory whose crl/ and ca/ are published"),
    KEY(spool_dir, CONF_KIND_PATH, "/var/lib/chancery/spool", "the signer's space for a CRL being built"),
    KEY(run_dir, CONF_KIND_PATH, "/run/chancery", "process ids and locks"),
    KEY(log_dir, CONF_KIND_PATH, "/var/log/chancery", "where chancery run writes NAME.log"),
    KEY(scep_user, CONF_KIND_USER, "chancery-scep", "system user of chancery-scep"),
    KEY(signer_user, CONF_KIND_USER, "chancery-signer", "system user of chancery-signer"),
    KEY(publisher_user, CONF_KIND_USER, "chancery-publisher", "system user of chancery-publisher"),
    KEY(scep_workers, CONF_KIND_WORKERS, "0", "processes of chancery-scep; 0: twice the processors, four at least"),
    KEY(leaf_workers, CONF_KIND_WORKERS, "0", "processes of the lane for device certificates; 0: one more than processors"),
    KEY(admin_workers, CONF_KIND_WORKERS, "0", "processes of the lane for CAs; 0: two"),
    KEY(log_level, CONF_KIND_LEVEL, "info", "least level that is logged: debug, info, notice, warning, error"),
#undef KEY
    {"program", CONF_KIND_PROGRAM, 0, NULL, "NAME USER COMMAND [ARGUMENT ...] kept running by chancery run; may be repeated"},
};
#define CONF_KEYS (sizeof conf_keys / sizeof conf_keys[0])

static const struct key secret_keys[] = {
#define KEY(member, meaning) {#member, CONF_KIND_SECRET, offsetof(struct conf_secrets, member), NULL, meaning}
    KEY(ca_passphrase, "encrypts the keys of issuing CAs and of challenges"),
    KEY(root_passphrase, "encrypts the keys of roots"),
    KEY(ra_passphrase, "encrypts RA keys"),
    KEY(database_password, "password of the program's database role; none: peer authentication"),
#undef KEY
};
#define SECRET_KEYS (sizeof secret_keys / sizeof secret_keys[0])

static char error_text[CONF_PATH_MOST + 512];

const char *conf_error(void)
{
    return error_text;
}

/* Where a value stands, and what is filled from it. */
struct reader {
    const char *path;
    unsigned line;
    const struct key *keys;
    size_t key_count;
    void *target;               /* struct conf or struct conf_secrets */
    unsigned seen[CONF_KEYS];   /* line of the key, 0 none */
};

static enum result refuse(const struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static enum result refuse(const struct reader *r, const char *fmt, ...)
{
    int n = snprintf(error_text, sizeof error_text, "%s:%u: ", r->path, r->line);
    if (n < 0 || (size_t)n >= sizeof error_text)
        return R_CONFIG;
    va_list args;
    va_start(args, fmt);
    vsnprintf(error_text + n, sizeof error_text - (size_t)n, fmt, args);
    va_end(args);
    return R_CONFIG;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* ---- setting ---- */

static enum result set_text(struct reader *r, char **at, const char *v, size_t n)
{
    char *copy = strndup(v, n);
    if (!copy) {
        refuse(r, "memory ran out");
        return R_NO_MEMORY;
    }
    *at = copy;
    return R_OK;
}

static enum result set_value(struct reader *r, const struct key *k, const char *v)
{
    void *at = (char *)r->target + k->at;
    int64_t n = 0;
    switch (k->kind) {
    case CONF_KIND_SWITCH:
        *(bool *)at = strcmp(v, "on") == 0;
        return R_OK;
    case CONF_KIND_WORKERS:
        (void)text_to_number(v, 0, CONF_WORKERS_MOST, &n);
        *(int *)at = (int)n;
        return R_OK;
    case CONF_KIND_LEVEL:
        return log_level_from_name(v, at);
    default:
        return set_text(r, at, v, strlen(v));
    }
}

/* The form is checked: three words or more. */
static enum result set_program(struct reader *r, const char *v)
{
    struct conf *c = r->target;
    size_t name = strcspn(v, " \t");
    const char *user = v + name + strspn(v + name, " \t");
    size_t user_length = strcspn(user, " \t");
    const char *command = user + user_length + strspn(user + user_length, " \t");
    if (c->program_count == CONF_PROGRAMS)
        return refuse(r, "there are more than %d programs", CONF_PROGRAMS);
    for (int i = 0; i < c->program_count; i++)
        if (strlen(c->programs[i].name) == name && memcmp(c->programs[i].name, v, name) == 0)
            return refuse(r, "there is already a program named %s", c->programs[i].name);
    struct conf_program *p = &c->programs[c->program_count++];      /* counted at once, so that conf_free sees its parts */
    enum result rc = set_text(r, &p->name, v, name);
    if (rc == R_OK)
        rc = set_text(r, &p->user, user, user_length);
    if (rc == R_OK)
        rc = set_text(r, &p->command, command, strlen(command));
    if (rc != R_OK)
        return rc;
    const char *fault = conf_value_fault(CONF_KIND_NAME, p->name);
    if (fault)
        return refuse(r, "a program's name %s", fault);
    fault = conf_value_fault(CONF_KIND_USER, p->user);
    return fault ? refuse(r, "a program's user %s", fault) : R_OK;
}

/* ---- reading ---- */

static enum result read_pair(struct reader *r, char *line)
{
    char *equals = strchr(line, '=');
    if (!equals)
        return refuse(r, "this is not \"key = value\"");
    char *key_end = equals, *v = equals + 1;
    while (key_end > line && is_space(key_end[-1]))
        key_end--;
    *key_end = '\0';
    v += strspn(v, " \t");
    const struct key *k = r->keys, *end = r->keys + r->key_count;
    while (k < end && strcmp(k->name, line) != 0)
        k++;
    if (k == end)
        return refuse(r, "unknown key \"%.64s\"", line);
    unsigned *seen = &r->seen[k - r->keys];
    if (*seen != 0 && k->kind != CONF_KIND_PROGRAM)
        return refuse(r, "%s stands already in line %u", k->name, *seen);
    *seen = r->line;
    if (*v == '\0')
        return refuse(r, "%s has no value", k->name);
    const char *fault = conf_value_fault(k->kind, v);
    if (fault)
        return refuse(r, "%s %s", k->name, fault);
    return k->kind == CONF_KIND_PROGRAM ? set_program(r, v) : set_value(r, k, v);
}

/* Cuts the comment and the white space around; a carriage return at the end is white space. */
static char *trim(char *line)
{
    for (char *p = line; *p; p++)
        if (*p == '#' && (p == line || is_space(p[-1]))) {
            *p = '\0';
            break;
        }
    size_t n = strlen(line);
    while (n > 0 && (is_space(line[n - 1]) || line[n - 1] == '\r'))
        line[--n] = '\0';
    return line + strspn(line, " \t");
}

static bool line_is_text(const char *line)
{
    for (; *line; line++)
        if ((unsigned char)*line < 0x20 && *line != '\t')
            return false;
    return true;
}

static enum result read_lines(struct reader *r, char *text, size_t n)
{
    char *end = text + n;
    while (text < end) {
        r->line++;
        char *stop = memchr(text, '\n', (size_t)(end - text));
        if (!stop)
            stop = end;         /* there is room for a NUL behind the text */
        *stop = '\0';
        size_t length = (size_t)(stop - text);
        if (length > LIMIT_CONF_LINE)
            return refuse(r, "the line is longer than %d bytes", LIMIT_CONF_LINE);
        bool whole = text_is_utf8(text, length);
        char *line = trim(text);
        if (!whole || !line_is_text(line))
            return refuse(r, "the line has characters that are not text");
        enum result rc = *line != '\0' ? read_pair(r, line) : R_OK;
        if (rc != R_OK)
            return rc;
        text = stop + 1;
    }
    return R_OK;
}

static enum result fill_defaults(struct reader *r)
{
    for (size_t i = 0; i < r->key_count; i++) {
        const struct key *k = &r->keys[i];
        if (r->seen[i] != 0 || k->kind == CONF_KIND_PROGRAM || k->kind == CONF_KIND_SECRET)
            continue;
        if (!k->initial)
            return refuse(r, "%s is missing", k->name);
        enum result rc = set_value(r, k, k->initial);
        if (rc != R_OK)
            return rc;
    }
    return R_OK;
}

/* A secrets file belongs to who reads it or to root, and others may not read it. */
static enum result check_private(const struct reader *r, const struct stat *st)
{
    mode_t mode = st->st_mode & 07777;
    if (mode != 0400 && mode != 0600 && mode != 0440 && mode != 0640)
        return refuse(r, "the file's mode is %04o; it must be 0400, 0600, 0440 or 0640", (unsigned)mode);
    if (st->st_uid != 0 && geteuid() != 0 && st->st_uid != geteuid())
        return refuse(r, "the file belongs to another user");
    return R_OK;
}

/* Reads all of fd into text (room for limit + 2 bytes). */
static enum result read_all(const struct reader *r, int fd, char *text, size_t limit, size_t *n)
{
    *n = 0;
    while (*n <= limit) {
        ssize_t got = read(fd, text + *n, limit + 1 - *n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return refuse(r, "the file cannot be read: %s", strerror(errno));
        if (got == 0)
            return R_OK;
        *n += (size_t)got;
    }
    return refuse(r, "the file is larger than %zu bytes", limit);
}

static enum result read_file(struct reader *r, size_t limit, bool private)
{
    enum result rc = R_CONFIG;
    char *text = NULL;
    size_t n = 0;
    struct stat st;
    /* Not blocking, for a path that turns out to be a pipe. */
    int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        refuse(r, "the file cannot be opened: %s", strerror(errno));
        goto out;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        refuse(r, "this is not a regular file");
        goto out;
    }
    if (private && check_private(r, &st) != R_OK)
        goto out;
    text = malloc(limit + 2);
    if (!text) {
        refuse(r, "memory ran out");
        rc = R_NO_MEMORY;
        goto out;
    }
    rc = read_all(r, fd, text, limit, &n);
    if (rc == R_OK)
        rc = read_lines(r, text, n);
    if (rc == R_OK)
        rc = fill_defaults(r);
out:
    bytes_wipe(text, text ? n : 0);
    free(text);
    if (fd >= 0)
        close(fd);
    return rc;
}

enum result conf_load(struct conf *c, const char *path)
{
    struct conf loaded = {0};
    struct reader r = {.path = path, .keys = conf_keys, .key_count = CONF_KEYS, .target = &loaded};
    error_text[0] = '\0';
    enum result rc = set_text(&r, &loaded.path, path, strlen(path));
    if (rc == R_OK)
        rc = read_file(&r, LIMIT_CONF_FILE, false);
    if (rc == R_OK)
        *c = loaded;
    else
        conf_free(&loaded);
    return rc;
}

static bool is_text(const struct key *k)
{
    bool number = k->kind == CONF_KIND_WORKERS || k->kind == CONF_KIND_SWITCH || k->kind == CONF_KIND_LEVEL;
    return !number && k->kind != CONF_KIND_PROGRAM;
}

void conf_free(struct conf *c)
{
    for (size_t i = 0; i < CONF_KEYS; i++)
        if (is_text(&conf_keys[i]))
            free(*(char **)((char *)c + conf_keys[i].at));
    for (int i = 0; i < c->program_count; i++) {
        free(c->programs[i].name);
        free(c->programs[i].user);
        free(c->programs[i].command);
    }
    free(c->path);
    *c = (struct conf){0};
}

enum result conf_load_secrets(struct conf_secrets *s, const char *path)
{
    struct conf_secrets loaded = {0};
    struct reader r = {.path = path, .keys = secret_keys, .key_count = SECRET_KEYS, .target = &loaded};
    error_text[0] = '\0';
    enum result rc = read_file(&r, LIMIT_SECRETS_FILE, true);
    if (rc == R_OK)
        *s = loaded;
    else
        conf_free_secrets(&loaded);
    return rc;
}

void conf_free_secrets(struct conf_secrets *s)
{
    for (size_t i = 0; i < SECRET_KEYS; i++) {
        char *text = *(char **)((char *)s + secret_keys[i].at);
        if (text)
            bytes_wipe(text, strlen(text));
        free(text);
    }
    *s = (struct conf_secrets){0};
}

void conf_describe(void (*line)(void *, const char *), void *context)
{
    char text[512];
    for (size_t i = 0; i < CONF_KEYS; i++) {
        const struct key *k = &conf_keys[i];
        const char *initial = k->initial ? k->initial : k->kind == CONF_KIND_PROGRAM ? "none" : "required";
        snprintf(text, sizeof text, "%s\t%s\t%s\t%s\n", k->name, conf_kind_name(k->kind), initial, k->meaning);
        line(context, text);
    }
}
