/* Certification authorities: making them is the signer's, all else the database's. */
#include <string.h>

#include "bin/cli.h"
#include "bin/purpose_words.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/codec/crl.h"
#include "lib/policy/bounds.h"

static enum result created(struct cli *c, const struct signer_ca_created *made, const char *name)
{
    char end[CLOCK_ISO_SIZE] = "";
    if (made->not_after != 0)
        clock_to_iso(made->not_after, end);
    if (made->clamped)
        cli_say("%s: the validity was clamped to the parent's end, %s.", name, end);
    if (c->json && made->not_after == 0)
        printf("{\"id\":\"%s\",\"not_after\":null,\"clamped\":false}\n", made->ca);
    else if (c->json)
        printf("{\"id\":\"%s\",\"not_after\":\"%s\",\"clamped\":%s}\n", made->ca, end, made->clamped ? "true" : "false");
    else
        puts(made->ca);
    return R_OK;
}

static enum result create(struct cli *c, struct signer_ca_create *q, uint32_t years)
{
    struct ca_request *ca = &q->request;
    struct signer_ca_created made;
    q->tenant = (uint32_t)c->tenant;
    q->actor = c->login;
    ca->name = cli_text(c, "name");
    ca->description = cli_text(c, "description");
    ca->subject = (struct ca_subject){cli_text(c, "cn"), cli_text(c, "o"), cli_text(c, "ou"),
                                      cli_text(c, "c"), cli_text(c, "st"), cli_text(c, "l")};
    ca->years = years;
    enum result r = purpose_words(c, "eku", true, &ca->ekus, &ca->eku_names);
    if (r == R_OK)
        r = cli_signer(c, SIGNER_CA_CREATE, q, LIMIT_SIGNER_ADMIN_MS, &c->arena, &made);
    return r == R_OK ? created(c, &made, ca->name) : r;
}

static enum result ca_create_root(struct cli *c)
{
    const struct key_pair_choice *key = key_pair_choice_find(cli_text(c, "key"));
    struct signer_ca_create q = {.request = {.kind = CA_ROOT, .key_bits = key->bits}};
    return create(c, &q, (uint32_t)cli_number(c, "years", 0));
}

static enum result ca_create_issuing(struct cli *c)
{
    struct signer_ca_create q = {.request = {.kind = CA_ISSUING, .names_from_requests = cli_flag(c, "names-from-requests")},
                                 .parent = cli_text(c, "parent")};
    enum result r = purpose_words(c, "ra-eku", false, &q.request.ra_ekus, NULL);
    return r == R_OK ? create(c, &q, (uint32_t)cli_number(c, "years", 0)) : r;
}

/* Years and hash are for the CA to choose that signs the request. */
static enum result ca_create_byoca(struct cli *c)
{
    const struct key_pair_choice *key = key_pair_choice_find(cli_text(c, "key"));
    struct signer_ca_create q = {
        .request = {.kind = CA_BYOCA, .key_bits = key->bits, .names_from_requests = cli_flag(c, "names-from-requests")}};
    enum result r = purpose_words(c, "ra-eku", false, &q.request.ra_ekus, NULL);
    return r == R_OK ? create(c, &q, 0) : r;
}

static enum result ca_list(struct cli *c) { return cli_list(c, OPERATOR_CA_LIST, NULL, 0); }

static enum result ca_show(struct cli *c)
{
    const struct db_param arguments[] = {DB_P_TEXT(c->argument)};
    return cli_show(c, OPERATOR_CA_SHOW, arguments, 1);
}

static enum result ca_certificate(struct cli *c)
{
    const struct db_param arguments[] = {DB_P_TEXT(c->argument), cli_optional(c, "version")};
    struct db_rows *rows = NULL;
    struct bytes *chain = NULL;
    uint32_t count = 0;
    bool pem = !cli_flag(c, "der");
    if (!pem && (cli_flag(c, "chain") || cli_flag(c, "pem")))
        return cli_refuse(c, R_BAD_INPUT, "--der gives one certificate: neither --chain nor --pem go with it.");
    enum result r = cli_call(c, OPERATOR_CA_CERTIFICATE, arguments, 2, &rows);
    if (r == R_OK && cli_flag(c, "chain"))
        r = db_byteas(rows, 0, 1, &c->arena, &chain, &count);
    if (r == R_OK)
        r = output_der(db_bytes(rows, 0, 0), pem, "CERTIFICATE");
    for (uint32_t i = 0; r == R_OK && i < count; i++)
        r = output_der(chain[i], true, "CERTIFICATE");
    db_rows_free(rows);
    return r;
}

