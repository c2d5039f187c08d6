/* An envelope for the RA whose key stands here, as the responder takes it: the outside first, then opened with its key. The key
 * is known to everybody and certifies nothing; inputs in the corpus are encrypted to it. */
#include "tests/fuzz/fuzz.h"

#include "lib/codec/cms.h"

/* base64 of PrivateKeyInfo and of two certificates: the RA's, and the CA's that issued it */
static const char ra_key[] =
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC15fScc+IkrctMN2pWxAcPfXWkEJygnBMT1oqb9XUbYQ1Jm/fxRibOFhj7VOUTLunAUcEt"
    "+31Ug5Z11HFEjwkB9sGbCmMFQ78fZIrjLC3p9S+nh2GHSzMI1LfO0ZfmvEPg9bkvx2C8pDeonj1TNliUwO5HN1UdJkm1Pzsz1H1vUAuY2uXEWBIqxabA+NJE"
    "Avtzi9LFZn7eOdEY9qnCM4jrqauuMsHIrE/uMyf0HDmxr4eyoxZEsVwIuVWml/qU5ay6AsvjZ+F22oY1ZN6w8pmEzB/9c26+EeKeeIMq/iK9LUOF6eAFnl7R"
    "qdgykQg+E9LsEn8Dednh3+AYnhypg5KNAgMBAAECggEAF+xoKSGWpyNSfzI0orfCg/eIvuzOZNNSMQRBE7ULU3AGyt0gFZQX63f9jiTCwiyj4r797NnMSI7L"
    "/bBUu2MimKcHHKiXkGwyGWNkXu+DFGfCfkKwgZZS3oD3sdRgKaEuPkqjMhUDdJwWk+9H+odFzD65uBUfdSeBfzyTQURbwQVpMoeoFJdd5twvOUE4FXGmmKHt"
    "Y9lHWqJCm8aEWME8tAEXY4dCArqEqsbJXVUdV25lrcBH56cVSmMSUJzrif5X2PzUg0WWmAWsYFGPl4iV8GUta6j8qmAK6600qpOiPDz2nqDDdTP8ODLoUR9T"
    "j4kW/GPbShm4zo5Yfvgd0lg9gwKBgQD6pK89db7eLXxOtHZ4kMGV9OGbiHLKi+Bpgb8aQeNZJ/6ZfhUcouWpU/nag3yjzs7LELP1ESbBD0flgnv8uwdfQP0C"
    "ZEzUtKIBTHeXbE56UG73VkUi5iu97yL18BMQF5K29nfoK1KXo7d0PPS1QsFngWpnTdHHtFc6iyv01R8U0wKBgQC5ySd/BDsg03smBVabYIxuvOplouR97bUB"
    "5YC1UPQ05TDfh+ep/TRs6oT5Ypc4QVyVPu4V5wT8ftwsmPjlfBQ2iNFZ/9Ko6yO7bLVEQ/9NUIQhfDy8VimsK5SvFHKdZQttsv/q0Lv484174cgU8Tv7BGdi"
    "t+2hoszSXFGQ4UufHwKBgQDrQ+HpwrgiPHfOOL5rdRUA+Rc7stxtGtbOsib7MpWAfnYRBbQzaQRB6L1CSuGXsOuS2F7SzgKefQVzfQN8uuG0m3/h2tvzXIok"
    "xe4LiHIxhYZjS+shUwQECI+8YljCZh4k9zyeBOxFwjrVNNJNwhdgXK3PwdADsFegcDoWWmYOWQKBgBFPNojVAhVK3txp/um3Ex52J3iUtqks7oJguZ8rDbWn"
    "7OfGp8TkvG+xYfZCQ0iQfmnBVTlhLsu/ng/hqL7o0pFKKgcymJP4ZHnf5PuZQj4X1FeyVY5OkM9juBSf2RXlBi2QUdu02u6U8oeqP5QD7cyzWlaOQGug2Wh4"
    "BXl0JDGNAoGAIhgV+lMgy81M50mdQdV5ZkfWT9gp+IRpewi2mHKrfVGuE2J2U+UOVEJ6nRq/aUYjzeW9vdOIiC/05iWU4peiC3j/2QBF13n8qvUQ941+SOPH"
    "g5l3kniUMR1Aw+GfHlXFOS3hYPd8JhR/de/MOYp7LAOiMyZR0ouPBfARiTfjwTM=";
