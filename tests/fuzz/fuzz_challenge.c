/* A challenge as a client sends it back, and the content that may be in one. */
#include "tests/fuzz/fuzz.h"

#include "lib/codec/pkey.h"
#include "lib/policy/challenge.h"

static const uint8_t key[32] = "a key that seals no challenge...";

static void content_check(const uint8_t content[CHALLENGE_PLAIN])
{
    struct challenge c;
    uint8_t again[CHALLENGE_PLAIN];
    enum result r = challenge_unpack(content, &c);

    FUZZ_RESULT(r, R_OK, R_CHALLENGE_DESERIALIZATION);
    if (r != R_OK)
        return;
    challenge_pack(&c, again);
    FUZZ_MUST(memcmp(content, again, sizeof again) == 0);
    FUZZ_MUST(c.tenant != 0 && c.device != 0 && c.id != 0 && c.expires > 0);
}

static void token_check(const uint8_t token[CHALLENGE_SIZE], uint16_t generation)
{
    char text[LIMIT_CHALLENGE + 1];
    uint8_t again[CHALLENGE_SIZE], content[CHALLENGE_PLAIN];
    uint16_t generation_again;
    size_t n = sizeof content;

    FUZZ_MUST(base64_size(CHALLENGE_SIZE) <= sizeof text);
    base64_encode(text, token, CHALLENGE_SIZE);
    FUZZ_MUST(challenge_from_text(text, again, &generation_again) == R_OK && generation == generation_again);
    FUZZ_MUST(memcmp(token, again, sizeof again) == 0);
    struct bytes sealed = BYTES(token + CHALLENGE_HEADER, CHALLENGE_SIZE - CHALLENGE_HEADER);
    enum result r = gcm_open(key, BYTES(token, CHALLENGE_HEADER), sealed, content, &n);
    FUZZ_RESULT(r, R_OK, R_CHALLENGE_DECRYPTION);
    if (r == R_OK) {
        FUZZ_MUST(n == sizeof content);
        content_check(content);
    }
}

FUZZ_TARGET(challenge)
{
    uint8_t token[CHALLENGE_SIZE];
    uint16_t generation = 0;
    char *text = fuzz_string(data, size);
    enum result r = challenge_from_text(text, token, &generation);

    FUZZ_RESULT(r, R_OK, R_CHALLENGE_DECODING, R_CHALLENGE_DECRYPTION);
    if (r == R_OK)
        token_check(token, generation);
    free(text);
    if (size >= CHALLENGE_PLAIN)
        content_check(data);
    return 0;
}
