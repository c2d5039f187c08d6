/*
 * scep_try: sends the messages that make.h makes, and says what came back.
 *
 *   scep_try make --dir DIR [--words "WORD ..."] > DER
 *   scep_try rows --dir DIR --host A --port N --path /scep/ID --ra PEM --table FILE --good DER --good-key NAME
 *       For each line "why | words | answer" of the table one line "why TAB answer TAB wanted". The answer is "pkiStatus failInfo
 *       failInfoText" or "http STATUS"; for a certificate with digest and cipher of the answer behind it. Word variant=NAME: at
 *       /p/NAME of the CA's path. After each row the good message must be granted; where it is not, one line more says so.
 *   scep_try cut --layer message|envelope|request --words "WORD ..." and the options of rows but --table
 *       The message of these words, one layer of it cut before each of its octets, and what is around it made anew. Prints
 *       each answer with how often it came, "layer TAB answers TAB". Ends with the good message as above.
 *   scep_try flip --step N --words "WORD ..." ...    in the same way: each Nth octet of the whole message inverted
 */
#include <time.h>

#include "tests/flow/answer.h"
#include "tests/flow/client.h"
#include "tests/flow/make.h"
#include "tests/flow/talk.h"

#define CONNECTIONS 8
#define ANSWERS_MOST 16
#define SUMMARY 2200
#define EXTENSIONS 8                /* of the certificates of messages.sh's profiles */

static struct talk lines[CONNECTIONS];
static X509 *ra;
static struct octets good_message;

static void begin(void)
{
    make_begin(needed("dir"));
    for (int i = 0; i < CONNECTIONS; i++) {
        lines[i].host = needed("host");
        lines[i].port = atoi(needed("port"));
        lines[i].fd = -1;
    }
    ra = make_read(needed("ra"));
}

/* What is kept beyond octets_free(). */
static struct octets kept(struct octets o)
{
    unsigned char *p = malloc(o.n + 1);
    if (!p)
        die("memory");
    memcpy(p, o.p, o.n);
    return (struct octets){p, o.n};
}

static void end(void)
{
    for (int i = 0; i < CONNECTIONS; i++)
        talk_close(&lines[i]);
    free(good_message.p);
    make_end();
}

/* ---- answers ---- */

static const char *http_summary(const struct talk *t, char *out)
{
    if (t->status == 0)
        snprintf(out, SUMMARY, "dropped");
    else
        snprintf(out, SUMMARY, "http %d%s", t->status, t->is_text ? "" : " in another type than text");
    return out;
}

static const char *certificate_fault(const struct answer *a, EVP_PKEY *key)
{
    if (!a->certificates || sk_X509_num(a->certificates) < 1)
        return " without a certificate";
    X509 *c = sk_X509_value(a->certificates, 0);
    if (EVP_PKEY_eq(X509_get0_pubkey(c), key) != 1)
        return " with another key's certificate";
    if (X509_get_extension_flags(c) & EXFLAG_CA)
        return " with a CA's certificate";
    return X509_get_ext_count(c) != EXTENSIONS ? " with more or less extensions than the profile says" : "";
}

/* What every answer must be like, whatever it says: Q27 to Q31 of the interop table. */
static const char *form_fault(const struct answer *a, const struct words *w)
{
    const char *nonce = w ? word(w, "nonce", NULL) : NULL;
    for (int i = ANSWER_TYPE; i <= ANSWER_FAIL; i++)
        if (a->said[i].there && a->said[i].tag != V_ASN1_PRINTABLESTRING)
            return " in another string than PrintableString";
    if (!a->has_content_type || !a->has_message_digest || strcmp(a->said[ANSWER_TYPE].text, "3") != 0)
        return " without an attribute that must be there";
    if (a->said[ANSWER_SENDER_NONCE].tag != V_ASN1_OCTET_STRING || a->said[ANSWER_RECIPIENT_NONCE].tag != V_ASN1_OCTET_STRING ||
        strcmp(a->said[ANSWER_SENDER_NONCE].text, a->said[ANSWER_RECIPIENT_NONCE].text) == 0)
        return " without two nonces";
    if (nonce && (strcmp(a->said[ANSWER_RECIPIENT_NONCE].text, nonce) != 0 ||
                  strlen(a->said[ANSWER_SENDER_NONCE].text) != strlen(nonce)))
        return " with another nonce";
    if (w && a->said[ANSWER_TRANSACTION].tag != make_tag(w, "transaction-tag", V_ASN1_PRINTABLESTRING))
        return " with the transaction in another string";
    return strcmp(a->signature, "rsaEncryption") != 0 ? " with another signature algorithm than rsaEncryption" : "";
}

