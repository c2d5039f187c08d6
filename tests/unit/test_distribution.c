#include "lib/service/distribution.h"

#include <criterion/criterion.h>

#include <dirent.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "lib/base/log.h"
#include "lib/codec/crl.h"

#define FOLDER "0b5f1c7e-8f7b-4c7e-9d53-1f2a3b4c5d6e_v1"
#define PATH FOLDER "/current.crl"
#define FILE_PATH "crl/" PATH
#define LIMIT 1048576
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct arena arena;
static char top[64];
static struct distribution *d;

/* Signed by nobody: the folder's keeper looks at the form, who relies on it at the signature. */
static struct bytes crl_of(int64_t number, int entries)
{
    static const uint8_t signature[256] = {1}, aki[20] = {2}, issuer[] = {0x30, 0x0d, 0x31, 0x0b, 0x30, 0x09, 6, 3, 0x55, 4, 3,
        0x0c, 2, 'c', 'a'};
    struct crl_content c = {.hash = HASH_SHA256, .issuer = BYTES(issuer, sizeof issuer), .this_update = 1795359845,
        .next_update = 1795964645, .number = number, .aki = BYTES(aki, sizeof aki)};
    struct buf list, head, tail, out;
    struct bytes algorithm = hash_rsa_algorithm(HASH_SHA256);
    buf_init(&list, LIMIT);
    buf_init(&head, LIMIT);
    buf_init(&tail, LIMIT);
    buf_init(&out, LIMIT);
    for (int i = 0; i < entries; i++) {
        uint8_t serial[16] = {0x10, 1, 2, (uint8_t)(i >> 8), (uint8_t)i, 7};
        crl_entry_encode(&(struct crl_entry){BYTES(serial, sizeof serial), 1795359000, 1, 0}, &list);
    }
    cr_assert_eq(crl_head(&c, list.n, &head, &tail), R_OK);
    crl_wrap_head(head.n + list.n + tail.n, algorithm, sizeof signature, &out);
    buf_append(&out, head.p, head.n);
    buf_append(&out, list.p, list.n);
    buf_append(&out, tail.p, tail.n);
    crl_wrap_tail(algorithm, BYTES(signature, sizeof signature), &out);
    struct bytes made = arena_bytes(&arena, buf_bytes(&out));
    cr_assert_not_null(made.p);
    buf_free(&list);
    buf_free(&head);
    buf_free(&tail);
    buf_free(&out);
    return made;
}

static const char *below(const char *path)
{
    return arena_printf(&arena, "%s/%s", top, path);
}

static struct bytes content_of(const char *path)
{
    uint8_t *p = arena_alloc(&arena, LIMIT);
    FILE *f = fopen(below(path), "r");
    if (f == NULL)
        return BYTES_NONE;
    size_t n = fread(p, 1, LIMIT, f);
    fclose(f);
    return BYTES(p, n);
}

static void put(const char *path, struct bytes content)
{
    FILE *f = fopen(below(path), "w");
    cr_assert_not_null(f, "%s", path);
    cr_assert_eq(fwrite(content.p, 1, content.n, f), content.n);
    fclose(f);
}

/* Files in a folder; those with a dot first are what a failure or a crash left. */
static int count_in(const char *path, bool hidden)
{
    int n = 0;
    DIR *dir = opendir(below(path));
    cr_assert_not_null(dir, "%s", path);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            n += (e->d_name[0] == '.') == hidden;
    closedir(dir);
    return n;
}

static void reopen(void)
{
    distribution_close(d);
    cr_assert_eq(distribution_open(top, &d), R_OK);
}

static int64_t looked(const char *path)
{
    struct distribution_crl have = {.number = -1};
    cr_assert_eq(distribution_crl_look(d, path, &have), R_OK);
    return have.number;
}

/* In parts of 1,000 bytes; size and number as the database would claim them. */
static enum result write_as(struct bytes crl, int64_t number, int64_t size, const uint8_t sha256[32])
{
    struct distribution_file *f;
    enum result r = distribution_crl_begin(d, PATH, &f);
    for (size_t at = 0; r == R_OK && at < crl.n; at += 1000)
        r = distribution_crl_write(f, BYTES(crl.p + at, crl.n - at < 1000 ? crl.n - at : 1000));
    if (r == R_OK)
        return distribution_crl_finish(f, number, size, sha256);
    distribution_crl_abort(f);
    return r;
}

static enum result write_crl(struct bytes crl, int64_t number)
{
    uint8_t sha256[32];
    digest_sha256(crl, sha256);
    return write_as(crl, number, (int64_t)crl.n, sha256);
}

