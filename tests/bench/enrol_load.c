/*
 * enrol_load: enrols many devices over SCEP, each with a key of its own, and says what it cost.
 *
 *   enrol_load HOST PORT PATH RA.der CHALLENGES PIDS COUNT CONNECTIONS...
 *
 * CHALLENGES has a line a device: name, subject, challenge, tab-separated (chancery challenge create --all). PIDS is the supervisor's file of
 * name=pid words. For each number of CONNECTIONS, COUNT devices enrol. All messages are made before the clock starts; replies are opened after it
 * has stopped. In the same run the raw RSA-2048 private operation is timed, so that the figures can be read as ratios.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/bn.h>
#include <openssl/cms.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PRIMES 160
#define REPLY_MAX 65536

struct message {
    char *name, *challenge;
    EVP_PKEY *key;
    X509 *certificate;
    unsigned char *der;
    int der_size;
    unsigned char *reply;
    size_t reply_size;
    double milliseconds;
    int status;
};

struct load {
    const char *host, *path;
    int port;
    struct message *messages;
    int count, next;
    pthread_mutex_t lock;
};

__attribute__((noreturn, format(printf, 1, 2))) static void stop(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "enrol_load: ");
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "\n");
    va_end(args);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- keys: every pair of a pool of primes is a key, which is quick and good enough to be measured with ---- */

static BIGNUM *primes[PRIMES];

static void *primes_make(void *from)
{
    for (long i = (long)(intptr_t)from; i < PRIMES; i += 2) {
        primes[i] = BN_new();
        do {
            /* e = 65537 must not divide p - 1 */
            if (!BN_generate_prime_ex(primes[i], 1024, 0, NULL, NULL, NULL))
                stop("no prime");
        } while (BN_mod_word(primes[i], 65537) == 1 || !BN_is_bit_set(primes[i], 1023) || !BN_is_bit_set(primes[i], 1022));
    }
    return NULL;
}

static EVP_PKEY *key_of(int p_index, int q_index)
{
    BN_CTX *ctx = BN_CTX_new();
    const BIGNUM *p = primes[p_index], *q = primes[q_index];
    BIGNUM *n = BN_new(), *e = BN_new(), *d = BN_new(), *p1 = BN_new(), *q1 = BN_new(), *phi = BN_new(), *dp = BN_new(), *dq = BN_new(), *qi = BN_new();
    EVP_PKEY *key = NULL;
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *k = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    BN_set_word(e, 65537);
    BN_mul(n, p, q, ctx);
    BN_sub(p1, p, BN_value_one());
    BN_sub(q1, q, BN_value_one());
    BN_mul(phi, p1, q1, ctx);
    if (!BN_mod_inverse(d, e, phi, ctx) || !BN_mod(dp, d, p1, ctx) || !BN_mod(dq, d, q1, ctx) || !BN_mod_inverse(qi, q, p, ctx))
        stop("no key of two primes");
    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n);
    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e);
    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_D, d);
    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_FACTOR1, p);
    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_FACTOR2, q);
    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_EXPONENT1, dp);
    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_EXPONENT2, dq);
    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, qi);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
    if (EVP_PKEY_fromdata_init(k) != 1 || EVP_PKEY_fromdata(k, &key, EVP_PKEY_KEYPAIR, params) != 1)
        stop("no RSA key");
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    EVP_PKEY_CTX_free(k);
    BN_free(n); BN_free(e); BN_free(d); BN_free(p1); BN_free(q1); BN_free(phi); BN_free(dp); BN_free(dq); BN_free(qi);
    BN_CTX_free(ctx);
    return key;
}

/* ---- messages ---- */

static X509_NAME *name_of(const char *device)
{
    X509_NAME *n = X509_NAME_new();
    if (!X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const unsigned char *)device, -1, -1, 0) ||
        !X509_NAME_add_entry_by_txt(n, "O", MBSTRING_UTF8, (const unsigned char *)"Bench", -1, -1, 0))
        stop("no name");
    return n;
}

static X509 *self_signed(EVP_PKEY *key, X509_NAME *name)
{
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_set_issuer_name(x, name);
    X509_set_subject_name(x, name);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, key);
    if (!X509_sign(x, key, EVP_sha256()))
        stop("no self-signed certificate");
    return x;
}

static BIO *bio_of(int (*write)(BIO *, void *), void *object)
{
    BIO *b = BIO_new(BIO_s_mem());
    if (write(b, object) != 1)
        stop("not encoded");
    return b;
}

static int write_req(BIO *b, void *r) { return i2d_X509_REQ_bio(b, r); }
static int write_cms(BIO *b, void *c) { return i2d_CMS_bio(b, c); }

static void attribute(CMS_SignerInfo *si, const char *oid, int type, const void *value, int size)
{
    ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
    if (!CMS_signed_add1_attr_by_OBJ(si, o, type, value, size))
        stop("attribute %s not added", oid);
    ASN1_OBJECT_free(o);
}

