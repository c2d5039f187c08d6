/* Keys and challenges: the signer's to make. */
#include <string.h>

#include "bin/cli.h"
#include "lib/base/limits.h"

static enum result keys_init(struct cli *c)
{
    const struct signer_keys_init q = {c->login};
    struct signer_done done;
    enum result r = cli_signer(c, SIGNER_KEYS_INIT, &q, LIMIT_SIGNER_ADMIN_MS, &c->arena, &done);
    if (r == R_OK)
        printf(c->json ? "{\"made\":%u}\n" : "%u\n", done.count);
    return r;
}

static enum result keys_list(struct cli *c) { return cli_list(c, OPERATOR_KEY_LIST, NULL, 0); }

/* What has been written so far, over all batches. */
struct listing { bool json; uint64_t made, failed; };

static void row_json(struct listing *l, const struct signer_challenge_row *row)
{
    printf("%s{\"device_id\":%lld,\"device\":", l->made == 0 ? "[\n" : ",\n", (long long)row->device);
    output_json_string(row->device_name);
    fputs(",\"subject\":", stdout);
    output_json_string(row->subject != NULL ? row->subject : "");
    fputs(",\"challenge\":", stdout);
    output_json_string(row->challenge);
    putchar('}');
}

static void row_write(struct listing *l, const struct signer_challenge_row *row)
{
    if (row->challenge == NULL) {
        cli_say("device %s (%lld): %s", row->device_name, (long long)row->device,
                row->missing != NULL ? row->missing : "no challenge can be made");
        l->failed++;
        return;
    }
    if (l->json)
        row_json(l, row);
    else
        printf("%s\t%s\t%s\n", row->device_name, row->subject != NULL ? row->subject : "", row->challenge);
    l->made++;
}

/* One batch; *after moves behind it, *count says how many there were. */
static enum result batch_make(struct cli *c, struct signer_challenge *q, struct listing *l, uint32_t *count)
{
    struct signer_challenges answer;
    struct arena a;
    arena_init(&a, LIMIT_ARENA_REQUEST);
    enum result r = cli_signer(c, SIGNER_CHALLENGE, q, LIMIT_SIGNER_MS, &a, &answer);
    *count = r == R_OK ? answer.rows.count : 0;
    for (uint32_t i = 0; i < *count; i++) {
        row_write(l, &answer.rows.items[i]);
        q->after = answer.rows.items[i].device;
    }
    arena_free(&a);
    return r;
}

static enum result challenge_create(struct cli *c)
{
    struct signer_challenge q = {.tenant = (uint32_t)c->tenant, .actor = c->login, .profile = cli_text(c, "profile"),
                                 .device = cli_text(c, "device"), .limit = LIMIT_CHALLENGE_BATCH};
    struct listing l = {.json = c->json};
    enum result r;
    uint32_t count;
    if ((q.device != NULL) == cli_flag(c, "all"))
        return cli_refuse(c, R_BAD_INPUT, "Wanted either --device or --all.");
    do
        r = batch_make(c, &q, &l, &count);
    while (r == R_OK && count > 0);
    if (c->json)
        puts(l.made == 0 ? "[]" : "\n]");
    if (r == R_OK && l.made + l.failed == 0 && q.device != NULL)
        return cli_refuse(c, R_NOT_TARGETED, "profile \"%s\" is not delivered to device \"%s\"", q.profile, q.device);
    if (r == R_OK && l.failed > 0)
        return cli_refuse(c, R_BAD_INPUT, "%llu of %llu challenges could not be made.", (unsigned long long)l.failed,
                          (unsigned long long)(l.made + l.failed));
    return r;
}

static const struct option create_options[] = {
    {"profile", "PROFILE", OPTION_TEXT, OPTION_REQUIRED, "the profile", 0, 0},
    {"device", "DEVICE", OPTION_TEXT, 0, "one device, by name or id", 0, 0},
    {"all", NULL, OPTION_FLAG, 0, "every device that the profile is delivered to", 0, 0},
    OPTION_END,
};

const struct command commands_challenge[] = {
    {"keys", "init", NULL, OPTION_FLAG, NULL, false,
     "make the challenge and audit keys where there are none; prints how many", keys_init},
    {"keys", "list", NULL, OPTION_FLAG, NULL, false, "the keys, without their material", keys_list},
    {"challenge", "create", NULL, OPTION_FLAG, create_options, false,
     "SCEP challenges: lines of device, subject, challenge, between tabs", challenge_create},
    {0},
};
