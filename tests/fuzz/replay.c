/*
 * replay: every fuzz target over files, without a fuzzing engine.
 *
 *   replay                      each target over its corpus ($srcdir/tests/fuzz/corpus/<target>), a TAP line each; for make check
 *   replay TARGET PATH ...      one target over files and directories, in this process: to look at a crash
 *
 * Each target has a process of its own, so that one that crashes or does not end is one failure with the name of the input, and a
 * leak is its target's.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "tests/fuzz/targets.h"

#define INPUT_SECONDS 30            /* for one input, on a machine with much else to do */

#define X(name, most, dictionary, what) int fuzz_##name(const uint8_t *data, size_t size);
FUZZ_TARGETS(X)
#undef X

static const struct target {
    const char *name, *what;
    int (*run)(const uint8_t *data, size_t size);
} targets[] = {
#define X(name, most, dictionary, what) {#name, what, fuzz_##name},
    FUZZ_TARGETS(X)
#undef X
};
#define TARGETS (sizeof targets / sizeof targets[0])

/* Shared with the parent: what was done last. */
static struct progress { size_t inputs; char file[4096]; } *progress;

static _Noreturn void give_up(const char *what, const char *path)
{
    fprintf(stderr, "replay: %s %s: %s\n", what, path, strerror(errno));
    exit(2);
}

/* In memory of exactly its size, so that the sanitizer sees a read beyond its end. */
static void file_run(const struct target *t, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        give_up("cannot open", path);
    size_t n = (size_t)st.st_size;
    uint8_t *data = malloc(n > 0 ? n : 1);
    if (data == NULL || read(fd, data, n) != st.st_size)
        give_up("cannot read", path);
    close(fd);
    snprintf(progress->file, sizeof progress->file, "%s", path);
    alarm(INPUT_SECONDS);
    t->run(data, n);
    alarm(0);
    progress->inputs++;
    free(data);
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void path_run(const struct target *t, const char *path)
{
    struct dirent **entries = NULL;
    char file[4096];
    int count = scandir(path, &entries, is_input, alphasort);
    if (count < 0 && errno == ENOTDIR) {
        file_run(t, path);
        return;
    }
    if (count < 0)
        give_up("cannot open", path);
    for (int i = 0; i < count; i++) {
        snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        free(entries[i]);
        file_run(t, file);
    }
    free(entries);
}

/* A TAP line; true where the target kept its promises on all of its corpus. */
static bool corpus_run(const struct target *t, size_t number, const char *corpus)
{
    char path[2048];
    int status = 0;

    snprintf(path, sizeof path, "%s/%s", corpus, t->name);
    *progress = (struct progress){0};
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        give_up("cannot fork for", t->name);
    if (child == 0) {
        path_run(t, path);
        exit(0);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    bool good = status == 0 && progress->inputs > 0;
    printf("%sok %zu - %s: %s, %zu inputs\n", good ? "" : "not ", number, t->name, t->what, progress->inputs);
    if (!good)
        printf("# status %d, the last input was %s\n", status, progress->file);
    return good;
}

int main(int argc, char **argv)
{
    char corpus[1024];
    const char *srcdir = getenv("srcdir");
    bool good = true;

    log_to(-1);
    progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == MAP_FAILED)
        give_up("no memory for", "progress");
    for (size_t i = 0; argc > 2 && i < TARGETS; i++)
        if (strcmp(targets[i].name, argv[1]) == 0) {
            for (int k = 2; k < argc; k++)
                path_run(&targets[i], argv[k]);
            printf("%zu inputs\n", progress->inputs);
            return 0;
        }
    if (argc > 1) {
        fprintf(stderr, "usage: replay [TARGET PATH ...]\n");
        return 2;
    }
    snprintf(corpus, sizeof corpus, "%s/tests/fuzz/corpus", srcdir != NULL ? srcdir : ".");
    printf("1..%zu\n", TARGETS);
    for (size_t i = 0; i < TARGETS; i++)
        good = corpus_run(&targets[i], i + 1, corpus) && good;
    return good ? 0 : 1;
}