static void message_make(struct message *m, X509 *ra)
{
    unsigned char nonce[16], digest[EVP_MAX_MD_SIZE];
    char transaction[65];
    X509_NAME *name = name_of(m->name);
    X509_REQ *req = X509_REQ_new();
    STACK_OF(X509) *to = sk_X509_new_null();
    X509_REQ_set_subject_name(req, name);
    X509_REQ_set_pubkey(req, m->key);
    if (!X509_REQ_add1_attr_by_NID(req, NID_pkcs9_challengePassword, MBSTRING_ASC, (const unsigned char *)m->challenge, -1) ||
        !X509_REQ_sign(req, m->key, EVP_sha256()))
        stop("no certification request");
    m->certificate = self_signed(m->key, name);
    sk_X509_push(to, ra);
    BIO *in = bio_of(write_req, req);
    CMS_ContentInfo *enveloped = CMS_encrypt(to, in, EVP_aes_128_cbc(), CMS_BINARY);
    if (enveloped == NULL)
        stop("not enveloped");
    BIO *content = bio_of(write_cms, enveloped);
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_BINARY | CMS_PARTIAL | CMS_NOSMIMECAP);
    CMS_SignerInfo *si = CMS_add1_signer(cms, m->certificate, m->key, EVP_sha256(), CMS_NOSMIMECAP | CMS_PARTIAL);
    RAND_bytes(nonce, sizeof nonce);
    EVP_Digest(m->challenge, strlen(m->challenge), digest, NULL, EVP_sha256(), NULL);
    for (int i = 0; i < 32; i++)
        snprintf(transaction + 2 * i, 3, "%02X", digest[i]);
    attribute(si, "2.16.840.1.113733.1.9.2", V_ASN1_PRINTABLESTRING, "19", 2);
    attribute(si, "2.16.840.1.113733.1.9.7", V_ASN1_PRINTABLESTRING, transaction, 64);
    attribute(si, "2.16.840.1.113733.1.9.5", V_ASN1_OCTET_STRING, nonce, sizeof nonce);
    if (CMS_final(cms, content, NULL, CMS_BINARY) != 1)
        stop("not signed");
    m->der_size = i2d_CMS_ContentInfo(cms, &m->der);
    BIO_free(in);
    BIO_free(content);
    CMS_ContentInfo_free(enveloped);
    CMS_ContentInfo_free(cms);
    X509_REQ_free(req);
    X509_NAME_free(name);
    sk_X509_free(to);
}

/* pkiStatus 0 and a certificate for the key inside. */
static int reply_good(const struct message *m)
{
    const unsigned char *p = m->reply;
    int good = 0;
    CMS_ContentInfo *cms = m->status == 200 ? d2i_CMS_ContentInfo(NULL, &p, (long)m->reply_size) : NULL;
    BIO *envelope = BIO_new(BIO_s_mem()), *inner = BIO_new(BIO_s_mem());
    CMS_ContentInfo *enveloped = NULL, *certificates = NULL;
    STACK_OF(X509) *certs = NULL;
    if (cms != NULL && CMS_verify(cms, NULL, NULL, NULL, envelope, CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY) == 1 &&
        (enveloped = d2i_CMS_bio(envelope, NULL)) != NULL && CMS_decrypt(enveloped, m->key, m->certificate, NULL, inner, CMS_BINARY) == 1 &&
        (certificates = d2i_CMS_bio(inner, NULL)) != NULL && (certs = CMS_get1_certs(certificates)) != NULL && sk_X509_num(certs) > 0)
        good = EVP_PKEY_eq(X509_get0_pubkey(sk_X509_value(certs, 0)), m->key) == 1;
    sk_X509_pop_free(certs, X509_free);
    CMS_ContentInfo_free(certificates);
    CMS_ContentInfo_free(enveloped);
    CMS_ContentInfo_free(cms);
    BIO_free(envelope);
    BIO_free(inner);
    return good;
}

/* ---- HTTP, one connection kept ---- */

static int connection(const struct load *l)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)l->port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, l->host, &a.sin_addr);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        stop("no connection to %s port %d: %s", l->host, l->port, strerror(errno));
    return fd;
}