static enum result ca_renew(struct cli *c)
{
    const struct signer_ca_renew q = {.tenant = (uint32_t)c->tenant, .actor = c->login, .ca = c->argument, .early = cli_flag(c, "early")};
    struct signer_ca_renewed made;
    char end[CLOCK_ISO_SIZE];
    enum result r = cli_signer(c, SIGNER_CA_RENEW, &q, LIMIT_SIGNER_ADMIN_MS, &c->arena, &made);
    if (r != R_OK)
        return r;
    clock_to_iso(made.not_after, end);
    if (made.not_after == 0)
        cli_say("%s: version %u waits for its certificate: ca csr, then ca upload.", c->argument, made.number);
    else if (made.clamped)
        cli_say("%s: the validity was clamped to the parent's end, %s.", c->argument, end);
    printf(c->json ? "{\"version\":%u}\n" : "%u\n", made.number);
    return R_OK;
}

static enum result ca_activate(struct cli *c)
{
    const struct db_param arguments[] = {DB_P_TEXT(c->argument), cli_expected(c), DB_P_INT4(BOUNDS_LAST_DAYS)};
    return cli_made(c, OPERATOR_CA_ACTIVATE, arguments, 3, "version");
}

static enum result ca_versions(struct cli *c)
{
    const struct db_param arguments[] = {DB_P_TEXT(c->argument)};
    return cli_list(c, OPERATOR_CA_VERSIONS, arguments, 1);
}

static enum result change(struct cli *c, const char *action, struct db_param reason)
{
    const struct db_param arguments[] = {DB_P_TEXT(c->argument), DB_P_TEXT(action), reason, cli_expected(c)};
    return cli_call(c, OPERATOR_CA_CHANGE, arguments, 4, NULL);
}

static enum result ca_pause(struct cli *c) { return change(c, "pause", DB_P_NULL(DB_INT4)); }
static enum result ca_resume(struct cli *c) { return change(c, "resume", DB_P_NULL(DB_INT4)); }
static enum result ca_delete(struct cli *c) { return change(c, "delete", DB_P_NULL(DB_INT4)); }

/* The CRL that ought to list an external CA's certificate is not ours (2.E15): its people have to be told. */
static enum result tell_issuer(struct cli *c)
{
    const struct db_param arguments[] = {DB_P_TEXT(c->argument)};
    struct db_rows *rows = NULL;
    struct certificate ca;
    enum result r = cli_call(c, OPERATOR_CA_EXTERNAL, arguments, 1, &rows);
    for (int i = 0; r == R_OK && i < db_count(rows); i++) {
        char serial[2 * LIMIT_SERIAL + 1];
        r = certificate_decode(db_bytes(rows, i, 0), &c->arena, &ca);
        if (r != R_OK)
            break;
        hex_encode(serial, ca.serial.p, ca.serial.n <= LIMIT_SERIAL ? ca.serial.n : LIMIT_SERIAL);
        cli_say("%s is revoked here and issues nothing any more. Its own certificate was signed by \"%s\": that CA has to revoke "
                "serial number %s and publish it in its CRL; until then relying parties go on trusting it.",
                c->argument, name_text(&ca.issuer_name, &c->arena), serial);
    }
    db_rows_free(rows);
    return r;
}

static enum result ca_revoke(struct cli *c)
{
    const char *reason = cli_text(c, "reason");
    enum result r = change(c, "revoke", reason == NULL ? DB_P_NULL(DB_INT4) : DB_P_INT4(crl_reason_from_name(reason)));
    return r == R_OK ? tell_issuer(c) : r;
}

#define SUBJECT_OPTIONS \
    {"name", "NAME", OPTION_TEXT, OPTION_REQUIRED, "the CA's name", 0, 0}, \
    {"description", "TEXT", OPTION_TEXT, 0, "description", 0, 0}, \
    {"cn", "TEXT", OPTION_TEXT, OPTION_REQUIRED, "subject: common name", 0, 0}, \
    {"o", "TEXT", OPTION_TEXT, 0, "subject: organization", 0, 0}, \
    {"ou", "TEXT", OPTION_TEXT, 0, "subject: organizational unit", 0, 0}, \
    {"c", "CC", OPTION_TEXT, 0, "subject: country, two letters", 0, 0}, \
    {"st", "TEXT", OPTION_TEXT, 0, "subject: state or province", 0, 0}, \
    {"l", "TEXT", OPTION_TEXT, 0, "subject: locality", 0, 0}, \
    {"eku", "NAME|OID|NAME=OID", OPTION_TEXT, OPTION_REQUIRED | OPTION_REPEATED, "extended key usage", 0, 0}

