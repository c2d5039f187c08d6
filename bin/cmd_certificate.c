/* Certificates, their revocation, CRLs. */
#include <string.h>

#include "bin/cli.h"
#include "lib/base/limits.h"
#include "lib/codec/crl.h"

static struct db_param serial_param(struct cli *c, const char *hex)
{
    struct bytes serial = cli_serial(c, hex);
    return DB_P_BYTES(serial);
}

static enum result certificate_list(struct cli *c)
{
    const char *kind = cli_text(c, "kind");
    int64_t before = cli_number(c, "before", 0);
    const struct db_param arguments[] = {
        DB_P_TEXT(cli_text(c, "ca")), DB_P_TEXT(cli_text(c, "device")), DB_P_TEXT(cli_text(c, "name")),
        DB_P_TEXT(cli_text(c, "status")), serial_param(c, cli_text(c, "serial")),
        DB_P_TEXT(kind != NULL ? kind : "leaf"), DB_P_INT4(cli_number(c, "limit", 100)),
        before == 0 ? DB_P_NULL(DB_INT8) : DB_P_INT8(before),
    };
    return cli_list(c, OPERATOR_CERTIFICATE_LIST, arguments, 8);
}

static enum result certificate_show(struct cli *c)
{
    const struct db_param arguments[] = {serial_param(c, c->argument), DB_P_TEXT(cli_text(c, "ca"))};
    return cli_show(c, OPERATOR_CERTIFICATE_SHOW, arguments, 2);
}

static enum result certificate_get(struct cli *c)
{
    const struct db_param arguments[] = {serial_param(c, c->argument), DB_P_TEXT(cli_text(c, "ca"))};
    struct db_rows *rows = NULL;
    if (cli_flag(c, "pem") && cli_flag(c, "der"))
        return cli_refuse(c, R_BAD_INPUT, "Wanted --pem or --der, not both.");
    enum result r = cli_call(c, OPERATOR_CERTIFICATE_GET, arguments, 2, &rows);
    if (r == R_OK)
        r = output_der(db_bytes(rows, 0, 0), !cli_flag(c, "der"), "CERTIFICATE");
    db_rows_free(rows);
    return r;
}

static enum result revoke_for(struct cli *c, int reason, struct db_param invalidity)
{
    const struct db_param arguments[] = {serial_param(c, c->argument), DB_P_TEXT(cli_text(c, "ca")), DB_P_INT4(reason),
                                         invalidity};
    return cli_call(c, OPERATOR_CERTIFICATE_REVOKE, arguments, 4, NULL);
}

static enum result certificate_revoke(struct cli *c)
{
    const char *reason = cli_text(c, "reason");
    int64_t invalidity = cli_time(c, "invalidity-date", 0);
    return revoke_for(c, reason != NULL ? crl_reason_from_name(reason) : REASON_UNSPECIFIED,
                      cli_text(c, "invalidity-date") != NULL ? DB_P_TIME(invalidity) : DB_P_NULL(DB_TIME));
}

static enum result certificate_hold(struct cli *c) { return revoke_for(c, REASON_CERTIFICATE_HOLD, DB_P_NULL(DB_TIME)); }

static enum result certificate_release(struct cli *c)
{
    const struct db_param arguments[] = {serial_param(c, c->argument), DB_P_TEXT(cli_text(c, "ca"))};
    return cli_call(c, OPERATOR_CERTIFICATE_RELEASE, arguments, 2, NULL);
}

static enum result crl_list(struct cli *c) { return cli_list(c, OPERATOR_CRL_LIST, NULL, 0); }