static const char ra_certificate[] =
    "MIIDIzCCAgugAwIBAgICEKEwDQYJKoZIhvcNAQELBQAwJDEQMA4GA1UECgwHRXhhbXBsZTEQMA4GA1UEAwwHRnV6eiBDQTAgFw0yNjExMjUxMzE3MDBaGA8y"
    "MTI2MDcyNDEzMTcwMFowJDEQMA4GA1UECgwHRXhhbXBsZTEQMA4GA1UEAwwHRnV6eiBSQTCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBALXl9Jxz"
    "4iSty0w3albEBw99daQQnKCcExPWipv1dRthDUmb9/FGJs4WGPtU5RMu6cBRwS37fVSDlnXUcUSPCQH2wZsKYwVDvx9kiuMsLen1L6eHYYdLMwjUt87Rl+a8"
    "Q+D1uS/HYLykN6iePVM2WJTA7kc3VR0mSbU/OzPUfW9QC5ja5cRYEirFpsD40kQC+3OL0sVmft450Rj2qcIziOupq64ywcisT+4zJ/QcObGvh7KjFkSxXAi5"
    "VaaX+pTlrLoCy+Nn4XbahjVk3rDymYTMH/1zbr4R4p54gyr+Ir0tQ4Xp4AWeXtGp2DKRCD4T0uwSfwN52eHf4BieHKmDko0CAwEAAaNdMFswDgYDVR0PAQH/"
    "BAQDAgWgMB0GA1UdDgQWBBQqJyCkbEwDk4mPBEKW262fFNHHEzAfBgNVHSMEGDAWgBTn2R9rBPsaU7nhqaS3XurFVNrn1DAJBgNVHRMEAjAAMA0GCSqGSIb3"
    "DQEBCwUAA4IBAQCNLw/ZGGjTlolQPFPuMOGVavSnNIz1Lw3/sdpG3NEzotamSJv6bVnv8apMdD2h5Ul/ing8YXb0FKmN13a1dFWzSh0Ur9fivz5utMT2ceH2"
    "/IUduKfQFr0wnz0G/8iRiJRgc8Q8iVDBMKYPnEToifdXWYTA24IEw6UgIlJ0SYGHqsD6CdzUQbJ0XpPIZqzq5XquWDdKVh1PKzBnQjhHD5VLGp8kVQwxCxlV"
    "edD/OANg896shUUFoFdhsbjyT1ITVXRUdXUK6fZaGcSLD2jiwH1LCcHQQEXyV3qM8m3pVgH+TN7nZyVFbkCxbqICZAjPJ2At8fkaQYFFNLOBzlSkvr48";
