#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/conf.h"
#include "lib/base/limits.h"

static char path[] = "/tmp/chancery-test-conf-XXXXXX";

static void make_file(void)
{
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
}

static void remove_file(void)
{
    unlink(path);
}

static void fill(const char *text, size_t n)
{
    cr_assert_eq(chmod(path, 0600), 0);
    int fd = open(path, O_WRONLY | O_TRUNC);
    cr_assert(fd >= 0 && write(fd, text, n) == (ssize_t)n && close(fd) == 0);
}

/* What conf_error says behind the path. */
static const char *reason(void)
{
    const char *error = conf_error();
    return strncmp(error, path, strlen(path)) == 0 && error[strlen(path)] == ':' ? error + strlen(path) + 1 : error;
}

#define NEEDED "database = dbname=chancery\npublic_fqdn = pki.example\n"

Test(conf, defaults, .init = make_file, .fini = remove_file)
{
    struct conf c;
    fill(NEEDED, strlen(NEEDED));
    cr_assert_eq(conf_load(&c, path), R_OK, "%s", conf_error());
    cr_expect_str_eq(conf_error(), "");
    cr_expect_str_eq(c.path, path);
    cr_expect_str_eq(c.database, "dbname=chancery");
    cr_expect_str_eq(c.public_fqdn, "pki.example");
    cr_expect(c.prepare);
    cr_expect_str_eq(c.scep_socket, "/run/chancery/scep.sock");
    cr_expect_str_eq(c.www_dir, "/var/lib/chancery/www");
    cr_expect_str_eq(c.root_secrets, "/etc/chancery/root.secrets");
    cr_expect_str_eq(c.publisher_user, "chancery-publisher");
    cr_expect_eq(c.leaf_workers, 0);
    cr_expect_eq(c.log_level, LOG_LEVEL_INFO);
    cr_expect_eq(c.program_count, 0);
    conf_free(&c);
    cr_expect_null(c.database);
    conf_free(&c);
}

Test(conf, form, .init = make_file, .fini = remove_file)
{
    static const char text[] =
        "# a comment\r\n"
        "\n"
        "   database=host=a,b port=5432 dbname = 'a b' target_session_attrs=read-write\t# two servers\n"
        "\tpublic_fqdn =\tpki.example:8443  \n"
        "prepare = off\n"
        "www_dir = /srv/a#b   # a sharp inside a word is no comment\n"
        "scep_workers = 256\n"
        "log_level = debug\n"
        "program = web www-data /usr/sbin/nginx -c  /x\n"
        "program = scep-2\tchancery-scep\t/usr/sbin/chancery-scep";
    struct conf c;
    fill(text, strlen(text));
    cr_assert_eq(conf_load(&c, path), R_OK, "%s", conf_error());
    cr_expect_str_eq(c.database, "host=a,b port=5432 dbname = 'a b' target_session_attrs=read-write");
    cr_expect_str_eq(c.public_fqdn, "pki.example:8443");
    cr_expect_not(c.prepare);
    cr_expect_str_eq(c.www_dir, "/srv/a#b");
    cr_expect_eq(c.scep_workers, 256);
    cr_expect_eq(c.log_level, LOG_LEVEL_DEBUG);
    cr_assert_eq(c.program_count, 2);
    cr_expect_str_eq(c.programs[0].name, "web");
    cr_expect_str_eq(c.programs[0].user, "www-data");
    cr_expect_str_eq(c.programs[0].command, "/usr/sbin/nginx -c  /x", "arguments are left as they stand");
    cr_expect_str_eq(c.programs[1].command, "/usr/sbin/chancery-scep", "the last line needs no end");
    conf_free(&c);
}

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10