static void setup(void)
{
    log_to(-1);
    umask(022);
    arena_init(&arena, 64 * LIMIT);
    snprintf(top, sizeof top, "/tmp/chancery-distribution.XXXXXX");
    cr_assert_not_null(mkdtemp(top));
    cr_assert_eq(distribution_open(top, &d), R_OK);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static void teardown(void)
{
    distribution_close(d);
    nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    arena_free(&arena);
}

TestSuite(distribution, .init = setup, .fini = teardown);

Test(distribution, a_crl_appears_whole)
{
    struct bytes first = crl_of(1000, 3), second = crl_of(1001, 500);
    struct stat st;
    cr_expect_eq(looked(PATH), 0, "nothing there yet");
    cr_assert_eq(write_crl(first, 1000), R_OK, "%s", distribution_error(d));
    cr_expect(bytes_equal(content_of(FILE_PATH), first));
    cr_assert_eq(write_crl(second, 1001), R_OK, "%s", distribution_error(d));
    cr_expect(bytes_equal(content_of(FILE_PATH), second));
    cr_expect_eq(looked(PATH), 1001);
    cr_expect_eq(count_in("crl/" FOLDER, true), 0);
    cr_expect_eq(stat(below(FILE_PATH), &st), 0);
    cr_expect_eq(st.st_mode & 07777, 0644);
    cr_expect_eq(stat(below("crl/" FOLDER), &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0755);
    reopen();
    cr_expect_eq(looked(PATH), 1001, "learned from the file");
}

Test(distribution, what_is_not_the_crl_that_was_meant_is_refused)
{
    static const struct { const char *why; int64_t made, claimed; int size, hash, cut; enum result result; } cases[] = {
        {"a lower number than the file that stands", 999, 999, 0, 0, 0, R_STALE},
        {"the file that stands again", 1000, 1000, 0, 0, 0, R_STALE},
        {"another number inside", 1001, 1002, 0, 0, 0, R_BAD_INPUT},
        {"a byte more was announced", 1001, 1001, 1, 0, 0, R_BAD_INPUT},
        {"another SHA-256 was announced", 1001, 1001, 0, 1, 0, R_BAD_INPUT},
        {"the end is missing", 1001, 1001, 0, 0, 1, R_BAD_INPUT},
    };
    struct bytes old = crl_of(1000, 3);
    cr_assert_eq(write_crl(old, 1000), R_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes crl = crl_of(cases[i].made, 3);
        uint8_t sha256[32];
        crl.n -= (size_t)cases[i].cut;
        digest_sha256(crl, sha256);
        sha256[31] ^= (uint8_t)cases[i].hash;
        cr_expect_eq(write_as(crl, cases[i].claimed, (int64_t)crl.n + cases[i].size, sha256), cases[i].result, "%s: %s",
                     cases[i].why, distribution_error(d));
        cr_expect(bytes_equal(content_of(FILE_PATH), old), "%s", cases[i].why);
        cr_expect_eq(count_in("crl/" FOLDER, true), 0, "%s", cases[i].why);
        cr_expect_eq(looked(PATH), 1000, "%s", cases[i].why);
    }
    cr_expect_eq(write_as(BYTES("", 0), 1001, 0, (const uint8_t[32]){0}), R_TOO_LARGE, "nothing at all");
    cr_expect(bytes_equal(content_of(FILE_PATH), old));
}

Test(distribution, a_damaged_file_counts_as_none)
{
    static const struct { const char *why; size_t keep; bool link; } cases[] = {
        {"empty", 0, false},
        {"cut", 200, false},
        {"a symbolic link to somewhere else", 0, true},
    };
    struct bytes crl = crl_of(1000, 3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_eq(write_crl(crl, 1000), R_OK, "%s: %s", cases[i].why, distribution_error(d));
        put(FILE_PATH, BYTES(crl.p, cases[i].keep));
        if (cases[i].link) {
            put("elsewhere", crl);
            cr_assert_eq(unlink(below(FILE_PATH)), 0);
            cr_assert_eq(symlink(below("elsewhere"), below(FILE_PATH)), 0);
        }
        reopen();
        cr_expect_eq(looked(PATH), 0, "%s", cases[i].why);
        cr_expect_eq(write_crl(crl, 1000), R_OK, "%s: %s", cases[i].why, distribution_error(d));
        cr_expect(bytes_equal(content_of(FILE_PATH), crl), "%s", cases[i].why);
        cr_assert_eq(unlink(below(FILE_PATH)), 0);
        reopen();
    }
    struct bytes other = crl_of(1000, 4);
    cr_assert_eq(write_crl(crl, 1000), R_OK);
    cr_expect_eq(write_crl(other, 1000), R_OK, "the same number, but another content than the database has");
    cr_expect(bytes_equal(content_of(FILE_PATH), other));
}

Test(distribution, a_file_size_limit_leaves_the_old_file)
{
    struct bytes old = crl_of(1000, 3), new = crl_of(1001, 900);
    struct rlimit limit = {8192, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(write_crl(old, 1000), R_OK);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_expect_eq(write_crl(new, 1001), R_IO);
    cr_expect_not_null(strstr(distribution_error(d), "write crl/" PATH ": File too large"), "%s", distribution_error(d));
    limit.rlim_cur = RLIM_INFINITY;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_expect(bytes_equal(content_of(FILE_PATH), old));
    cr_expect_eq(count_in("crl/" FOLDER, true), 0);
    cr_expect_eq(write_crl(new, 1001), R_OK, "there is room again: %s", distribution_error(d));
    cr_expect(bytes_equal(content_of(FILE_PATH), new));
}

Test(distribution, a_full_disk_leaves_the_old_file)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        cr_skip_test("no mount namespace for this user");
    distribution_close(d);
    cr_assert_eq(mount("none", top, "tmpfs", 0, "size=64k,mode=755"), 0);
    cr_assert_eq(distribution_open(top, &d), R_OK);
    struct bytes old = crl_of(1000, 3), new = crl_of(1001, 900);
    char filler[32768] = {0};
    cr_assert_eq(write_crl(old, 1000), R_OK);
    put("filler", BYTES(filler, sizeof filler));
    cr_expect_eq(write_crl(new, 1001), R_IO);
    cr_expect_not_null(strstr(distribution_error(d), "No space left on device"), "%s", distribution_error(d));
    cr_expect(bytes_equal(content_of(FILE_PATH), old));
    cr_expect_eq(count_in("crl/" FOLDER, true), 0);
    cr_assert_eq(unlink(below("filler")), 0);
    cr_expect_eq(write_crl(new, 1001), R_OK, "there is room again: %s", distribution_error(d));
    cr_expect(bytes_equal(content_of(FILE_PATH), new));
    distribution_close(d);
    d = NULL;
    cr_expect_eq(umount(top), 0);
}

Test(distribution, what_a_crash_left_is_removed_at_the_start)
{
    bool changed;
    cr_assert_eq(write_crl(crl_of(1000, 3), 1000), R_OK);
    cr_assert_eq(distribution_ca_put(d, FOLDER "/cert.cer", bytes_of_text("certificate"), &changed), R_OK);
    put("crl/" FOLDER "/.current.crl.17.tmp", bytes_of_text("half"));
    put("ca/" FOLDER "/.cert.cer.17.tmp", bytes_of_text("half"));
    put("ca/" FOLDER "/notes.txt", bytes_of_text("somebody's"));
    reopen();
    cr_expect_eq(count_in("crl/" FOLDER, true), 0);
    cr_expect_eq(count_in("ca/" FOLDER, true), 0);
    cr_expect_eq(count_in("crl/" FOLDER, false), 1);
    cr_expect_eq(count_in("ca/" FOLDER, false), 2);
}

Test(distribution, one_publisher_a_folder)
{
    struct distribution *second;
    cr_expect_eq(distribution_open(top, &second), R_BUSY);
    cr_expect_null(second);
    distribution_close(d);
    cr_expect_eq(distribution_open(top, &d), R_OK, "the lock ends with its holder");
    cr_expect_eq(distribution_open(below("missing"), &second), R_IO);
}

Test(distribution, paths_stay_below)
{
    static const struct { const char *path, *why; } cases[] = {
        {"", "empty"},
        {"current.crl", "no folder"},
        {"/current.crl", "an empty folder"},
        {"../current.crl", "a folder above"},
        {"a/../b.crl", "three parts"},
        {"a/.crl", "a hidden file"},
        {"a/b", "no ending"},
        {"a/b.", "an empty ending"},
        {"a/b.crl.tmp", "two dots"},
        {"a/b.crl/", "a slash at the end"},
        {"A/b.crl", "a capital"},
        {"a/b c.crl", "a space"},
        {"a/" B64 B64 ".crl", "too long"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct distribution_file *f;
        struct distribution_crl have;
        bool changed;
        cr_expect_eq(distribution_crl_look(d, cases[i].path, &have), R_BAD_INPUT, "%s", cases[i].why);
        cr_expect_eq(distribution_crl_begin(d, cases[i].path, &f), R_BAD_INPUT, "%s", cases[i].why);
        cr_expect_eq(distribution_ca_put(d, cases[i].path, bytes_of_text("x"), &changed), R_BAD_INPUT, "%s", cases[i].why);
    }
    cr_expect_eq(count_in("crl", false), 0);
    cr_expect_eq(count_in("ca", false), 0);
}

Test(distribution, a_ca_certificate_is_written_when_it_differs)
{
    static const struct { const char *content; bool changed; const char *why; } cases[] = {
        {"certificate one", true, "new"},
        {"certificate one", false, "as it is"},
        {"certificate two", true, "of the same length"},
        {"certificate", true, "shorter"},
    };
    const char *path = FOLDER "/cert.cer";
    bool changed;
    struct stat st;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect_eq(distribution_ca_put(d, path, bytes_of_text(cases[i].content), &changed), R_OK, "%s: %s", cases[i].why,
                     distribution_error(d));
        cr_expect_eq(changed, cases[i].changed, "%s", cases[i].why);
        cr_expect(bytes_equal(content_of("ca/" FOLDER "/cert.cer"), bytes_of_text(cases[i].content)), "%s", cases[i].why);
    }
    cr_expect_eq(stat(below("ca/" FOLDER "/cert.cer"), &st), 0);
    cr_expect_eq(st.st_mode & 07777, 0644);
    cr_expect_eq(count_in("ca/" FOLDER, true), 0);
}
