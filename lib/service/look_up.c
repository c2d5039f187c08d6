/*
 * CertPoll, GetCert, GetCRL: what became of a request, a certificate again, a CRL (RFC 8894 sections 3.3.3 to 3.3.5).
 *
 * A poll finds its request by transaction and key; the names in it are not looked at, since clients put wrong ones there (interop Q62). GetCert gives a
 * certificate to its holder alone. GetCRL gives the CRL to anybody, since it is public; one beyond LIMIT_SCEP_CRL is named by its address.
 */
#include "lib/base/limits.h"
#include "lib/codec/issuer_serial.h"
#include "lib/service/story.h"

#define FRAME_SIZE 512               /* bytes around the CRL in the degenerate SignedData */

static enum result poll_ask(struct story *s)
{
    const struct signer_poll q = {.origin = story_origin(s), .spki = s->message.signed_data.signer_key.spki};

    return q.spki.n > LIMIT_SPKI ? story_refuse(s, R_REQUEST_UNKNOWN, "a key that is larger than any that is served") :
        story_call(s, SIGNER_POLL, &q);
}

/* Some clients name the RA's certificate as issuer where they mean the CA (interop Q63). */
static bool issuer_is_here(const struct story *s, struct bytes issuer)
{
    const struct bytes ours[] = {s->endpoint->certificate, s->endpoint->generations[s->generation].sign_certificate,
                                 s->endpoint->generations[s->generation].encrypt_certificate};
    struct certificate c;

    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (certificate_decode(ours[i], s->arena, &c) == R_OK && name_der_match(issuer, c.subject))
            return true;
    return false;
}

static enum result which(struct story *s, struct issuer_serial *out)
{
    if (issuer_serial_decode(s->content, out) != R_OK)
        return story_refuse(s, R_BAD_MESSAGE, "the content is no IssuerAndSerialNumber");
    return issuer_is_here(s, out->issuer) ? R_OK : story_refuse(s, R_ISSUER_UNKNOWN, "the issuer in the message is not this CA");
}

static enum result get_cert_ask(struct story *s)
{
    struct signer_get_cert q = {.origin = story_origin(s), .spki = s->message.signed_data.signer_key.spki};
    struct issuer_serial certificate;
    enum result r = which(s, &certificate);

    if (r != R_OK)
        return r;
    q.serial = certificate.serial;
    return q.spki.n > LIMIT_SPKI ? story_refuse(s, R_CERT_UNKNOWN, "a key that is larger than any that is served") :
        story_call(s, SIGNER_GET_CERT, &q);
}

static enum result crl_wrap(struct story *s, struct bytes crl)
{
    struct buf out;

    buf_init(&out, crl.n + FRAME_SIZE);
    enum result r = cms_crls(&crl, 1, &out);
    if (r == R_OK) {
        s->answer = arena_bytes(s->arena, buf_bytes(&out));
        r = s->answer.p ? R_OK : R_NO_MEMORY;
    }
    buf_free(&out);
    return r;
}

static enum result get_crl_read(struct story *s)
{
    struct issuer_serial certificate;
    struct scep_crl crl;
    enum result r = which(s, &certificate);

    if (r == R_OK)
        r = s->context->crl_read(s->context->crl_context, s->endpoint->ca, s->endpoint->staged, certificate.serial, s->arena, &crl);
    if (r == R_OK && crl.number == 0)
        r = story_refuse(s, R_CRL_NONE, crl.url);
    if (r == R_OK && !crl.der.p) {
        s->text = arena_printf(s->arena, "%s %s", result_name(R_CRL_TOO_LARGE), crl.url);
        return story_refuse(s, R_CRL_TOO_LARGE, crl.url);
    }
    return r == R_OK ? crl_wrap(s, crl.der) : r;
}

story_step *const poll_steps[] = {poll_ask, NULL};
story_step *const get_cert_steps[] = {get_cert_ask, NULL};
story_step *const get_crl_steps[] = {get_crl_read, NULL};
