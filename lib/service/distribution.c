#include "lib/service/distribution.h"

#include <dirent.h>
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/codec/crl.h"

#define LOCK_NAME ".publisher.lock"
#define NAME_MOST 128               /* of a folder or a file: "<uuid>_v10000", "current.crl" */

/* What is known of a CRL file, and which file it was learned from. */
struct known {
    char path[2 * NAME_MOST];
    struct distribution_crl crl;
    struct stat seen;               /* st_ino 0: there was none */
    int64_t looked_ms;
};

struct distribution {
    int root, lock;
    void *known;                    /* of struct known, by path */
    char error[512];
};

struct distribution_file {
    struct distribution *d;
    const char *top;                /* "crl" or "ca" */
    char path[2 * NAME_MOST], name[NAME_MOST], aside[NAME_MOST + 32];
    int folder, fd;
    int64_t size;
};

static enum result fault(struct distribution *d, const char *what, const char *top, const char *path)
{
    snprintf(d->error, sizeof d->error, "%s %s/%s: %s", what, top, path, strerror(errno));
    return R_IO;
}

static enum result refuse(struct distribution *d, enum result r, const char *top, const char *path, const char *why)
{
    snprintf(d->error, sizeof d->error, "%s/%s: %s", top, path, why);
    return r;
}

const char *distribution_error(const struct distribution *d)
{
    return d->error;
}

/* ---- paths and folders ---- */

static size_t word_length(const char *s)
{
    return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-");
}

static bool path_is_good(const char *path)
{
    size_t folder = word_length(path), name, ending;
    if (folder == 0 || folder >= NAME_MOST || path[folder] != '/')
        return false;
    name = word_length(path + folder + 1);
    if (name == 0 || path[folder + 1 + name] != '.')
        return false;
    ending = word_length(path + folder + 1 + name + 1);
    return ending > 0 && name + 1 + ending < NAME_MOST && path[folder + 1 + name + 1 + ending] == '\0';
}

/* The folder of that name, made where it is missing. -1 with errno. */
static int folder_open(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    if (mkdirat(parent, name, 0755) != 0 && errno != EEXIST)
        return -1;
    if (fsync(parent) != 0)
        return -1;
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool name_is_aside(const char *name)
{
    size_t n = strlen(name);
    return name[0] == '.' && n > 5 && strcmp(name + n - 4, ".tmp") == 0;
}

/* Removes what a crash left in one folder. */
static void folder_clean(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        if (name_is_aside(e->d_name))
            (void)unlinkat(fd, e->d_name, 0);
    closedir(dir);
}

static enum result top_prepare(struct distribution *d, const char *top)
{
    int fd = folder_open(d->root, top);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        enum result r = fault(d, "open", top, "");
        if (fd >= 0)
            close(fd);
        return r;
    }
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.')
            folder_clean(fd, e->d_name);
    closedir(dir);
    return R_OK;
}