static int exchange(const struct load *l, int fd, struct message *m, char *buffer)
{
    size_t have = 0, head = 0, length = 0;
    int n = snprintf(buffer, REPLY_MAX, "POST %s?operation=PKIOperation HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-pki-message\r\n"
                     "Content-Length: %d\r\n\r\n", l->path, l->host, m->der_size);
    memcpy(buffer + n, m->der, (size_t)m->der_size);
    size_t size = (size_t)n + (size_t)m->der_size;
    for (size_t sent = 0; sent < size;) {
        ssize_t k = send(fd, buffer + sent, size - sent, MSG_NOSIGNAL);
        if (k <= 0)
            return -1;
        sent += (size_t)k;
    }
    while (head == 0 || have < head + length) {
        ssize_t k = recv(fd, buffer + have, REPLY_MAX - 1 - have, 0);
        if (k <= 0)
            return -1;
        have += (size_t)k;
        buffer[have] = '\0';
        char *end = head == 0 ? strstr(buffer, "\r\n\r\n") : NULL;
        if (end != NULL) {
            const char *field = strcasestr(buffer, "\r\ncontent-length:");
            head = (size_t)(end - buffer) + 4;
            length = field != NULL && field < end ? strtoul(field + 17, NULL, 10) : 0;
            m->status = atoi(buffer + 9);
        }
    }
    m->reply = malloc(length + 1);
    m->reply_size = length;
    memcpy(m->reply, buffer + head, length);
    return 0;
}

static void *worker(void *context)
{
    struct load *l = context;
    char *buffer = malloc(REPLY_MAX);
    int fd = connection(l);
    for (;;) {
        pthread_mutex_lock(&l->lock);
        int i = l->next < l->count ? l->next++ : -1;
        pthread_mutex_unlock(&l->lock);
        if (i < 0)
            break;
        struct message *m = &l->messages[i];
        double from = now_ms();
        /* The server closes a kept connection now and then: the same message again on a new one. */
        for (int tries = 0; tries < 3 && exchange(l, fd, m, buffer) != 0; tries++) {
            close(fd);
            fd = connection(l);
        }
        m->milliseconds = now_ms() - from;
    }
    close(fd);
    free(buffer);
    return NULL;
}

/* ---- what the programs used ---- */

#define PROGRAMS 16
struct usage { char name[32]; int pid; double cpu_ms; long peak_kb; int processes; };

static int parent_and_cpu(int pid, int *parent, double *cpu_ms)
{
    char path[64], line[1024];
    unsigned long user, system;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return -1;
    char *ok = fgets(line, sizeof line, f);
    fclose(f);
    const char *after = ok ? strrchr(line, ')') : NULL;
    if (after == NULL || sscanf(after + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", parent, &user, &system) != 3)
        return -1;
    *cpu_ms = (double)(user + system) * 1000.0 / (double)sysconf(_SC_CLK_TCK);
    return 0;
}

static long peak_kb(int pid)
{
    char path[64], line[256];
    long kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "VmHWM: %ld", &kb) == 1)
            break;
    if (f != NULL)
        fclose(f);
    return kb;
}

static int usage_read(const char *pids, struct usage *u)
{
    static int parents[4194304];
    char line[1024] = "";
    int n = 0;
    FILE *f = fopen(pids, "r");
    if (f == NULL || fgets(line, sizeof line, f) == NULL)
        stop("%s: not read", pids);
    fclose(f);
    for (char *save = NULL, *w = strtok_r(line, " \n", &save); w != NULL && n < PROGRAMS; w = strtok_r(NULL, " \n", &save)) {
        memset(&u[n], 0, sizeof u[n]);
        if (sscanf(w, "%31[^=]=%d", u[n].name, &u[n].pid) == 2 && strcmp(u[n].name, "run") != 0)
            n++;
    }
    memset(parents, 0, sizeof parents);
    DIR *d = opendir("/proc");
    for (int pass = 0; pass < 2; pass++) {
        rewinddir(d);
        for (struct dirent *e; (e = readdir(d)) != NULL;) {
            int pid = atoi(e->d_name), parent = 0;
            double cpu = 0;
            if (pid <= 0 || pid >= 4194304 || parent_and_cpu(pid, &parent, &cpu) != 0)
                continue;
            if (pass == 0) {
                parents[pid] = parent;
                continue;
            }
            for (int a = pid; a > 1; a = parents[a])
                for (int i = 0; i < n; i++)
                    if (a == u[i].pid) {
                        long kb = peak_kb(pid);
                        u[i].cpu_ms += cpu;
                        u[i].processes++;
                        u[i].peak_kb = kb > u[i].peak_kb ? kb : u[i].peak_kb;
                    }
        }
    }
    closedir(d);
    return n;
}