/* w: the message's words, or NULL. */
static const char *summary(const struct talk *t, const struct words *w, EVP_PKEY *opens, EVP_PKEY *certified, char *out)
{
    struct answer a;
    if (t->status != 200)
        return http_summary(t, out);
    answer_read(t->body, t->n, opens, ra, &a);
    answer_summary(&a, out, SUMMARY);
    if (!a.fault && a.cipher)
        snprintf(out + strlen(out), SUMMARY - strlen(out), " %s %s%s", a.digest, a.cipher, certificate_fault(&a, certified));
    if (!a.fault)
        snprintf(out + strlen(out), SUMMARY - strlen(out), "%s", form_fault(&a, w));
    answer_free(&a);
    ERR_clear_error();
    return out;
}

static bool good_works(char *said)
{
    EVP_PKEY *key = make_key(needed("good-key"));
    talk_send(&lines[0], needed("path"), good_message);
    talk_receive(&lines[0]);
    return strncmp(summary(&lines[0], NULL, key, key, said), "0 - - ", 6) == 0;
}

static void good_check(const char *why)
{
    char said[SUMMARY];
    if (!good_works(said))
        printf("  the good request after: %s\t%s\t0 - -\n", why, said);
}

/* ---- rows ---- */

static char *trimmed(char *text)
{
    text += strspn(text, " ");
    for (size_t n = strlen(text); n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\n'); n--)
        text[n - 1] = '\0';
    return text;
}

static void row(char *line)
{
    char said[SUMMARY], path[256];
    char *rest, *why = strtok_r(line, "|", &rest), *text = strtok_r(NULL, "|", &rest), *wanted = strtok_r(NULL, "|", &rest);
    struct words w = {.count = 0};
    if (!wanted)
        die("a row is not: why | words | answer");
    words_add(&w, text);
    const char *variant = word(&w, "variant", NULL);
    snprintf(path, sizeof path, "%s%s%s", needed("path"), variant ? "/p/" : "", variant ? variant : "");
    struct octets message = make_message(&w);
    talk_send(&lines[1], path, message);
    talk_receive(&lines[1]);
    EVP_PKEY *key = word(&w, "csr-key", NULL) ? make_key(word(&w, "csr-key", NULL)) : make_key(word(&w, "key", "base"));
    printf("%s\t%s\t%s\n", trimmed(why), summary(&lines[1], &w, make_signer_key(&w), key, said), trimmed(wanted));
    good_check(trimmed(why));
    octets_free();
}

static int command_rows(void)
{
    static char line[65536];
    setvbuf(stdout, NULL, _IOLBF, 0);
    begin();
    good_message = kept(octets_file(make_path(needed("good"))));
    FILE *f = fopen(make_path(needed("table")), "r");
    if (!f)
        die("no table");
    while (fgets(line, sizeof line, f))
        if (line[0] != '#' && line[strspn(line, " \n")] != '\0')
            row(line);
    fclose(f);
    end();
    return 0;
}

static int command_make(void)
{
    static char text[65536];
    struct words w = {.count = 0};
    snprintf(text, sizeof text, "%s", option("words", ""));
    words_add(&w, text);
    make_begin(needed("dir"));
    struct octets message = make_message(&w);
    if (fwrite(message.p, 1, message.n, stdout) != message.n || fflush(stdout) != 0)
        die("nothing could be written");
    make_end();
    return 0;
}

/* ---- every octet ---- */

static struct { char said[SUMMARY]; int count; } answers[ANSWERS_MOST];

static void answer_count(const char *said)
{
    int i = 0;
    while (i < ANSWERS_MOST - 1 && answers[i].count > 0 && strcmp(answers[i].said, said) != 0)
        i++;
    snprintf(answers[i].said, SUMMARY, "%s", said);
    answers[i].count++;
}

static void answers_print(const char *why)
{
    printf("%s\t", why);
    for (int i = 0; i < ANSWERS_MOST && answers[i].count > 0; i++)
        printf("%s%s: %d", i > 0 ? "; " : "", answers[i].said, answers[i].count);
    printf("\t\n");
    memset(answers, 0, sizeof answers);
}

static struct octets inverted(struct octets whole, size_t at)
{
    struct octets o = octets_of(whole.p, whole.n);
    o.p[at] ^= 0xff;
    return o;
}

enum layer { LAYER_MESSAGE, LAYER_ENVELOPE, LAYER_REQUEST, LAYER_FLIP };

static struct octets variation(const struct words *w, enum layer layer, struct octets whole, size_t at)
{
    struct octets cut = {whole.p, at};
    switch (layer) {
    case LAYER_MESSAGE: return cut;
    case LAYER_ENVELOPE: return make_message_around(w, cut);
    case LAYER_REQUEST: return make_message_of(w, cut);
    default: return inverted(whole, at);
    }
}

/* As many at a time as there are connections: most answers are held back for a while. */
static void sweep(const struct words *w, enum layer layer, struct octets whole)
{
    char said[SUMMARY];
    EVP_PKEY *key = make_signer_key(w);
    size_t step = (size_t)atol(option("step", "1"));
    for (size_t at = 0; at < whole.n;) {
        size_t n = 0;
        for (; n < CONNECTIONS && at < whole.n; n++, at += step)
            talk_send(&lines[n], needed("path"), variation(w, layer, whole, at));
        for (size_t i = 0; i < n; i++) {
            talk_receive(&lines[i]);
            answer_count(summary(&lines[i], NULL, key, key, said));
        }
        octets_free();
    }
}

static int sweep_run(enum layer layer, const char *why)
{
    static char text[65536];
    struct words w = {.count = 0};
    snprintf(text, sizeof text, "%s", option("words", ""));
    words_add(&w, text);
    begin();
    good_message = kept(octets_file(make_path(needed("good"))));
    EVP_PKEY *key = make_key(word(&w, "key", "base"));
    struct octets whole = kept(layer == LAYER_ENVELOPE ? make_envelope(&w, make_request(&w, key)) :
                               layer == LAYER_REQUEST ? make_request(&w, key) : make_message(&w));
    sweep(&w, layer, whole);
    answers_print(why);
    good_check(why);
    free(whole.p);
    end();
    return 0;
}

static int command_cut(void)
{
    static const char *const layers[] = {[LAYER_MESSAGE] = "message", [LAYER_ENVELOPE] = "envelope", [LAYER_REQUEST] = "request"};
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++)
        if (is("layer", layers[i]))
            return sweep_run((enum layer)i, layers[i]);
    die("--layer");
}

static int command_flip(void)
{
    return sweep_run(LAYER_FLIP, "flip");
}

int main(int argc, char **argv)
{
    static const struct { const char *name; int (*run)(void); } commands[] = {
        {"make", command_make}, {"rows", command_rows}, {"cut", command_cut}, {"flip", command_flip},
    };
    for (size_t i = 0; argc > 1 && options_read(argc, argv, 2) && i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run();
    fprintf(stderr, "usage: scep_try make|rows|cut|flip [--OPTION VALUE ...]\n");
    return 2;
}