static enum result lock_take(struct distribution *d)
{
    d->lock = openat(d->root, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (d->lock < 0)
        return fault(d, "open", ".", LOCK_NAME);
    if (flock(d->lock, LOCK_EX | LOCK_NB) == 0)
        return R_OK;
    if (errno == EWOULDBLOCK)
        return refuse(d, R_BUSY, ".", LOCK_NAME, "another publisher writes here");
    return fault(d, "lock", ".", LOCK_NAME);
}

enum result distribution_open(const char *www_dir, struct distribution **out)
{
    struct distribution *d = calloc(1, sizeof *d);
    *out = NULL;
    if (d == NULL)
        return R_NO_MEMORY;
    d->lock = -1;
    d->root = open(www_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum result r = d->root < 0 ? fault(d, "open", ".", "") : lock_take(d);
    if (r == R_OK)
        r = top_prepare(d, "crl");
    if (r == R_OK)
        r = top_prepare(d, "ca");
    if (r == R_OK) {
        *out = d;
        return R_OK;
    }
    log_event(LOG_LEVEL_ERROR, "published-folder", LOG_TEXT("folder", www_dir), LOG_TEXT("error", d->error), LOG_RESULT(r));
    distribution_close(d);
    return r;
}

void distribution_close(struct distribution *d)
{
    if (d == NULL)
        return;
    tdestroy(d->known, free);
    if (d->lock >= 0)
        close(d->lock);
    if (d->root >= 0)
        close(d->root);
    free(d);
}

/* ---- reading ---- */

/* All of a regular file; *data is freed by the caller. R_NOT_FOUND where its size cannot be. */
static enum result content_read(int fd, const struct stat *st, uint8_t **data)
{
    size_t size = (size_t)st->st_size, have = 0;
    *data = NULL;
    if (!S_ISREG(st->st_mode) || st->st_size <= 0 || st->st_size > LIMIT_CRL_FILE)
        return R_NOT_FOUND;
    uint8_t *p = malloc(size);
    if (p == NULL)
        return R_NO_MEMORY;
    while (have < size) {
        ssize_t n = pread(fd, p + have, size - have, (off_t)have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = EIO;
            free(p);
            return R_IO;
        }
        have += (size_t)n;
    }
    *data = p;
    return R_OK;
}

static enum result crl_describe(struct bytes der, struct distribution_crl *out)
{
    struct arena a;
    struct crl crl;
    arena_init(&a, LIMIT_CERTIFICATE);
    enum result r = crl_decode(der, &a, &crl);
    if (r == R_OK) {
        out->number = crl.number;
        digest_sha256(der, out->sha256);
    }
    arena_free(&a);
    return r;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
        a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* What cannot be read counts as not there: then it is written anew. Memory running out says nothing about the file. */
static enum result known_read(struct known *k, int root)
{
    uint8_t *data = NULL;
    char path[sizeof k->path + 4];
    snprintf(path, sizeof path, "crl/%s", k->path);
    k->crl = (struct distribution_crl){0};
    int fd = openat(root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return R_OK;
    enum result r = fstat(fd, &k->seen) == 0 ? content_read(fd, &k->seen, &data) : R_IO;
    if (r == R_OK && crl_describe(BYTES(data, (size_t)k->seen.st_size), &k->crl) != R_OK)
        k->crl = (struct distribution_crl){0};
    free(data);
    close(fd);
    return r == R_NO_MEMORY ? r : R_OK;
}

static int known_compare(const void *a, const void *b)
{
    return strcmp(((const struct known *)a)->path, ((const struct known *)b)->path);
}

static struct known *known_find(struct distribution *d, const char *path)
{
    struct known *k = calloc(1, sizeof *k);
    if (k == NULL)
        return NULL;
    snprintf(k->path, sizeof k->path, "%s", path);
    k->looked_ms = INT64_MIN;
    struct known **node = tsearch(k, &d->known, known_compare);
    if (node == NULL || *node != k)
        free(k);
    return node == NULL ? NULL : *node;
}

static enum result known_look(struct distribution *d, const char *path, struct known **out)
{
    if (!path_is_good(path))
        return refuse(d, R_BAD_INPUT, "crl", path, "not a path of a published file");
    struct known *k = *out = known_find(d, path);
    if (k == NULL)
        return refuse(d, R_NO_MEMORY, "crl", path, "no memory");
    int64_t now = clock_monotonic_ms();
    if (k->looked_ms != INT64_MIN && now - k->looked_ms < DISTRIBUTION_LOOK_MS)
        return R_OK;
    bool first = k->looked_ms == INT64_MIN;
    char full[sizeof k->path + 4];
    struct stat st = {0};
    snprintf(full, sizeof full, "crl/%s", path);
    if (fstatat(d->root, full, &st, AT_SYMLINK_NOFOLLOW) != 0)
        st = (struct stat){0};
    if (first || !same_file(&st, &k->seen)) {
        k->seen = st;
        if (known_read(k, d->root) != R_OK) {
            k->looked_ms = INT64_MIN;
            return refuse(d, R_NO_MEMORY, "crl", path, "no memory");
        }
    }
    k->looked_ms = now;
    return R_OK;
}

enum result distribution_crl_look(struct distribution *d, const char *path, struct distribution_crl *out)
{
    struct known *k;
    enum result r = known_look(d, path, &k);
    if (r == R_OK)
        *out = k->crl;
    return r;
}

/* ---- writing ---- */

static void file_free(struct distribution_file *f, bool remove)
{
    if (f == NULL)
        return;
    if (f->fd >= 0)
        close(f->fd);
    if (f->folder >= 0) {
        if (remove && f->fd >= 0)
            (void)unlinkat(f->folder, f->aside, 0);
        close(f->folder);
    }
    free(f);
}

static enum result file_begin(struct distribution *d, const char *top, const char *path, struct distribution_file **out)
{
    *out = NULL;
    if (!path_is_good(path))
        return refuse(d, R_BAD_INPUT, top, path, "not a path of a published file");
    struct distribution_file *f = calloc(1, sizeof *f);
    if (f == NULL)
        return refuse(d, R_NO_MEMORY, top, path, "no memory");
    char folder[NAME_MOST];
    const char *slash = strchr(path, '/');
    *f = (struct distribution_file){.d = d, .top = top, .folder = -1, .fd = -1};
    snprintf(f->path, sizeof f->path, "%s", path);
    snprintf(f->name, sizeof f->name, "%s", slash + 1);
    snprintf(f->aside, sizeof f->aside, ".%s.%ld.tmp", f->name, (long)getpid());
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    int parent = folder_open(d->root, top);
    if (parent >= 0) {
        f->folder = folder_open(parent, folder);
        int saved = errno;
        close(parent);
        errno = saved;
    }
    if (f->folder >= 0) {
        (void)unlinkat(f->folder, f->aside, 0);
        f->fd = openat(f->folder, f->aside, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    }
    if (f->fd < 0) {
        enum result r = fault(d, "open", top, path);
        file_free(f, true);
        return r;
    }
    *out = f;
    return R_OK;
}

static enum result file_write(struct distribution_file *f, struct bytes part)
{
    while (part.n > 0) {
        ssize_t n = write(f->fd, part.p, part.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fault(f->d, "write", f->top, f->path);
        part = BYTES(part.p + n, part.n - (size_t)n);
        f->size += n;
    }
    return R_OK;
}

/* What is on the disk now, read back, and what is known of it. *data is freed by the caller. */
static enum result file_sync(struct distribution_file *f, struct stat *st, uint8_t **data)
{
    *data = NULL;
    if (fchmod(f->fd, 0644) != 0 || fsync(f->fd) != 0)
        return fault(f->d, "sync", f->top, f->path);
    if (fstat(f->fd, st) != 0)
        return fault(f->d, "read back", f->top, f->path);
    if (st->st_size != f->size)
        return refuse(f->d, R_IO, f->top, f->path, "another size than was written came back");
    enum result r = content_read(f->fd, st, data);
    if (r == R_IO)
        return fault(f->d, "read back", f->top, f->path);
    return r == R_OK ? R_OK : refuse(f->d, r == R_NOT_FOUND ? R_TOO_LARGE : r, f->top, f->path, "empty, too large, or no memory");
}

static enum result file_rename(struct distribution_file *f)
{
    if (renameat(f->folder, f->aside, f->folder, f->name) != 0)
        return fault(f->d, "rename", f->top, f->path);
    if (fsync(f->folder) != 0)
        return fault(f->d, "sync the folder of", f->top, f->path);
    return R_OK;
}

enum result distribution_crl_begin(struct distribution *d, const char *path, struct distribution_file **out)
{
    return file_begin(d, "crl", path, out);
}

enum result distribution_crl_write(struct distribution_file *f, struct bytes part)
{
    return file_write(f, part);
}

void distribution_crl_abort(struct distribution_file *f)
{
    file_free(f, true);
}

enum result distribution_crl_finish(struct distribution_file *f, int64_t number, int64_t size, const uint8_t sha256[32])
{
    struct distribution *d = f->d;
    struct distribution_crl made = {0};
    struct known *k = NULL;
    struct stat st;
    uint8_t *data = NULL;
    enum result r = file_sync(f, &st, &data);
    if (r == R_OK && (st.st_size != size || crl_describe(BYTES(data, (size_t)st.st_size), &made) != R_OK))
        r = refuse(d, R_BAD_INPUT, "crl", f->path, "not a CRL, or of another size");
    free(data);
    if (r == R_OK && (made.number != number || memcmp(made.sha256, sha256, sizeof made.sha256) != 0))
        r = refuse(d, R_BAD_INPUT, "crl", f->path, "another number or SHA-256 than the database says");
    if (r == R_OK)
        r = known_look(d, f->path, &k);
    if (r == R_OK && (k->crl.number > number || (k->crl.number == number && memcmp(k->crl.sha256, sha256, 32) == 0)))
        r = refuse(d, R_STALE, "crl", f->path, "the published file has this or a higher number");
    if (r == R_OK) {
        r = file_rename(f);
        /* The rename may have been done although it was not synced: the next look tells. */
        k->looked_ms = INT64_MIN;
    }
    if (r == R_OK) {
        k->crl = made;
        k->seen = st;
        k->looked_ms = clock_monotonic_ms();
    }
    file_free(f, r != R_OK);
    return r;
}

static bool ca_is_there(struct distribution *d, const char *path, struct bytes certificate)
{
    char full[2 * NAME_MOST + 4];
    struct stat st;
    uint8_t *data = NULL;
    snprintf(full, sizeof full, "ca/%s", path);
    int fd = openat(d->root, full, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool same = fstat(fd, &st) == 0 && st.st_size == (off_t)certificate.n && content_read(fd, &st, &data) == R_OK &&
        bytes_equal(BYTES(data, certificate.n), certificate);
    free(data);
    close(fd);
    return same;
}

enum result distribution_ca_put(struct distribution *d, const char *path, struct bytes certificate, bool *changed)
{
    struct distribution_file *f = NULL;
    struct stat st;
    uint8_t *data = NULL;
    *changed = false;
    if (path_is_good(path) && ca_is_there(d, path, certificate))
        return R_OK;
    enum result r = file_begin(d, "ca", path, &f);
    if (r == R_OK)
        r = file_write(f, certificate);
    if (r == R_OK)
        r = file_sync(f, &st, &data);
    if (r == R_OK && !bytes_equal(BYTES(data, (size_t)st.st_size), certificate))
        r = refuse(d, R_BAD_INPUT, "ca", path, "another content than was written came back");
    if (r == R_OK)
        r = file_rename(f);
    free(data);
    file_free(f, r != R_OK);
    *changed = r == R_OK;
    return r;
}
