#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"

static int ends[2];
static char line[LIMIT_LOG_LINE + 1];

/* Log lines go into a pipe; what comes out is without its beginning (time, level, program, pid). */
static void open_log(void)
{
    cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
    log_to(ends[1]);
    log_open("test", LOG_LEVEL_DEBUG);
}

static const char *next_line(void)
{
    ssize_t n = read(ends[0], line, sizeof line - 1);
    line[n > 0 ? n : 0] = '\0';
    const char *pid = strstr(line, " pid=");
    return pid ? strchr(pid + 1, ' ') + 1 : line;
}

Test(log, values, .init = open_log)
{
    static const struct { const char *p; size_t n; const char *written, *why; } cases[] = {
        {"plain", 5, "plain", "a word is bare"},
        {"a.b:c/d@e,f+g-h_9", 17, "a.b:c/d@e,f+g-h_9", "so are these signs"},
        {"", 0, "\"\"", "nothing"},
        {"two words", 9, "\"two words\"", "a space needs quotes"},
        {"a=b", 3, "\"a=b\"", "an equals sign could forge a field"},
        {"say \"x\"", 7, "\"say \\\"x\\\"\"", "quotes"},
        {"C:\\dir", 6, "\"C:\\\\dir\"", "a backslash"},
        {"a\nevent=forged", 14, "\"a\\nevent=forged\"", "a line feed cannot begin a line"},
        {"\r\t", 2, "\"\\r\\t\"", "carriage return and tab"},
        {"nrt\"", 4, "\"nrt\\\"\"", "letters of escapes are letters"},
        {"\x1B[31m", 5, "\"\\x1b[31m\"", "a terminal's escape sequence"},
        {"a\0b", 3, "\"a\\x00b\"", "NUL"},
        {"\x7F", 1, "\"\\x7f\"", "DEL"},
        {"\xC2\x85", 2, "\"\\xc2\\x85\"", "a C1 control character"},
        {"\xE2\x80\xA8", 3, "\"\\xe2\\x80\\xa8\"", "a line separator"},
        {"\xC3\xA4", 2, "\"\xC3\xA4\"", "a letter outside ASCII stays"},
        {"\xFF" "a", 2, "\"\\xffa\"", "a byte that is not UTF-8"},
        {"\xC3", 1, "\"\\xc3\"", "a cut character"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char wanted[128];
        snprintf(wanted, sizeof wanted, "event=e v=%s\n", cases[i].written);
        log_event(LOG_LEVEL_INFO, "e", LOG_BYTES("v", BYTES(cases[i].p, cases[i].n)));
        cr_expect_str_eq(next_line(), wanted, "%s", cases[i].why);
    }
}

Test(log, kinds, .init = open_log)
{
    log_event(LOG_LEVEL_NOTICE, "e");
    cr_expect_str_eq(next_line(), "event=e\n");
    log_event(LOG_LEVEL_NOTICE, "e", LOG_TEXT("a", NULL), LOG_NUM("b", -9), LOG_NUM("c", INT64_MIN), LOG_NUM("d", INT64_MAX),
              LOG_HEX("e", BYTES("\x00\xAB", 2)), LOG_RESULT(R_CHALLENGE_EXPIRED));
    cr_expect_str_eq(next_line(),
                     "event=e a=- b=-9 c=-9223372036854775808 d=9223372036854775807 e=00ab reason=ChallengeExpired\n");
    errno = EBADMSG;
    log_event(LOG_LEVEL_ERROR, "e");
    cr_expect_eq(errno, EBADMSG, "logging leaves errno alone");
    next_line();
    cr_expect_eq(strncmp(line + 4, "=20", 3), 0, "a line begins with its time");
    cr_expect_not_null(strstr(line, "Z level=error program=test pid="));
}

Test(log, context_and_level, .init = open_log)
{
    log_context("txn", bytes_of_text("a b"));
    log_event(LOG_LEVEL_INFO, "e");
    cr_expect_str_eq(next_line(), "txn=\"a b\" event=e\n", "each line of a request carries it");
    log_context(NULL, BYTES_NONE);
    log_event(LOG_LEVEL_INFO, "e");
    cr_expect_str_eq(next_line(), "event=e\n");
    log_open("test", LOG_LEVEL_WARNING);
    log_event(LOG_LEVEL_NOTICE, "e");
    cr_expect_str_eq(next_line(), "", "below the least level nothing is written");
    log_event(LOG_LEVEL_WARNING, "e");
    cr_expect_str_eq(next_line(), "event=e\n");
    log_to(-1);
    log_event(LOG_LEVEL_ERROR, "e");
    cr_expect_str_eq(next_line(), "");

    enum log_level level = LOG_LEVEL_DEBUG;
    cr_expect(log_level_from_name("warning", &level) == R_OK && level == LOG_LEVEL_WARNING);
    cr_expect_eq(log_level_from_name("Warning", &level), R_BAD_INPUT);
    cr_expect_eq(log_level_from_name("", &level), R_BAD_INPUT);
}

Test(log, long_values_are_cut, .init = open_log)
{
    static const struct { const char *unit; size_t units; size_t written; bool cut; const char *why; } cases[] = {
        {"a", LIMIT_LOG_VALUE, LIMIT_LOG_VALUE, false, "exactly the limit"},
        {"a", LIMIT_LOG_VALUE + 1, LIMIT_LOG_VALUE, true, "one byte more"},
        {"\xE2\x82\xAC", LIMIT_LOG_VALUE, LIMIT_LOG_VALUE / 3 * 3, true, "no character is cut in two"},
        {"\x01", LIMIT_LOG_VALUE, LIMIT_LOG_VALUE / 4 * 4, true, "escapes count as they are written, and stay whole"},
        {"a", 100000, LIMIT_LOG_VALUE, true, "a flood"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t unit = strlen(cases[i].unit), n = unit * cases[i].units;
        char *text = malloc(n);
        for (size_t at = 0; at < n; at++)
            text[at] = cases[i].unit[at % unit];
        log_event(LOG_LEVEL_INFO, "e", LOG_BYTES("v", BYTES(text, n)));
        const char *value = next_line() + strlen("event=e v=");
        size_t quotes = *value == '"' ? 2 : 0;
        cr_expect_eq(strlen(value), cases[i].written + quotes + (cases[i].cut ? 3 : 0) + 1, "%s", cases[i].why);
        cr_expect_eq(strstr(value, "...") != NULL, cases[i].cut, "%s", cases[i].why);
        free(text);
    }
    static uint8_t many[4096];
    log_event(LOG_LEVEL_INFO, "e", LOG_HEX("v", BYTES(many, LIMIT_LOG_VALUE / 2)));
    cr_expect_null(strstr(next_line(), "..."));
    log_event(LOG_LEVEL_INFO, "e", LOG_HEX("v", BYTES(many, sizeof many)));
    cr_expect_not_null(strstr(next_line(), "0..."), "hexadecimal is cut as well");
}

Test(log, long_lines_end_well, .init = open_log)
{
    static char text[LIMIT_LOG_VALUE];
    memset(text, 'x', sizeof text);
    struct bytes b = BYTES(text, sizeof text);
    log_event(LOG_LEVEL_INFO, "e", LOG_BYTES("a", b), LOG_BYTES("b", b), LOG_BYTES("c", b), LOG_BYTES("d", b), LOG_BYTES("e", b),
              LOG_BYTES("f", b), LOG_BYTES("g", b), LOG_BYTES("h", b), LOG_BYTES("i", b), LOG_NUM("j", 1));
    next_line();
    size_t n = strlen(line);
    cr_expect(n <= LIMIT_LOG_LINE, "a line has a limit");
    cr_expect_eq(strchr(line, '\n'), line + n - 1, "and is one line");
    cr_expect_str_eq(line + n - 5, " ...\n", "which says that it is cut");
    cr_expect_null(strstr(line, " j=1"), "nothing follows what did not fit");
    cr_expect_eq(read(ends[0], line, 1), -1, "one write a line");
}