static double raw_rsa_us(EVP_PKEY *key)
{
    unsigned char digest[32] = {1}, signature[512];
    struct timespec from, to;
    enum { ROUNDS = 2000 };
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
    EVP_PKEY_sign_init(c);
    EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING);
    EVP_PKEY_CTX_set_signature_md(c, EVP_sha256());
    for (int i = -200; i < ROUNDS; i++) {
        size_t n = sizeof signature;
        if (i == 0)
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
        if (EVP_PKEY_sign(c, signature, &n, digest, sizeof digest) != 1)
            stop("no signature");
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    EVP_PKEY_CTX_free(c);
    return ((double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3) / ROUNDS;
}

static int by_time(const void *a, const void *b)
{
    double x = ((const struct message *)a)->milliseconds, y = ((const struct message *)b)->milliseconds;
    return (x > y) - (x < y);
}

static void round_run(struct load *l, int connections, const char *pids, double rsa_us)
{
    struct usage before[PROGRAMS], after[PROGRAMS];
    pthread_t threads[256];
    double total = 0;
    int bad = 0, n = usage_read(pids, before);
    l->next = 0;
    double from = now_ms();
    for (int i = 0; i < connections; i++)
        pthread_create(&threads[i], NULL, worker, l);
    for (int i = 0; i < connections; i++)
        pthread_join(threads[i], NULL);
    double took = now_ms() - from;
    usage_read(pids, after);
    for (int i = 0; i < l->count; i++)
        if (!reply_good(&l->messages[i])) {
            fprintf(stderr, "enrol_load: %s: HTTP %d, %zu bytes\n", l->messages[i].name, l->messages[i].status, l->messages[i].reply_size);
            bad++;
        }
    qsort(l->messages, (size_t)l->count, sizeof *l->messages, by_time);
    printf("%d connections: %d enrolments, %.0f/s, p50 %.1f ms, p99 %.1f ms, failed %d\n", connections, l->count, l->count / took * 1e3,
           l->messages[l->count / 2].milliseconds, l->messages[l->count * 99 / 100].milliseconds, bad);
    for (int i = 0; i < n; i++) {
        double us = (after[i].cpu_ms - before[i].cpu_ms) * 1e3 / l->count;
        total += us;
        printf("  %-10s %6.0f us CPU an enrolment, %d processes, peak %ld kB\n", after[i].name, us, after[i].processes, after[i].peak_kb);
    }
    printf("  together   %6.0f us CPU an enrolment = %.2f times three raw RSA-2048 private operations (%.0f us each)\n", total, total / (3 * rsa_us), rsa_us);
    fflush(stdout);
    if (bad > 0)
        stop("%d enrolments failed", bad);
}

static struct message *messages_read(const char *path, int wanted)
{
    struct message *m = calloc((size_t)wanted, sizeof *m);
    char *line = NULL;
    size_t room = 0;
    int n = 0;
    FILE *f = fopen(path, "r");
    while (f != NULL && n < wanted && getline(&line, &room, f) > 0) {
        char *save = NULL;
        m[n].name = strdup(strtok_r(line, "\t", &save));
        (void)strtok_r(NULL, "\t", &save);
        m[n].challenge = strdup(strtok_r(NULL, "\t\n", &save));
        n++;
    }
    if (f != NULL)
        fclose(f);
    free(line);
    if (n < wanted)
        stop("%s: %d challenges, %d wanted", path, n, wanted);
    return m;
}

struct making { struct message *m; int from, count; X509 *ra; };

static void *messages_make(void *context)
{
    const struct making *k = context;
    /* Pair (p, q) number i of the pool, p below q. */
    int p = 0, q = 0;
    for (int i = 0; i < k->count; i++) {
        if (++q == PRIMES)
            q = ++p + 1;
        if (i % 2 == k->from) {
            k->m[i].key = key_of(p, q);
            message_make(&k->m[i], k->ra);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 9)
        stop("usage: enrol_load HOST PORT PATH RA.der CHALLENGES PIDS COUNT CONNECTIONS...");
    struct load l = {.host = argv[1], .port = atoi(argv[2]), .path = argv[3], .lock = PTHREAD_MUTEX_INITIALIZER};
    int count = atoi(argv[7]), rounds = argc - 8;
    pthread_t threads[2];
    FILE *f = fopen(argv[4], "r");
    X509 *ra = f ? d2i_X509_fp(f, NULL) : NULL;
    if (ra == NULL || count < 1 || count * rounds > PRIMES * (PRIMES - 1) / 2 - PRIMES)
        stop("no RA certificate in %s, or a count that is not from 1 to %d", argv[4], (PRIMES * (PRIMES - 1) / 2 - PRIMES) / rounds);
    fclose(f);
    struct message *m = messages_read(argv[5], count * rounds);
    for (intptr_t i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, primes_make, (void *)i);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    struct making makings[2] = {{m, 0, count * rounds, ra}, {m, 1, count * rounds, ra}};
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, messages_make, &makings[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    double rsa = raw_rsa_us(m[0].key);
    printf("raw RSA-2048 private operation: %.0f us, %.0f/s a core\n", rsa, 1e6 / rsa);
    for (int r = 0; r < rounds; r++) {
        l.messages = m + (size_t)r * (size_t)count;
        l.count = count;
        round_run(&l, atoi(argv[8 + r]), argv[6], rsa);
    }
    return 0;
}
