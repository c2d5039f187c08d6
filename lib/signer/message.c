#include "lib/signer/message.h"

#include "lib/base/limits.h"

#define FIELD(type, member, kind, max, sub) {#member, kind, offsetof(type, member), max, sub}
#define TYPE(ctype, fields) {#ctype, sizeof(struct ctype), fields, sizeof fields / sizeof *fields}

static const struct wire_field name_attribute_fields[] = {
    FIELD(struct name_attribute, oid, WIRE_TEXT_PRESENT, LIMIT_OID, NULL),
    FIELD(struct name_attribute, value, WIRE_TEXT_PRESENT, LIMIT_NAME_VALUE, NULL),
    FIELD(struct name_attribute, rdn, WIRE_U32, 0, NULL),
};
static const struct wire_type name_attribute_type = TYPE(name_attribute, name_attribute_fields);

static const struct wire_field san_fields[] = {
    FIELD(struct san, type, WIRE_U32, SAN_TYPES - 1, NULL),
    FIELD(struct san, value, WIRE_TEXT_PRESENT, LIMIT_NAME_VALUE, NULL),
};
static const struct wire_type san_type = TYPE(san, san_fields);

static const struct wire_field claims_fields[] = {
    FIELD(struct claims, subject, WIRE_LIST, LIMIT_NAME_ATTRIBUTES, &name_attribute_type),
    FIELD(struct claims, has_sans, WIRE_BOOL, 0, NULL),
    FIELD(struct claims, sans, WIRE_LIST, LIMIT_SANS, &san_type),
    FIELD(struct claims, has_key_usage, WIRE_BOOL, 0, NULL),
    FIELD(struct claims, key_usage, WIRE_U32, 0, NULL),
    FIELD(struct claims, has_ekus, WIRE_BOOL, 0, NULL),
    FIELD(struct claims, ekus, WIRE_LIST, LIMIT_EKUS, NULL),
};
static const struct wire_type claims_type = TYPE(claims, claims_fields);

static const struct wire_field algorithms_fields[] = {
    FIELD(struct message_algorithms, hash, WIRE_U32, HASH_OTHER, NULL),
    FIELD(struct message_algorithms, request_hash, WIRE_U32, HASH_OTHER, NULL),
    FIELD(struct message_algorithms, cipher, WIRE_U32, CIPHER_OTHER, NULL),
    FIELD(struct message_algorithms, oaep, WIRE_BOOL, 0, NULL),
    FIELD(struct message_algorithms, oaep_hash, WIRE_U32, HASH_OTHER, NULL),
    FIELD(struct message_algorithms, lenient, WIRE_BOOL, 0, NULL),
};
static const struct wire_type algorithms_type = TYPE(message_algorithms, algorithms_fields);

static const struct wire_field origin_fields[] = {
    FIELD(struct signer_origin, ca, WIRE_TEXT_PRESENT, 36, NULL),
    FIELD(struct signer_origin, version, WIRE_U32, 0, NULL),
    FIELD(struct signer_origin, transaction, WIRE_TEXT_PRESENT, LIMIT_SCEP_TRANSACTION_ID * 4, NULL),
    FIELD(struct signer_origin, algorithms, WIRE_STRUCT, 0, &algorithms_type),
};
static const struct wire_type origin_type = TYPE(signer_origin, origin_fields);

static const struct wire_field enrol_fields[] = {
    FIELD(struct signer_enrol, origin, WIRE_STRUCT, 0, &origin_type),
    FIELD(struct signer_enrol, challenge, WIRE_TEXT, LIMIT_CHALLENGE, NULL),
    FIELD(struct signer_enrol, spki, WIRE_BYTES, LIMIT_SPKI, NULL),
    FIELD(struct signer_enrol, claims, WIRE_STRUCT, 0, &claims_type),
};
static const struct wire_type enrol_type = TYPE(signer_enrol, enrol_fields);
static const struct wire_field renew_fields[] = {
    FIELD(struct signer_renew, origin, WIRE_STRUCT, 0, &origin_type),
    FIELD(struct signer_renew, predecessor, WIRE_BYTES, LIMIT_CERTIFICATE, NULL),
    FIELD(struct signer_renew, spki, WIRE_BYTES, LIMIT_SPKI, NULL),
    FIELD(struct signer_renew, claims, WIRE_STRUCT, 0, &claims_type),
};
static const struct wire_type renew_type = TYPE(signer_renew, renew_fields);
static const struct wire_field poll_fields[] = {
    FIELD(struct signer_poll, origin, WIRE_STRUCT, 0, &origin_type),
    FIELD(struct signer_poll, spki, WIRE_BYTES, LIMIT_SPKI, NULL),
};
static const struct wire_type poll_type = TYPE(signer_poll, poll_fields);
static const struct wire_field get_cert_fields[] = {
    FIELD(struct signer_get_cert, origin, WIRE_STRUCT, 0, &origin_type),
    FIELD(struct signer_get_cert, serial, WIRE_BYTES, LIMIT_SERIAL, NULL),
    FIELD(struct signer_get_cert, spki, WIRE_BYTES, LIMIT_SPKI, NULL),
};
static const struct wire_type get_cert_type = TYPE(signer_get_cert, get_cert_fields);

