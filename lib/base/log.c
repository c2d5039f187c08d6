#include "lib/base/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/text.h"

static const char *const level_names[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_NOTICE] = "notice",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_ERROR] = "error",
};
#define LEVELS (sizeof level_names / sizeof level_names[0])

static struct {
    const char *program;
    enum log_level least;
    int fd;
    const char *context_key;
    struct bytes context;
} logger = {.program = "chancery", .least = LOG_LEVEL_INFO, .fd = STDERR_FILENO};

/* Longest that a field's value is written: quotes, value, "...". A field that does not fit whole is left out. */
#define VALUE_ROOM (LIMIT_LOG_VALUE + 5)
#define CUT "..."

struct line {
    char text[LIMIT_LOG_LINE];
    size_t n;
    bool full;
};

void log_open(const char *program, enum log_level least)
{
    logger.program = program;
    logger.least = least;
}

void log_to(int fd)
{
    logger.fd = fd;
}

void log_context(const char *key, struct bytes value)
{
    logger.context_key = key;
    logger.context = key ? value : BYTES_NONE;
}

enum result log_level_from_name(const char *name, enum log_level *out)
{
    for (size_t i = 0; i < LEVELS; i++)
        if (strcmp(level_names[i], name) == 0) {
            *out = (enum log_level)i;
            return R_OK;
        }
    return R_BAD_INPUT;
}

static bool is_bare(uint8_t c)
{
    bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return letter || (c >= '0' && c <= '9') || (c != '\0' && strchr("._:/@+,-", c));
}

static bool all_bare(struct bytes v)
{
    for (size_t i = 0; i < v.n; i++)
        if (!is_bare(v.p[i]))
            return false;
    return v.n > 0;
}

/* One character of a value, or one byte that is none, as it is written; returns the bytes read, *n the bytes written. */
static size_t escape(struct bytes v, char out[16], size_t *n)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t code = 0;
    size_t length = text_utf8_next(v.p, v.n, &code);
    for (const char *pair = "\"\"\\\\\nn\rr\tt"; length == 1 && *pair; pair += 2)
        if (code == (uint8_t)pair[0]) {
            out[0] = '\\';
            out[1] = pair[1];
            *n = 2;
            return 1;
        }
    if (length > 0 && !text_is_control(code)) {
        memcpy(out, v.p, length);
        *n = length;
        return length;
    }
    size_t take = length > 0 ? length : 1;
    for (size_t i = 0; i < take; i++)
        memcpy(out + 4 * i, (char[]){'\\', 'x', digits[v.p[i] >> 4], digits[v.p[i] & 15]}, 4);
    *n = 4 * take;
    return take;
}

static size_t value_write(char out[VALUE_ROOM], struct bytes v)
{
    bool bare = all_bare(v);
    size_t n = 0, kept = 0;
    if (!bare)
        out[n++] = '"';
    while (v.n > 0) {
        char piece[16];
        size_t size, taken = escape(v, piece, &size);
        if (kept + size > LIMIT_LOG_VALUE) {
            memcpy(out + n, CUT, strlen(CUT));
            n += strlen(CUT);
            break;
        }
        memcpy(out + n, piece, size);
        n += size;
        kept += size;
        v = (struct bytes){v.p + taken, v.n - taken};
    }
    if (!bare)
        out[n++] = '"';
    return n;
}

/* " key=value", whole or not at all: room stays for the mark of a cut line and the newline. */
static void line_field(struct line *l, const char *key, struct bytes value)
{
    char text[VALUE_ROOM];
    size_t n = value_write(text, value), key_length = strlen(key);
    if (l->full || key_length + n + 2 > sizeof l->text - l->n - sizeof " " CUT) {
        l->full = true;
        return;
    }
    if (l->n > 0)
        l->text[l->n++] = ' ';
    memcpy(l->text + l->n, key, key_length);
    l->n += key_length;
    l->text[l->n++] = '=';
    memcpy(l->text + l->n, text, n);
    l->n += n;
}

static void line_text(struct line *l, const char *key, const char *value)
{
    line_field(l, key, bytes_of_text(value ? value : "-"));
}

static void line_number(struct line *l, const char *key, int64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t v = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do
        digits[--at] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    if (value < 0)
        digits[--at] = '-';
    line_field(l, key, BYTES(digits + at, sizeof digits - at));
}

static void line_hex(struct line *l, const char *key, struct bytes value)
{
    /* One byte more than is kept, so that what is longer shows as cut. */
    char digits[2 * (LIMIT_LOG_VALUE / 2 + 1) + 1];
    size_t n = value.n > LIMIT_LOG_VALUE / 2 ? LIMIT_LOG_VALUE / 2 + 1 : value.n;
    hex_encode(digits, value.p, n);
    line_field(l, key, BYTES(digits, 2 * n));
}

static void line_time(struct line *l)
{
    int64_t ms = clock_wall_ms();
    char iso[CLOCK_ISO_SIZE + 4];
    clock_to_iso(ms / 1000, iso);
    int part = (int)(ms % 1000);
    size_t at = strlen(iso) - 1;
    memcpy(iso + at, (char[]){'.', (char)('0' + part / 100), (char)('0' + part / 10 % 10), (char)('0' + part % 10), 'Z'}, 5);
    line_field(l, "time", BYTES(iso, at + 5));
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    if (logger.fd < 0 || level < logger.least || (size_t)level >= LEVELS)
        return;
    int saved = errno;      /* the caller may still want to report it */
    struct line l = {.n = 0};
    line_time(&l);
    line_text(&l, "level", level_names[level]);
    line_text(&l, "program", logger.program);
    line_number(&l, "pid", getpid());
    if (logger.context_key)
        line_field(&l, logger.context_key, logger.context);
    line_text(&l, "event", event);
    for (const struct log_field *f = fields; f && f->key; f++) {
        switch (f->kind) {
        case LOG_FIELD_TEXT: line_text(&l, f->key, f->as.text); break;
        case LOG_FIELD_NUMBER: line_number(&l, f->key, f->as.number); break;
        case LOG_FIELD_HEX: line_hex(&l, f->key, f->as.bytes); break;
        case LOG_FIELD_BYTES: line_field(&l, f->key, f->as.bytes); break;
        }
    }
    if (l.full) {
        memcpy(l.text + l.n, " " CUT, strlen(" " CUT));
        l.n += strlen(" " CUT);
    }
    l.text[l.n++] = '\n';
    /* A line that cannot be written is lost: logging must not stop the work. */
    while (write(logger.fd, l.text, l.n) < 0 && errno == EINTR)
        ;
    errno = saved;
}
