/* chancery: the operator's command line. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "bin/cli.h"
#include "lib/base/limits.h"
#include "lib/base/text.h"

#define COMMAND_MEMORY (256 * 1048576)      /* bytes: an import of 100,000 devices and what it is made of */
#define LOGIN_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-"

enum { EXIT_DONE, EXIT_REFUSED, EXIT_WORDS };

static bool login_is_good(const char *name)
{
    size_t n = name != NULL ? strlen(name) : 0;
    return n > 0 && n < sizeof ((struct cli *)NULL)->login && strspn(name, LOGIN_CHARACTERS) == n;
}

static void login_from_uid(struct cli *c, unsigned long uid)
{
    const struct passwd *p = getpwuid((uid_t)uid);
    if (p != NULL && login_is_good(p->pw_name))
        snprintf(c->login, sizeof c->login, "%s", p->pw_name);
    else
        snprintf(c->login, sizeof c->login, "uid%lu", uid);
}

/* Who the audit shall name. The kernel keeps the uid that a session logged in with whatever it becomes later; where there
 * is none (no audit, a service), sudo's word is taken, which only root can forge, and root alone gets in. */
static void login_find(struct cli *c)
{
    int64_t uid = UINT32_MAX;
    char text[16] = "";
    FILE *f = fopen("/proc/self/loginuid", "re");
    if (f != NULL) {
        if (fgets(text, sizeof text, f) == NULL || text_to_number(text, 0, UINT32_MAX, &uid) != R_OK)
            uid = UINT32_MAX;
        fclose(f);
    }
    const char *sudo = getenv("SUDO_USER");
    if (uid != UINT32_MAX)
        login_from_uid(c, (unsigned long)uid);
    else if (login_is_good(sudo))
        snprintf(c->login, sizeof c->login, "%s", sudo);
    else
        login_from_uid(c, getuid());
}

/* One line: the result's sentence and what the place that refused has to say. */
static void refusal_say(const struct cli *c, enum result r)
{
    const char *detail = c->detail;
    if ((detail == NULL || *detail == '\0') && c->db != NULL)
        detail = *db_detail(c->db) != '\0' ? db_detail(c->db) : db_message(c->db);
    char line[LIMIT_DETAIL + 1];
    snprintf(line, sizeof line, "%s", detail != NULL ? detail : "");
    for (char *p = line; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' ';
    cli_say("%s%s%s", result_sentence(r), *line != '\0' ? " " : "", line);
}

static enum result run(struct cli *c)
{
    if (c->command->bare)
        return c->command->run(c);
    enum result r = conf_load(&c->conf, c->conf_path);
    if (r != R_OK)
        return cli_refuse(c, r, "%s", conf_error());
    login_find(c);
    r = c->command->run(c);
    if (fflush(stdout) != 0 && r == R_OK)
        r = cli_refuse(c, R_IO, "standard output");
    return r;
}

int main(int argc, char **argv)
{
    static struct cli c;
    int status = EXIT_DONE;
    log_open("chancery", LOG_LEVEL_INFO);
    log_to(-1);
    static char version[] = "version";
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        argv[1] = version;
    if (cli_parse(&c, argc, argv) != R_OK)
        return EXIT_WORDS;
    if (c.help) {
        cli_help(stdout, c.noun, c.command);
        return EXIT_DONE;
    }
    if (c.verbose)
        log_to(STDERR_FILENO);
    arena_init(&c.arena, COMMAND_MEMORY);
    enum result r = run(&c);
    if (r != R_OK) {
        if (!c.said)
            refusal_say(&c, r);
        status = EXIT_REFUSED;
    }
    db_close(c.db);
    conf_free(&c.conf);
    arena_free(&c.arena);
    return status;
}