static const struct wire_field certificate_fields[] = {
    FIELD(struct signer_certificate, pending, WIRE_BOOL, 0, NULL),
    FIELD(struct signer_certificate, certificate, WIRE_BYTES, LIMIT_CERTIFICATE, NULL),
    FIELD(struct signer_certificate, issuer, WIRE_BYTES, LIMIT_CERTIFICATE, NULL),
    FIELD(struct signer_certificate, repeated, WIRE_BOOL, 0, NULL),
};
static const struct wire_type certificate_type = TYPE(signer_certificate, certificate_fields);

static const struct wire_field next_ca_fields[] = {FIELD(struct signer_next_ca, ca, WIRE_TEXT_PRESENT, 36, NULL)};
static const struct wire_type next_ca_type = TYPE(signer_next_ca, next_ca_fields);
static const struct wire_field next_ca_answer_fields[] = {FIELD(struct signer_next_ca_answer, message, WIRE_BYTES, LIMIT_FRAME / 2, NULL)};
static const struct wire_type next_ca_answer_type = TYPE(signer_next_ca_answer, next_ca_answer_fields);

static const struct wire_field challenge_fields[] = {
    FIELD(struct signer_challenge, tenant, WIRE_U32, 0, NULL),
    FIELD(struct signer_challenge, actor, WIRE_TEXT_PRESENT, LIMIT_DISPLAY_NAME, NULL),
    FIELD(struct signer_challenge, profile, WIRE_TEXT_PRESENT, LIMIT_DISPLAY_NAME * 4, NULL),
    FIELD(struct signer_challenge, device, WIRE_TEXT, LIMIT_DISPLAY_NAME * 4, NULL),
    FIELD(struct signer_challenge, after, WIRE_I64, 0, NULL),
    FIELD(struct signer_challenge, limit, WIRE_U32, 0, NULL),
};
static const struct wire_type challenge_type = TYPE(signer_challenge, challenge_fields);

static const struct wire_field challenge_row_fields[] = {
    FIELD(struct signer_challenge_row, device, WIRE_I64, 0, NULL),
    FIELD(struct signer_challenge_row, device_name, WIRE_TEXT, LIMIT_DISPLAY_NAME * 4, NULL),
    FIELD(struct signer_challenge_row, subject, WIRE_TEXT, LIMIT_NAME_DER * 4, NULL),
    FIELD(struct signer_challenge_row, challenge, WIRE_TEXT, LIMIT_CHALLENGE, NULL),
    FIELD(struct signer_challenge_row, missing, WIRE_TEXT, LIMIT_DETAIL, NULL),
};
static const struct wire_type challenge_row_type = TYPE(signer_challenge_row, challenge_row_fields);
static const struct wire_field challenges_fields[] = {
    FIELD(struct signer_challenges, rows, WIRE_LIST, LIMIT_CHALLENGE_BATCH, &challenge_row_type),
};
static const struct wire_type challenges_type = TYPE(signer_challenges, challenges_fields);

static const struct wire_field subject_fields[] = {
    FIELD(struct ca_subject, cn, WIRE_TEXT, LIMIT_ATTRIBUTE, NULL), FIELD(struct ca_subject, o, WIRE_TEXT, LIMIT_ATTRIBUTE, NULL),
    FIELD(struct ca_subject, ou, WIRE_TEXT, LIMIT_ATTRIBUTE, NULL), FIELD(struct ca_subject, c, WIRE_TEXT, LIMIT_ATTRIBUTE, NULL),
    FIELD(struct ca_subject, st, WIRE_TEXT, LIMIT_ATTRIBUTE, NULL), FIELD(struct ca_subject, l, WIRE_TEXT, LIMIT_ATTRIBUTE, NULL),
};
static const struct wire_type subject_type = TYPE(ca_subject, subject_fields);