Test(conf, refusals, .init = make_file, .fini = remove_file)
{
    static const struct { const char *text, *reason, *why; } cases[] = {
        {"", "0: database is missing", "an empty file"},
        {"public_fqdn = a\n", "1: database is missing", "a key without default"},
        {"database = dbname=x\n\n", "2: public_fqdn is missing", "the other"},
        {NEEDED "colour = red\n", "3: unknown key \"colour\"", "no such key"},
        {NEEDED "Prepare = on\n", "3: unknown key \"Prepare\"", "keys are in lower case"},
        {NEEDED "= on\n", "3: unknown key \"\"", "no key"},
        {NEEDED "path = /x\n", "3: unknown key \"path\"", "a member that is no key"},
        {NEEDED "ca_passphrase = x\n", "3: unknown key \"ca_passphrase\"", "chancery.conf holds no secret"},
        {NEEDED "prepare on\n", "3: this is not \"key = value\"", "no equals sign"},
        {NEEDED "prepare =\n", "3: prepare has no value", "no value"},
        {NEEDED "prepare = # on\n", "3: prepare has no value", "a comment for a value"},
        {NEEDED "prepare = on\nprepare = on\n", "4: prepare stands already in line 3", "a doubled key"},
        {NEEDED "prepare = yes\n", "3: prepare must be on or off", "a switch"},
        {NEEDED "prepare = on off\n", "3: prepare must be on or off", "two values"},
        {NEEDED "www_dir = www\n", "3: www_dir must be an absolute path", "a relative path"},
        {NEEDED "scep_socket = run/s\n", "3: scep_socket must be an absolute path", "a socket's path"},
        {NEEDED "scep_socket = /" X60 X10 X10 X10 X10 "xxxxxxx\n",
         "3: scep_socket must not be longer than 107 bytes, as it names a socket", "108 bytes do not fit a socket address"},
        {NEEDED "scep_workers = 257\n", "3: scep_workers must be a number from 0 to 256", "too many"},
        {NEEDED "scep_workers = -1\n", "3: scep_workers must be a number from 0 to 256", "too few"},
        {NEEDED "scep_workers = 4x\n", "3: scep_workers must be a number from 0 to 256", "not a number"},
        {NEEDED "log_level = loud\n", "3: log_level must be debug, info, notice, warning or error", "no such level"},
        {NEEDED "scep_user = Root\n",
         "3: scep_user must be a user name of a-z, 0-9, _ and -, beginning with a letter or _, of at most 32 characters", "case"},
        {NEEDED "scep_user = 0\n",
         "3: scep_user must be a user name of a-z, 0-9, _ and -, beginning with a letter or _, of at most 32 characters",
         "a number"},
        {NEEDED "program = web\n", "3: program must be NAME USER COMMAND [ARGUMENT ...]", "no user and command"},
        {NEEDED "program = web root\n", "3: program must be NAME USER COMMAND [ARGUMENT ...]", "no command"},
        {NEEDED "program = web root nginx\n", "3: program must have a command that begins with an absolute path",
         "a command that a search path would decide"},
        {NEEDED "program = ../x root /bin/a\n", "3: a program's name must be of a-z, 0-9 and -, of at most 32 characters",
         "a name becomes a file's name"},
        {NEEDED "program = a Root /bin/a\n",
         "3: a program's user must be a user name of a-z, 0-9, _ and -, beginning with a letter or _, of at most 32 characters",
         "its user"},
        {NEEDED "program = a root /bin/a\nprogram = a root /bin/b\n", "4: there is already a program named a", "a doubled name"},
        {NEEDED "prepare = o\x01n\n", "3: the line has characters that are not text", "a control character"},
        {NEEDED "# \xFF\n", "3: the line has characters that are not text", "not UTF-8"},
        {NEEDED "prepare = on\rlog_level = info\n", "3: the line has characters that are not text", "a line end of old"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct conf c = {.scep_workers = 77};
        fill(cases[i].text, strlen(cases[i].text));
        cr_expect_eq(conf_load(&c, path), R_CONFIG, "%s", cases[i].why);
        cr_expect_str_eq(reason(), cases[i].reason, "%s", cases[i].why);
        cr_expect(c.scep_workers == 77 && !c.database, "%s: nothing half loaded escapes", cases[i].why);
    }
}

Test(conf, hosts_and_connections, .init = make_file, .fini = remove_file)
{
    static const struct { const char *key, *value; bool good; const char *why; } cases[] = {
        {"public_fqdn", "127.0.0.1:8080", true, "an address"},
        {"public_fqdn", "PKI.example-1.org", true, "upper case and hyphen"},
        {"public_fqdn", "a:65535", true, "the last port"},
        {"public_fqdn", "a:65536", false, "no such port"},
        {"public_fqdn", "a:0", false, "port 0"},
        {"public_fqdn", "a:080", false, "another spelling of a port"},
        {"public_fqdn", "a:", false, "an empty port"},
        {"public_fqdn", ":80", false, "an empty host"},
        {"public_fqdn", "a..b", false, "an empty label"},
        {"public_fqdn", "a.b.", false, "a dot at the end"},
        {"public_fqdn", "-a.b", false, "a label that begins with a hyphen"},
        {"public_fqdn", "a-.b", false, "a label that ends with one"},
        {"public_fqdn", X60 "xxx.b", true, "a label of 63"},
        {"public_fqdn", X60 "xxxx.b", false, "a label of 64"},
        {"public_fqdn", "a/b", false, "a path"},
        {"public_fqdn", "https://a", false, "a URL"},
        {"public_fqdn", "a b", false, "a space"},
        {"public_fqdn", "a\"b", false, "a quote"},
        {"public_fqdn", "\xC3\xA4.example", false, "a name outside ASCII"},
        {"database", "host=/run/postgresql dbname=x connect_timeout=5 sslmode=verify-full", true, "as deployed"},
        {"database", "dbname='it\\'s user=x'", true, "a quoted value may say anything"},
        {"database", "dbname=x user=postgres", false, "who connects is the program's business"},
        {"database", "dbname=x password=y", false, "a secret"},
        {"database", "password = y dbname=x", false, "a secret, with spaces"},
        {"database", "dbname=x passfile=/y", false, "a file of secrets"},
        {"database", "service=x", false, "a file that may name user and password"},
        {"database", "sslpassword=x", false, "another secret"},
        {"database", "dbname='x' password=y", false, "behind a quoted value"},
        {"database", "dbname=a\\ b password=y", false, "behind an escaped space"},
        {"database", "dbname=x' password=y'", false, "a quote inside a value quotes nothing"},
        {"database", "postgresql://u:p@h/d", false, "the form as a URL may hold both"},
        {"database", "chancery", false, "a database's name alone"},
        {"database", "dbname='x", false, "an open quote"},
        {"database", "dbname=x\\", false, "an open escape"},
        {"database", "DBNAME=x", false, "keywords are in lower case"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct conf c;
        char text[256];
        bool host = strcmp(cases[i].key, "public_fqdn") == 0;
        const char *other = host ? "database = dbname=x" : "public_fqdn = a";
        snprintf(text, sizeof text, "%s\n%s = %s\n", other, cases[i].key, cases[i].value);
        fill(text, strlen(text));
        enum result r = conf_load(&c, path);
        cr_expect_eq(r, cases[i].good ? R_OK : R_CONFIG, "%s: %s %s", cases[i].value, cases[i].why, conf_error());
        if (r == R_OK)
            conf_free(&c);
        else
            cr_expect_eq(strncmp(reason(), "2: ", 3), 0, "%s", conf_error());
    }
}

Test(conf, limits, .init = make_file, .fini = remove_file)
{
    static char text[LIMIT_CONF_FILE + 2];
    struct conf c;
    size_t start = strlen(NEEDED);
    memset(text, '#', sizeof text);
    memcpy(text, NEEDED, start);
    fill(text, start + LIMIT_CONF_LINE);
    cr_expect_eq(conf_load(&c, path), R_OK, "the longest line: %s", conf_error());
    conf_free(&c);
    fill(text, start + LIMIT_CONF_LINE + 1);
    cr_expect_eq(conf_load(&c, path), R_CONFIG);
    cr_expect_str_eq(reason(), "3: the line is longer than 4096 bytes");

    for (size_t i = start; i < sizeof text; i += 64)
        text[i] = '\n';
    fill(text, LIMIT_CONF_FILE);
    cr_expect_eq(conf_load(&c, path), R_OK, "the largest file: %s", conf_error());
    conf_free(&c);
    fill(text, LIMIT_CONF_FILE + 1);
    cr_expect_eq(conf_load(&c, path), R_CONFIG);
    cr_expect_str_eq(reason(), "0: the file is larger than 65536 bytes");

    char nul[] = NEEDED "prepare = on\0ly\n";
    fill(nul, sizeof nul - 1);
    cr_expect_eq(conf_load(&c, path), R_CONFIG, "a NUL does not end a value");
    cr_expect_str_eq(reason(), "3: the line has characters that are not text");

    size_t n = start;
    for (int i = 0; i <= CONF_PROGRAMS; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "program = p%d root /bin/p\n", i);
    fill(text, n);
    cr_expect_eq(conf_load(&c, path), R_CONFIG);
    cr_expect_str_eq(reason(), "19: there are more than 16 programs");

    cr_expect_eq(conf_load(&c, "/nowhere/chancery.conf"), R_CONFIG);
    cr_expect_str_eq(conf_error(), "/nowhere/chancery.conf:0: the file cannot be opened: No such file or directory");
    cr_expect_eq(conf_load(&c, "/tmp"), R_CONFIG);
    cr_expect_str_eq(conf_error(), "/tmp:0: this is not a regular file");
}

Test(conf, secrets, .init = make_file, .fini = remove_file)
{
    static const struct { mode_t mode; bool good; } modes[] = {
        {0400, true}, {0600, true}, {0440, true}, {0640, true}, {0644, false}, {0604, false}, {0660, false}, {0700, false},
        {0601, false}, {02640, false},
    };
    static const char text[] = "ca_passphrase = a=b#c \\ \"d\"\ndatabase_password = x # not part of it\n";
    struct conf_secrets s;
    fill(text, strlen(text));
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        cr_assert_eq(chmod(path, modes[i].mode), 0);
        enum result r = conf_load_secrets(&s, path);
        cr_expect_eq(r, modes[i].good ? R_OK : R_CONFIG, "mode %04o: %s", (unsigned)modes[i].mode, conf_error());
        if (r != R_OK)
            continue;
        cr_expect_str_eq(s.ca_passphrase, "a=b#c \\ \"d\"");
        cr_expect_str_eq(s.database_password, "x");
        cr_expect(!s.ra_passphrase && !s.root_passphrase, "keys that are absent are NULL");
        conf_free_secrets(&s);
        cr_expect_null(s.ca_passphrase);
    }
    static const char *const refused[][2] = {
        {"ca_passphrase = x\nca_passphrase = secret-1\n", "2: ca_passphrase stands already in line 1"},
        {"ca_pass = secret-1\n", "1: unknown key \"ca_pass\""},
        {"secret-1\n", "1: this is not \"key = value\""},
        {"ca_passphrase =\n", "1: ca_passphrase has no value"},
        {"database = dbname=secret-1\n", "1: unknown key \"database\""},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        fill(refused[i][0], strlen(refused[i][0]));
        cr_expect_eq(conf_load_secrets(&s, path), R_CONFIG);
        cr_expect_str_eq(reason(), refused[i][1], "and no value is in the reason");
    }
}

static void count_row(void *context, const char *row)
{
    int tabs = 0;
    for (const char *p = row; *p; p++)
        tabs += *p == '\t';
    cr_expect(tabs == 3 && row[strlen(row) - 1] == '\n', "four columns: %s", row);
    ++*(int *)context;
}

Test(conf, describes_itself)
{
    int rows = 0;
    conf_describe(count_row, &rows);
    cr_expect_eq(rows, 23);
}
