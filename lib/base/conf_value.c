#include "lib/base/conf_value.h"

#include <stdbool.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/text.h"

#define SOCKET_PATH_MOST 107    /* bytes, struct sockaddr_un without the NUL */
#define NAME_MOST 32            /* characters of a system user's or program's name */
#define SECRET_MOST 1024        /* bytes */
#define HOST_MOST 253           /* characters of a DNS name */

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool in_set(char c, const char *more)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c != '\0' && strchr(more, c));
}

static size_t span(const char *s, const char *more)
{
    size_t n = 0;
    while (in_set(s[n], more))
        n++;
    return n;
}

static const char *check_path(const char *v)
{
    if (v[0] != '/')
        return "must be an absolute path";
    return strlen(v) > CONF_PATH_MOST ? "must not be longer than 4095 bytes" : NULL;
}

static const char *check_socket(const char *v)
{
    const char *fault = check_path(v);
    if (fault)
        return fault;
    return strlen(v) > SOCKET_PATH_MOST ? "must not be longer than 107 bytes, as it names a socket" : NULL;
}

static const char *check_user(const char *v)
{
    size_t n = span(v, "_-");
    bool good = n > 0 && n <= NAME_MOST && v[n] == '\0' && v[0] != '-' && !(v[0] >= '0' && v[0] <= '9');
    return good ? NULL : "must be a user name of a-z, 0-9, _ and -, beginning with a letter or _, of at most 32 characters";
}

static const char *check_name(const char *v)
{
    size_t n = span(v, "-");
    return n > 0 && n <= NAME_MOST && v[n] == '\0' ? NULL : "must be of a-z, 0-9 and -, of at most 32 characters";
}

static const char *check_workers(const char *v)
{
    int64_t n;
    return text_to_number(v, 0, CONF_WORKERS_MOST, &n) == R_OK ? NULL : "must be a number from 0 to 256";
}

static const char *check_switch(const char *v)
{
    return strcmp(v, "on") == 0 || strcmp(v, "off") == 0 ? NULL : "must be on or off";
}

static const char *check_host(const char *v)
{
    static const char fault[] = "must be host or host:port, the host a DNS name or IPv4 address";
    size_t label = 0, at = 0;
    for (; v[at] != '\0' && v[at] != ':'; at++) {
        if (v[at] == '.' ? label == 0 || v[at - 1] == '-' : !in_set(v[at], "ABCDEFGHIJKLMNOPQRSTUVWXYZ-"))
            return fault;
        if (v[at] == '-' && label == 0)
            return fault;
        label = v[at] == '.' ? 0 : label + 1;
        if (label > 63)
            return fault;
    }
    if (label == 0 || v[at - 1] == '-' || at > HOST_MOST)
        return fault;
    int64_t port;
    if (v[at] == ':' && (v[at + 1] == '0' || text_to_number(v + at + 1, 1, 65535, &port) != R_OK))
        return fault;
    return NULL;
}

static const char *check_level(const char *v)
{
    enum log_level level;
    return log_level_from_name(v, &level) == R_OK ? NULL : "must be debug, info, notice, warning or error";
}

/* The parameters of libpq that say where the server is and how it is reached. Who connects, and with what password, comes
 * from the program and its secrets file; files that could hold either are not named here either. */
static const char *const database_words[] = {
    "application_name", "channel_binding", "connect_timeout", "dbname", "gssencmode", "host", "hostaddr", "keepalives",
    "keepalives_count", "keepalives_idle", "keepalives_interval", "options", "port", "ssl_max_protocol_version",
    "ssl_min_protocol_version", "sslcert", "sslcrl", "sslcrldir", "sslkey", "sslmode", "sslrootcert", "sslsni",
    "target_session_attrs", "tcp_user_timeout",
};

static bool database_word(const char *word, size_t n)
{
    for (size_t i = 0; i < sizeof database_words / sizeof database_words[0]; i++)
        if (strlen(database_words[i]) == n && memcmp(database_words[i], word, n) == 0)
            return true;
    return false;
}

/* Behind one value of a connection string, as libpq reads it; NULL when a quote stays open. */
static const char *database_value_end(const char *v)
{
    bool quoted = *v == '\'';
    for (v += quoted; *v != '\0' && (quoted || !is_space(*v)); v++) {
        if (quoted && *v == '\'')
            return v + 1;
        if (*v == '\\' && *++v == '\0')
            return NULL;
    }
    return quoted ? NULL : v;
}

static const char *check_database(const char *v)
{
    static const char form[] = "must be a connection string of keyword=value pairs";
    while (*v != '\0') {
        size_t n = span(v, "_");
        if (n == 0)
            return form;
        if ((n == 4 && strncmp(v, "user", n) == 0) || (n == 8 && strncmp(v, "password", n) == 0))
            return "must not contain user or password: they come from the program and its secrets file";
        if (!database_word(v, n)) {
            const char *after = v + n + strspn(v + n, " \t");
            return *after == '=' ? "contains a keyword that is not allowed here" : form;
        }
        v += n;
        v += strspn(v, " \t");
        if (*v++ != '=')
            return form;
        v += strspn(v, " \t");
        v = database_value_end(v);
        if (!v)
            return "contains a quote that is not closed";
        v += strspn(v, " \t");
    }
    return NULL;
}

static const char *check_secret(const char *v)
{
    return strlen(v) > SECRET_MOST ? "must not be longer than 1024 bytes" : NULL;
}

/* The parts are checked one by one as they are cut out. */
static const char *check_program(const char *v)
{
    size_t name = strcspn(v, " \t"), user = name + strspn(v + name, " \t"), end = user + strcspn(v + user, " \t");
    size_t command = end + strspn(v + end, " \t");
    if (v[command] == '\0')
        return "must be NAME USER COMMAND [ARGUMENT ...]";
    return v[command] == '/' ? NULL : "must have a command that begins with an absolute path";
}

static const struct {
    const char *type;
    const char *(*fault)(const char *);
} kinds[] = {
    [CONF_KIND_PATH] = {"path", check_path},
    [CONF_KIND_SOCKET] = {"socket path", check_socket},
    [CONF_KIND_USER] = {"user", check_user},
    [CONF_KIND_NAME] = {"name", check_name},
    [CONF_KIND_WORKERS] = {"number 0-256", check_workers},
    [CONF_KIND_SWITCH] = {"on|off", check_switch},
    [CONF_KIND_HOST] = {"host[:port]", check_host},
    [CONF_KIND_DATABASE] = {"connection string", check_database},
    [CONF_KIND_LEVEL] = {"level", check_level},
    [CONF_KIND_PROGRAM] = {"program", check_program},
    [CONF_KIND_SECRET] = {"secret", check_secret},
};

const char *conf_kind_name(enum conf_kind kind) { return kinds[kind].type; }
const char *conf_value_fault(enum conf_kind kind, const char *v) { return kinds[kind].fault(v); }