static enum result crl_get(struct cli *c)
{
    const struct db_param arguments[] = {DB_P_TEXT(c->argument), DB_P_INT4(cli_number(c, "shard", 0))};
    struct db_rows *rows = NULL;
    struct buf whole;
    enum result r = cli_call(c, OPERATOR_CRL_GET, arguments, 2, &rows);
    buf_init(&whole, (size_t)db_count(rows) * LIMIT_CRL_PIECE);
    for (int i = 0; r == R_OK && i < db_count(rows); i++) {
        struct bytes piece = db_bytes(rows, i, 1);
        buf_append(&whole, piece.p, piece.n);
    }
    if (r == R_OK)
        r = buf_result(&whole);
    if (r == R_OK)
        r = output_der(buf_bytes(&whole), cli_flag(c, "pem"), "X509 CRL");
    buf_free(&whole);
    db_rows_free(rows);
    return r;
}

#define CA_OPTION {"ca", "NAME|ID", OPTION_TEXT, 0, "only of this CA", 0, 0}
static const struct option list_options[] = {
    CA_OPTION,
    {"device", "DEVICE", OPTION_TEXT, 0, "only of this device", 0, 0},
    {"name", "PREFIX", OPTION_TEXT, 0, "common name or alternative name begins so", 0, 0},
    {"status", "active|revoked|expired", OPTION_CHOICE, 0, "only of this status", 0, 0},
    {"serial", "HEX", OPTION_SERIAL, 0, "only this serial number", 0, 0},
    {"kind", "leaf|ca|ra_sign|ra_encrypt|cross|ocsp", OPTION_CHOICE, 0, "what they are for (default leaf)", 0, 0},
    {"limit", "N", OPTION_NUMBER, 0, "how many (default 100; 0: all)", 0, INT32_MAX},
    {"before", "ID", OPTION_NUMBER, 0, "go on with those older than this id", 1, INT64_MAX},
    OPTION_END,
};
static const struct option one_options[] = {CA_OPTION, OPTION_END};
static const struct option get_options[] = {
    CA_OPTION, {"pem", NULL, OPTION_FLAG, 0, "PEM (default)", 0, 0}, {"der", NULL, OPTION_FLAG, 0, "DER", 0, 0}, OPTION_END,
};
#define REASONS \
    "unspecified|keyCompromise|cACompromise|affiliationChanged|superseded|cessationOfOperation|privilegeWithdrawn|" \
    "aACompromise|certificateHold"
static const struct option revoke_options[] = {
    CA_OPTION,
    {"reason", REASONS, OPTION_CHOICE, 0, "reason (default unspecified)", 0, 0},
    {"invalidity-date", "TIME", OPTION_TIME, 0, "since when the key is suspect", 0, 0},
    OPTION_END,
};
static const struct option crl_options[] = {
    {"pem", NULL, OPTION_FLAG, 0, "PEM (default DER)", 0, 0},
    {"shard", "N", OPTION_NUMBER, 0, "of a sharded CA (default 0)", 0, LIMIT_CRL_SHARDS - 1},
    OPTION_END,
};

const struct command commands_certificate[] = {
    {"certificate", "list", NULL, OPTION_FLAG, list_options, false, "certificates, newest first", certificate_list},
    {"certificate", "show", "SERIAL", OPTION_SERIAL, one_options, false, "a certificate and the history of its revocation",
     certificate_show},
    {"certificate", "get", "SERIAL", OPTION_SERIAL, get_options, false, "a certificate to standard output", certificate_get},
    {"certificate", "revoke", "SERIAL", OPTION_SERIAL, revoke_options, false, "revoke a certificate", certificate_revoke},
    {"certificate", "hold", "SERIAL", OPTION_SERIAL, one_options, false, "revoke it until it is released or revoked for good",
     certificate_hold},
    {"certificate", "release", "SERIAL", OPTION_SERIAL, one_options, false, "end a hold", certificate_release},
    {"crl", "list", NULL, OPTION_FLAG, NULL, false, "the newest CRLs", crl_list},
    {"crl", "get", "NAME|ID", OPTION_TEXT, crl_options, false, "a CA's newest CRL to standard output", crl_get},
    {0},
};