static const struct wire_field ca_request_fields[] = {
    FIELD(struct ca_request, kind, WIRE_U32, 0, NULL),
    FIELD(struct ca_request, name, WIRE_TEXT_PRESENT, LIMIT_DISPLAY_NAME * 4, NULL),
    FIELD(struct ca_request, description, WIRE_TEXT, LIMIT_DESCRIPTION * 4, NULL),
    FIELD(struct ca_request, subject, WIRE_STRUCT, 0, &subject_type),
    FIELD(struct ca_request, key_bits, WIRE_U32, 0, NULL),
    FIELD(struct ca_request, years, WIRE_U32, 0, NULL),
    FIELD(struct ca_request, ekus, WIRE_LIST, LIMIT_EKUS, NULL),
    FIELD(struct ca_request, eku_names, WIRE_LIST, LIMIT_EKUS, NULL),
    FIELD(struct ca_request, names_from_requests, WIRE_BOOL, 0, NULL),
    FIELD(struct ca_request, ra_ekus, WIRE_LIST, 8, NULL),
};
static const struct wire_type ca_request_type = TYPE(ca_request, ca_request_fields);

static const struct wire_field ca_create_fields[] = {
    FIELD(struct signer_ca_create, tenant, WIRE_U32, 0, NULL),
    FIELD(struct signer_ca_create, actor, WIRE_TEXT_PRESENT, LIMIT_DISPLAY_NAME, NULL),
    FIELD(struct signer_ca_create, request, WIRE_STRUCT, 0, &ca_request_type),
    FIELD(struct signer_ca_create, parent, WIRE_TEXT, LIMIT_DISPLAY_NAME * 4, NULL),
};
static const struct wire_type ca_create_type = TYPE(signer_ca_create, ca_create_fields);
static const struct wire_field ca_created_fields[] = {
    FIELD(struct signer_ca_created, ca, WIRE_TEXT, 36, NULL),
    FIELD(struct signer_ca_created, not_after, WIRE_I64, 0, NULL),
    FIELD(struct signer_ca_created, clamped, WIRE_BOOL, 0, NULL),
};
static const struct wire_type ca_created_type = TYPE(signer_ca_created, ca_created_fields);

static const struct wire_field file_fields[] = {
    FIELD(struct signer_file, name, WIRE_TEXT_PRESENT, LIMIT_FILE_NAME, NULL),
    FIELD(struct signer_file, content, WIRE_BYTES, LIMIT_UPLOAD, NULL),
};
static const struct wire_type file_type = TYPE(signer_file, file_fields);
static const struct wire_field ca_upload_fields[] = {
    FIELD(struct signer_ca_upload, tenant, WIRE_U32, 0, NULL),
    FIELD(struct signer_ca_upload, actor, WIRE_TEXT_PRESENT, LIMIT_DISPLAY_NAME, NULL),
    FIELD(struct signer_ca_upload, ca, WIRE_TEXT_PRESENT, LIMIT_DISPLAY_NAME * 4, NULL),
    FIELD(struct signer_ca_upload, certificate, WIRE_STRUCT, 0, &file_type),
    FIELD(struct signer_ca_upload, chain, WIRE_LIST, LIMIT_UPLOAD_FILES, &file_type),
};
static const struct wire_type ca_upload_type = TYPE(signer_ca_upload, ca_upload_fields);
static const struct wire_field ca_uploaded_fields[] = {
    FIELD(struct signer_ca_uploaded, version, WIRE_U32, 0, NULL),
    FIELD(struct signer_ca_uploaded, not_after, WIRE_I64, 0, NULL),
    FIELD(struct signer_ca_uploaded, subject, WIRE_TEXT, LIMIT_NAME_DER * 4, NULL),
    FIELD(struct signer_ca_uploaded, root, WIRE_TEXT, LIMIT_NAME_DER * 4, NULL),
    FIELD(struct signer_ca_uploaded, above, WIRE_U32, 0, NULL),
    FIELD(struct signer_ca_uploaded, ra, WIRE_BOOL, 0, NULL),
};
static const struct wire_type ca_uploaded_type = TYPE(signer_ca_uploaded, ca_uploaded_fields);