static const char ca_certificate[] =
    "MIIDOzCCAiOgAwIBAgIULhLuzpr63ak5B699HBuYsWQxrM0wDQYJKoZIhvcNAQELBQAwJDEQMA4GA1UECgwHRXhhbXBsZTEQMA4GA1UEAwwHRnV6eiBDQTAg"
    "Fw0yNjExMjUxMzE3MDBaGA8yMTI2MTEwMTEzMTcwMFowJDEQMA4GA1UECgwHRXhhbXBsZTEQMA4GA1UEAwwHRnV6eiBDQTCCASIwDQYJKoZIhvcNAQEBBQAD"
    "ggEPADCCAQoCggEBAMTH8IsKXH60I38dqPgwpGmel6axxCjmiXAr0/5Paij/ToASsX4YOTD4LSxZYmmuv9ccSD6VRomTuAw6O/bXJA3wq8ut1GnSe2c7/Ll2"
    "/hRHu3/7Km4PZo/cvdxLVPQrIUijm3XIr3dfsXW1MUNHQJLO4+i6ZNZ2GUvFo/RtF7wGDwHTEq9e6KGyEXj4hdFkNJK7jk7Dl5N0jhYZLIZ9m6HN60juLNGO"
    "dFxa20PvewQ9bMQi3roWOqu6eBwly0R74w0I6NU+YAbou/rSc8QBCHOxVLzwAiP/cknnBDKjI+/CoaGwX6vKHpvmy6cJQUKiwzLB4gQsYg4QxyM/4CCNpisC"
    "AwEAAaNjMGEwHQYDVR0OBBYEFOfZH2sE+xpTueGppLde6sVU2ufUMB8GA1UdIwQYMBaAFOfZH2sE+xpTueGppLde6sVU2ufUMA8GA1UdEwEB/wQFMAMBAf8w"
    "DgYDVR0PAQH/BAQDAgEGMA0GCSqGSIb3DQEBCwUAA4IBAQAr8G8KSFCDVETJiBsSXfcTFpsXkJAMJgqtocn3U3hMHdhOoF1GnCcj2b9C+she8apaLm8nOvKx"
    "d/4RnJf1ySsEY0nQQFV+I6439xU2InINxJbMVQJ7lhYaymeQfDSOtr0FaH/j0+yHo8jtq9/Kw0YX64uJDyvj/8DW86tJjwAGFiLROQTvf25r30MUVTpVuIkv"
    "dmdeg12v75ePyTKsEyiqPyEVIx84heDaFKD9zMn7nNdGsZLrXeqNZvXU5hUBHaHHN+2xrLsv3kuc1PvHCUfGYGemskSv0TlBsn0A8X1CfwigRBa69oBI49Vi"
    "Z47QA+hABr/9OFqkHWH2OyjDUJ/T";

static struct {
    struct bytes certificates[2];
    struct cms_key *key;
} ra;

static struct bytes base64_take(const char *text)
{
    size_t n = strlen(text);
    uint8_t *p = malloc(3 * (n / 4) + 3);
    FUZZ_MUST(p != NULL && base64_decode(text, n, false, p, &n) == R_OK);
    return BYTES(p, n);
}

/* Once: what is allocated here stays. */
static void ra_open(void)
{
    struct bytes key = base64_take(ra_key);

    ra.certificates[0] = base64_take(ca_certificate);
    ra.certificates[1] = base64_take(ra_certificate);
    FUZZ_MUST(cms_key_open(key, ra.certificates[1], &ra.key) == R_OK);
    free((void *)key.p);
}

static void open_check(struct bytes der, enum result peeked, uint32_t cipher)
{
    struct bytes content = BYTES_NONE;
    struct arena a;

    arena_init(&a, LIMIT_ARENA_REQUEST);
    enum result r = cms_envelope_open(der, ra.key, &a, &content);
    FUZZ_RESULT(r, R_OK, R_BAD_MESSAGE);
    if (r == R_OK) {
        FUZZ_MUST(peeked == R_OK && cipher != CIPHER_OTHER && content.p != NULL && content.n <= der.n);
        fuzz_read(content);
    }
    arena_free(&a);
}

FUZZ_TARGET(envelope)
{
    struct cms_envelope e = {.cipher = CIPHER_OTHER};
    struct bytes der = BYTES(data, size);
    int match = -2;

    if (ra.key == NULL)
        ra_open();
    enum result r = cms_envelope_peek(der, ra.certificates, 2, &e, &match);
    FUZZ_RESULT(r, R_OK, R_BAD_MESSAGE);
    if (r == R_OK) {
        FUZZ_MUST(match >= -1 && match < 2 && e.recipients >= 1 && e.recipients <= LIMIT_SCEP_RECIPIENTS);
        FUZZ_MUST(e.cipher <= CIPHER_OTHER && cipher_name(e.cipher) != NULL);
        FUZZ_MUST(e.oaep_hash <= HASH_OTHER && (e.oaep || e.oaep_hash == HASH_OTHER));
    }
    open_check(der, r, e.cipher);
    return 0;
}