#define YEARS_OPTION {"years", "N", OPTION_NUMBER, OPTION_REQUIRED, "validity", 1, LIMIT_CA_YEARS}
#define ISSUING_OPTIONS \
    {"names-from-requests", NULL, OPTION_FLAG, 0, "may ever certify names that are not from the registry; fixed", 0, 0}, \
    {"ra-eku", "NAME|OID", OPTION_TEXT, OPTION_REPEATED, "extended key usage of the RA certificates (default none)", 0, 0}

static const struct option root_options[] = {
    SUBJECT_OPTIONS,
    YEARS_OPTION,
    {"key", "RSA-2048|RSA-3072|RSA-4096", OPTION_CHOICE, OPTION_REQUIRED, "key; with SHA-256, SHA-384, SHA-512", 0, 0},
    OPTION_END,
};
static const struct option issuing_options[] = {
    SUBJECT_OPTIONS,
    YEARS_OPTION,
    {"parent", "NAME|ID", OPTION_TEXT, OPTION_REQUIRED, "the root above it, from which it has key size and hash", 0, 0},
    ISSUING_OPTIONS,
    OPTION_END,
};
static const struct option byoca_options[] = {
    SUBJECT_OPTIONS,
    {"key", "RSA-2048|RSA-3072|RSA-4096", OPTION_CHOICE, OPTION_REQUIRED, "key; the hash is the signing CA's choice", 0, 0},
    ISSUING_OPTIONS,
    OPTION_END,
};
static const struct option certificate_options[] = {
    {"pem", NULL, OPTION_FLAG, 0, "PEM (default)", 0, 0},
    {"der", NULL, OPTION_FLAG, 0, "DER", 0, 0},
    {"chain", NULL, OPTION_FLAG, 0, "and the certificates above it up to the root", 0, 0},
    {"version", "N", OPTION_NUMBER, 0, "of that version, such as a staged one (default: the one in production)", 1, INT32_MAX},
    OPTION_END,
};
#define VERSION_OPTION {"row-version", "N", OPTION_NUMBER, 0, "refuse where show tells another", 1, INT32_MAX}
static const struct option change_options[] = {VERSION_OPTION, OPTION_END};
static const struct option renew_options[] = {
    {"early", NULL, OPTION_FLAG, 0, "also before half of its life has passed", 0, 0}, OPTION_END,
};
#define REASONS \
    "unspecified|keyCompromise|cACompromise|affiliationChanged|superseded|cessationOfOperation|privilegeWithdrawn"
static const struct option revoke_options[] = {
    VERSION_OPTION,
    {"reason", REASONS, OPTION_CHOICE, 0, "reason (default cessationOfOperation)", 0, 0},
    OPTION_END,
};

const struct command commands_ca[] = {
    {"ca", "create-root", NULL, OPTION_FLAG, root_options, false, "make a root CA; prints its id", ca_create_root},
    {"ca", "create-issuing", NULL, OPTION_FLAG, issuing_options, false, "make an issuing CA below a root; prints its id",
     ca_create_issuing},
    {"ca", "create-byoca", NULL, OPTION_FLAG, byoca_options, false,
     "make an issuing CA that an external CA shall sign; prints its id", ca_create_byoca},
    {"ca", "list", NULL, OPTION_FLAG, NULL, false, "the CAs and their status", ca_list},
    {"ca", "show", "NAME|ID", OPTION_TEXT, NULL, false, "all properties of a CA", ca_show},
    {"ca", "certificate", "NAME|ID", OPTION_TEXT, certificate_options, false, "a CA's certificate to standard output",
     ca_certificate},
    {"ca", "versions", "NAME|ID", OPTION_TEXT, NULL, false, "the versions of a CA, newest first", ca_versions},
    {"ca", "renew", "NAME|ID", OPTION_TEXT, renew_options, false, "make the next version of an issuing CA; prints its number", ca_renew},
    {"ca", "activate", "NAME|ID", OPTION_TEXT, change_options, false, "put the staged version into production", ca_activate},
    {"ca", "pause", "NAME|ID", OPTION_TEXT, change_options, false, "issue nothing until it is resumed", ca_pause},
    {"ca", "resume", "NAME|ID", OPTION_TEXT, change_options, false, "end a pause", ca_resume},
    {"ca", "revoke", "NAME|ID", OPTION_TEXT, revoke_options, false, "revoke a paused issuing CA without active certificates",
     ca_revoke},
    {"ca", "delete", "NAME|ID", OPTION_TEXT, change_options, false, "delete a revoked issuing CA, or a root with none below",
     ca_delete},
    {0},
};