static const struct wire_field ca_renew_fields[] = {
    FIELD(struct signer_ca_renew, tenant, WIRE_U32, 0, NULL),
    FIELD(struct signer_ca_renew, actor, WIRE_TEXT_PRESENT, LIMIT_DISPLAY_NAME, NULL),
    FIELD(struct signer_ca_renew, ca, WIRE_TEXT_PRESENT, LIMIT_DISPLAY_NAME * 4, NULL),
    FIELD(struct signer_ca_renew, early, WIRE_BOOL, 0, NULL),
};
static const struct wire_type ca_renew_type = TYPE(signer_ca_renew, ca_renew_fields);
static const struct wire_field ca_renewed_fields[] = {
    FIELD(struct signer_ca_renewed, number, WIRE_U32, 0, NULL),
    FIELD(struct signer_ca_renewed, not_after, WIRE_I64, 0, NULL),
    FIELD(struct signer_ca_renewed, clamped, WIRE_BOOL, 0, NULL),
};
static const struct wire_type ca_renewed_type = TYPE(signer_ca_renewed, ca_renewed_fields);

static const struct wire_field ra_renew_fields[] = {
    FIELD(struct signer_ra_renew, tenant, WIRE_U32, 0, NULL),
    FIELD(struct signer_ra_renew, ca_version, WIRE_U32, 0, NULL),
};
static const struct wire_type ra_renew_type = TYPE(signer_ra_renew, ra_renew_fields);
static const struct wire_field keys_init_fields[] = {FIELD(struct signer_keys_init, actor, WIRE_TEXT_PRESENT, LIMIT_DISPLAY_NAME, NULL)};
static const struct wire_type keys_init_type = TYPE(signer_keys_init, keys_init_fields);
static const struct wire_field crl_build_fields[] = {
    FIELD(struct signer_crl_build, ca_version, WIRE_U32, 0, NULL),
    FIELD(struct signer_crl_build, shard, WIRE_U32, 0, NULL),
};
static const struct wire_type crl_build_type = TYPE(signer_crl_build, crl_build_fields);
static const struct wire_field crl_built_fields[] = {
    FIELD(struct signer_crl_built, number, WIRE_I64, 0, NULL),
    FIELD(struct signer_crl_built, entries, WIRE_I64, 0, NULL),
    FIELD(struct signer_crl_built, size, WIRE_I64, 0, NULL),
};
static const struct wire_type crl_built_type = TYPE(signer_crl_built, crl_built_fields);
static const struct wire_field audit_sign_fields[] = {FIELD(struct signer_audit_sign, limit, WIRE_U32, 0, NULL)};
static const struct wire_type audit_sign_type = TYPE(signer_audit_sign, audit_sign_fields);
static const struct wire_field done_fields[] = {FIELD(struct signer_done, count, WIRE_U32, 0, NULL)};
static const struct wire_type done_type = TYPE(signer_done, done_fields);

const struct signer_verb_info signer_verbs[SIGNER_VERBS] = {
    [SIGNER_ENROL] = {"enrol", LANE_LEAF, &enrol_type, &certificate_type},
    [SIGNER_RENEW] = {"renew", LANE_LEAF, &renew_type, &certificate_type},
    [SIGNER_POLL] = {"poll", LANE_LEAF, &poll_type, &certificate_type},
    [SIGNER_GET_CERT] = {"get-cert", LANE_LEAF, &get_cert_type, &certificate_type},
    [SIGNER_NEXT_CA] = {"next-ca", LANE_LEAF, &next_ca_type, &next_ca_answer_type},
    [SIGNER_CHALLENGE] = {"challenge", LANE_LEAF, &challenge_type, &challenges_type},
    [SIGNER_CA_CREATE] = {"ca-create", LANE_ADMIN, &ca_create_type, &ca_created_type},
    [SIGNER_CA_UPLOAD] = {"ca-upload", LANE_ADMIN, &ca_upload_type, &ca_uploaded_type},
    [SIGNER_RA_RENEW] = {"ra-renew", LANE_ADMIN, &ra_renew_type, &done_type},
    [SIGNER_KEYS_INIT] = {"keys-init", LANE_ADMIN, &keys_init_type, &done_type},
    [SIGNER_CRL_BUILD] = {"crl-build", LANE_CRL, &crl_build_type, &crl_built_type},
    [SIGNER_AUDIT_SIGN] = {"audit-sign", LANE_CRL, &audit_sign_type, &done_type},
    [SIGNER_CA_RENEW] = {"ca-renew", LANE_ADMIN, &ca_renew_type, &ca_renewed_type},
};

enum { REPLY_FIELDS = 2 };
static const struct wire_field reply_fields[REPLY_FIELDS] = {
    FIELD(struct signer_reply, number, WIRE_U32, 0, NULL),
    FIELD(struct signer_reply, detail, WIRE_TEXT, LIMIT_DETAIL, NULL),
};
const struct wire_type signer_reply_type = TYPE(signer_reply, reply_fields);
