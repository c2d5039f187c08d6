/*
 * result: the one result type of Chancery.
 *
 * Every function in lib/ that can fail returns an enum result; zero is success. A result's HTTP status, SCEP failInfo
 * (RFC 8894 section 3.2.1.4.5) and sentence for a person stand in one place: the table below. The names of the second
 * group are the reason codes of the challenge validation, as operators of such systems know them, and are what the
 * SQL functions raise (MESSAGE of SQLSTATE CH000), the client reads as failInfoText and the log shows as reason=.
 *
 * Does not carry details: who finds the fault logs it, once, with the object, what was found and what was wanted.
 */
#ifndef CHANCERY_BASE_RESULT_H
#define CHANCERY_BASE_RESULT_H

/* Both define R_OK for access(2), which nothing here calls; included first, so that they cannot bring it back. */
#include <fcntl.h>
#include <unistd.h>
#undef R_OK

enum fail_info {            /* RFC 8894 section 3.2.1.4.5 */
    FAIL_NONE = -1,
    FAIL_BAD_ALG = 0,
    FAIL_BAD_MESSAGE_CHECK = 1,
    FAIL_BAD_REQUEST = 2,
    FAIL_BAD_TIME = 3,
    FAIL_BAD_CERT_ID = 4,
};

/* X(identifier, name, HTTP status, failInfo, sentence) */
#define RESULT_TABLE(X) \
    X(OK, "Success", 200, FAIL_NONE, "Done.") \
    /* the machine and the operator */ \
    X(NO_MEMORY, "NoMemory", 503, FAIL_BAD_REQUEST, "Memory ran out.") \
    X(IO, "InputOutput", 503, FAIL_BAD_REQUEST, "A file or socket could not be read or written.") \
    X(UNAVAILABLE, "Unavailable", 503, FAIL_BAD_REQUEST, "A part of the system does not answer; try again.") \
    X(OUTCOME_UNKNOWN, "OutcomeUnknown", 503, FAIL_BAD_REQUEST, "The answer did not come in time; the same request may be sent again.") \
    X(CLOCK, "ClockDiffers", 503, FAIL_BAD_TIME, "The clocks of this host and of the database differ by more than a minute.") \
    X(CONFIG, "BadConfiguration", 500, FAIL_BAD_REQUEST, "The configuration is not valid.") \
    X(INTERNAL, "Internal", 500, FAIL_BAD_REQUEST, "An internal check failed.") \
    X(BAD_FRAME, "BadFrame", 400, FAIL_BAD_REQUEST, "The message is not well formed.") \
    X(TOO_LARGE, "TooLarge", 413, FAIL_BAD_REQUEST, "The input is larger than its limit.") \
    X(BAD_INPUT, "BadInput", 400, FAIL_BAD_REQUEST, "A value is not allowed.") \
    X(BAD_METHOD, "BadMethod", 405, FAIL_BAD_REQUEST, "Only GET and POST are served here.") \
    X(DENIED, "Denied", 403, FAIL_BAD_REQUEST, "The caller may not do this.") \
    X(NOT_FOUND, "NotFound", 404, FAIL_BAD_CERT_ID, "There is no such object.") \
    X(EXISTS, "Exists", 409, FAIL_BAD_REQUEST, "There is already such an object.") \
    X(STALE, "Stale", 409, FAIL_BAD_REQUEST, "The object was changed by somebody else in the meantime.") \
    X(STATE, "WrongState", 409, FAIL_BAD_REQUEST, "The object's state does not allow this.") \
    X(LIMIT, "LimitReached", 409, FAIL_BAD_REQUEST, "The limit is reached.") \
    X(BUSY, "Busy", 409, FAIL_BAD_REQUEST, "Another program is doing this already.") \
    X(IMMUTABLE, "Immutable", 409, FAIL_BAD_REQUEST, "This property is fixed at creation.") \
    X(BAD_KEY, "BadKey", 500, FAIL_BAD_REQUEST, "A key could not be opened or used.") \
    X(OUT_OF_BOUNDS, "OutOfBounds", 500, FAIL_BAD_REQUEST, "The certificate would exceed what its CA may issue.") \
    X(AUDIT_BROKEN, "AuditBroken", 500, FAIL_BAD_REQUEST, "The audit log does not verify.") \
    X(SCHEMA, "WrongSchema", 503, FAIL_BAD_REQUEST, "The database's schema is not the one this program needs.") \
    /* what is wrong with a SCEP message before whoever sends it is known: one answer for all of it */ \
    X(BAD_MESSAGE, "BadMessage", 200, FAIL_BAD_MESSAGE_CHECK, "The SCEP message is not valid.") \
    X(BAD_MESSAGE_TYPE, "BadMessageType", 200, FAIL_BAD_REQUEST, "This SCEP message type is not served.") \
    X(CSR_DECODING_FAILED, "CertificateRequestDecodingFailed", 200, FAIL_BAD_MESSAGE_CHECK, "The certification request could not be read.") \
    X(SIGNATURE_FAILED, "SignatureValidationFailed", 200, FAIL_BAD_MESSAGE_CHECK, "A signature in the request is wrong.") \
    X(SIGNER_MISMATCH, "SigningCertThumbprintMismatch", 200, FAIL_BAD_MESSAGE_CHECK, "The message is signed by another key than the one to be certified.") \
    X(CHALLENGE_MISSING, "ChallengePasswordMissing", 200, FAIL_BAD_MESSAGE_CHECK, "The request carries no challenge.") \
    X(CHALLENGE_DECODING, "ChallengeDecodingError", 200, FAIL_BAD_MESSAGE_CHECK, "The challenge is not base64.") \
    X(CHALLENGE_DECRYPTION, "ChallengeDecryptionError", 200, FAIL_BAD_MESSAGE_CHECK, "The challenge was not made here or was changed.") \
    X(CHALLENGE_DESERIALIZATION, "ChallengeDeserializationError", 200, FAIL_BAD_MESSAGE_CHECK, "The challenge's content has another form.") \
    X(PREDECESSOR_UNKNOWN, "PredecessorUnknown", 200, FAIL_BAD_MESSAGE_CHECK, "The message is signed by a certificate that this CA did not issue.") \
    X(ISSUER_UNKNOWN, "IssuerUnknown", 200, FAIL_BAD_MESSAGE_CHECK, "The certificate asked about is of another CA.") \
    /* after the challenge opened or the predecessor was found: named to the client */ \
    X(BAD_ALG, "AlgorithmNotAllowed", 200, FAIL_BAD_ALG, "The message uses an algorithm that is not allowed.") \
    X(CHALLENGE_TIMESTAMP, "ChallengeInvalidTimestamp", 200, FAIL_BAD_REQUEST, "The challenge's times cannot be.") \
    X(CHALLENGE_EXPIRED, "ChallengeExpired", 200, FAIL_BAD_REQUEST, "The challenge has expired.") \
    X(BAD_REQUEST_ID, "BadCertificateRequestIdInChallenge", 200, FAIL_BAD_REQUEST, "The challenge was used or replaced by a newer one.") \
    X(BAD_DEVICE, "BadDeviceIdInChallenge", 200, FAIL_BAD_REQUEST, "The challenge's device is not managed.") \
    X(BAD_USER, "BadUserIdInChallenge", 200, FAIL_BAD_REQUEST, "The challenge's user is not known or not active.") \
    X(NOT_TARGETED, "ScepProfileNoLongerTargetedToTheClient", 200, FAIL_BAD_REQUEST, "The profile is no longer assigned to the device in this form.") \
    X(SUBJECT_MISSING, "SubjectNameMissing", 200, FAIL_BAD_REQUEST, "The request has no subject.") \
    X(SUBJECT_MISMATCH, "SubjectNameMismatch", 200, FAIL_BAD_REQUEST, "The request's subject is not the expected one.") \
    X(SAN_MISSING, "SubjectAltNameMissing", 200, FAIL_BAD_REQUEST, "The request has no subject alternative name.") \
    X(SAN_MISMATCH, "SubjectAltNameMismatch", 200, FAIL_BAD_REQUEST, "The request's subject alternative names are not the expected ones.") \
    X(KEY_USAGE_MISMATCH, "KeyUsageMismatch", 200, FAIL_BAD_REQUEST, "The request's key usage is not the expected one.") \
    X(KEY_LENGTH_MISMATCH, "KeyLengthMismatch", 200, FAIL_BAD_REQUEST, "The key's algorithm, size or exponent is not allowed.") \
    X(EKU_MISSING, "EnhancedKeyUsageMissing", 200, FAIL_BAD_REQUEST, "The request has no extended key usage.") \
    X(EKU_MISMATCH, "EnhancedKeyUsageMismatch", 200, FAIL_BAD_REQUEST, "The request's extended key usages are not the expected ones.") \
    X(KEY_IDENTIFIERS_MISSING, "AadKeyIdentifierListMissing", 200, FAIL_BAD_REQUEST, "The device has no registered keys.") \
    X(KEY_MISMATCH, "RegisteredKeyMismatch", 200, FAIL_BAD_REQUEST, "The key is already certified for another device.") \
    X(WRONG_CA, "WrongCertificationAuthority", 200, FAIL_BAD_REQUEST, "The challenge is for another CA or version than the URL.") \
    X(CA_PAUSED, "CertificationAuthorityPaused", 200, FAIL_BAD_REQUEST, "The CA is paused.") \
    X(CA_REVOKED, "CertificationAuthorityRevoked", 200, FAIL_BAD_REQUEST, "The CA is revoked.") \
    X(CA_EXPIRED, "CertificationAuthorityExpired", 200, FAIL_BAD_REQUEST, "The CA is expired or about to be.") \
    X(CA_INACTIVE, "CertificationAuthorityNotActive", 200, FAIL_BAD_REQUEST, "The CA does not issue now.") \
    X(CERT_REVOKED, "CertificateAlreadyRevoked", 200, FAIL_BAD_REQUEST, "The certificate that this challenge led to is revoked or expired.") \
    /* renewal by the certificate before */ \
    X(RENEWAL_OFF, "RenewalNotAllowed", 200, FAIL_BAD_REQUEST, "The profile does not renew by the old certificate; a new challenge is needed.") \
    X(RENEWAL_EARLY, "RenewalTooEarly", 200, FAIL_BAD_REQUEST, "More of the old certificate's life is left than the profile's threshold.") \
    X(PREDECESSOR_INVALID, "PredecessorNotValid", 200, FAIL_BAD_CERT_ID, "The old certificate is revoked or expired.") \
    X(PREDECESSOR_SPENT, "PredecessorAlreadyRenewed", 200, FAIL_BAD_REQUEST, "The old certificate was renewed already, with another key.") \
    X(KEY_NOT_NEW, "KeyNotNew", 200, FAIL_BAD_REQUEST, "A renewal needs a key that was not certified before.") \
    /* requests that wait for approval, and look-ups */ \
    X(REQUEST_UNKNOWN, "RequestUnknown", 200, FAIL_BAD_CERT_ID, "No request of this transaction and key waits here.") \
    X(REQUEST_REJECTED, "RequestRejected", 200, FAIL_BAD_REQUEST, "The request was rejected.") \
    X(REQUEST_EXPIRED, "RequestExpired", 200, FAIL_BAD_REQUEST, "The request waited too long for approval.") \
    X(REQUEST_NOT_APPROVED, "RequestNotApproved", 200, FAIL_BAD_REQUEST, "The request is not approved.") \
    X(REQUEST_CHANGED, "ApprovedContentChanged", 200, FAIL_BAD_REQUEST, "What would be issued is no longer what was approved.") \
    X(CERT_UNKNOWN, "CertificateUnknown", 200, FAIL_BAD_CERT_ID, "There is no such certificate of this requester.") \
    X(CRL_NONE, "CrlNotBuilt", 503, FAIL_BAD_REQUEST, "The CA's first CRL is not built yet.") \
    X(CRL_TOO_LARGE, "CrlTooLarge", 200, FAIL_BAD_REQUEST, "The CRL is too large for a SCEP message; fetch it from its distribution point.")

#define RESULT_ENUM(id, name, http, fail, sentence) R_##id,
enum result { RESULT_TABLE(RESULT_ENUM) R_COUNT };
#undef RESULT_ENUM

const char *result_name(enum result r);        /* "ChallengeExpired" */
const char *result_sentence(enum result r);
int result_http(enum result r);
enum fail_info result_fail_info(enum result r);
/* The result of that name; R_INTERNAL where there is none (a name comes from the database: never trusted further). */
enum result result_from_name(const char *name);
/* The result with that number; R_INTERNAL where there is none (a number comes off a socket). */
enum result result_from_number(unsigned long n);
/* May the same request succeed later without anybody changing anything? */
int result_is_retryable(enum result r);

#endif
